//! What could not be looked at keeps others safe as well: nothing is removed that it may stand on, and no version
//! changes without the snapshot that has to come first.

use keelson_provider_api::{Kind, Observation};

use super::report::UnseenKind;
use super::skew::changes_version;
use super::verdict::{Verdict, Verdicts};

/// Blocks removals while any kind is unknown, and changes of version while etcd or its snapshots are.
pub(super) fn review(verdicts: &mut Verdicts, observation: &Observation) {
    let Some((unknown, reason)) = observation.unknown_kinds().next() else {
        return;
    };
    let etcd_unknown = observation
        .unknown_kinds()
        .any(|(kind, _)| matches!(kind, Kind::EtcdMember | Kind::EtcdSnapshot));
    for (key, verdict) in verdicts.iter_mut() {
        let what = match verdict {
            Verdict::Delete { .. } | Verdict::Replace { .. } => "nothing is removed",
            Verdict::Update { differences, .. }
                if etcd_unknown && key.kind() == Kind::NodeBundle && changes_version(differences) =>
            {
                "no version changes"
            }
            _ => continue,
        };
        *verdict = Verdict::blocked(
            format!("{what} while each {unknown} is unknown: {reason}"),
            "run the command again when everything can be looked at",
        );
    }
}

/// The kinds that could not be looked at, for the report.
pub(super) fn kinds(observation: &Observation) -> Vec<UnseenKind> {
    let unseen = |(kind, reason): (Kind, &str)| UnseenKind {
        kind,
        reason: reason.to_owned(),
    };
    observation.unknown_kinds().map(unseen).collect()
}
