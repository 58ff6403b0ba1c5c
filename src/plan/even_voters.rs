//! Even numbers of voting members, which are worth knowing.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::{EtcdMember, MemberPhase};
use keelson_provider_api::{Action, Finding, Kind, Observation, Resource, Severity};

use super::graph::Step;

/// What to know of the numbers of voting members that `steps` lead to: an even one can lose no more of them than the odd one
/// below it.
pub(super) fn warnings(steps: &[Step], observation: &Observation) -> Vec<Finding> {
    let mut voters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, existing) in observation.owned_of(Kind::EtcdMember) {
        if let (Some((cluster, machine)), Resource::EtcdMember(member)) =
            (EtcdMember::parse_name(key.name()), &existing.resource)
            && member.phase != MemberPhase::Waiting
        {
            voters.entry(cluster).or_default().insert(machine);
        }
    }
    let mut changed: BTreeMap<&str, &str> = BTreeMap::new();
    for step in steps {
        let change = step.change();
        let Some((cluster, machine)) = EtcdMember::parse_name(change.key.name()) else {
            continue;
        };
        if change.key.kind() != Kind::EtcdMember || change.replacement {
            continue;
        }
        let members = voters.entry(cluster).or_default();
        let differs = match change.action {
            Action::Create { .. } => members.insert(machine),
            Action::Delete { .. } => members.remove(machine),
            Action::Update { .. } => false,
        };
        if differs {
            changed.insert(cluster, machine);
        }
    }
    let even = |(cluster, machine): (&str, &str)| {
        let count = voters.get(cluster).map_or(0, BTreeSet::len);
        (count > 0 && count.is_multiple_of(2)).then(|| Finding {
            machine: machine.to_owned(),
            name: "even-voters".to_owned(),
            severity: Severity::Warning,
            problem: format!(
                "etcd cluster `{cluster}` will have {count} voting members, which can lose no more of them than {} could",
                count - 1
            ),
            help: Some(format!("etcd needs a majority: go on to {}, or back to {}", count + 1, count - 1)),
            can_be_ignored: false,
        })
    };
    changed.into_iter().filter_map(even).collect()
}
