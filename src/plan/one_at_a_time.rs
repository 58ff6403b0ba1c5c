//! What is well is left alone while something of the same kind is not, and nothing mends that: what broke one control plane, or
//! one node of a group, would break the next.
//!
//! Permits see to the same while a plan is carried out; here it is known before, and nobody has to wait for it.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::Effect;
use keelson_provider_api::{Existing, Health, Kind, Observation, Resource, ResourceKey};

use super::desired::DesiredState;
use super::verdict::{Verdict, Verdicts};

/// Blocks restarts on machines whose fellows are out of service and stay so.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    if desired.retires_cluster {
        return;
    }
    let ailing = ailing(verdicts, observation, Kind::ControlPlane);
    if let Some((first, why)) = ailing.first() {
        let reason = format!(
            "{first} is out of service, and one control plane may be at a time; nothing of this plan mends it: {why}"
        );
        block(verdicts, observation, Kind::ControlPlane, &reason, |_| true);
    }
    let mut by_group: BTreeMap<String, BTreeSet<(ResourceKey, String)>> = BTreeMap::new();
    for (key, why) in self::ailing(verdicts, observation, Kind::Node) {
        let group = observation.present(&key).and_then(group_of);
        if let Some(group) = group {
            by_group.entry(group.to_owned()).or_default().insert((key, why));
        }
    }
    for (group, ailing) in by_group {
        let allowed = usize::try_from(desired.rolling(&group).max_unavailable).unwrap_or(usize::MAX);
        let Some((first, why)) = ailing.first().filter(|_| ailing.len() >= allowed) else {
            continue;
        };
        let reason = format!(
            "{first} is out of service, and {allowed} of group `{group}` may be at a time; nothing of this plan mends \
             it: {why}"
        );
        block(verdicts, observation, Kind::Node, &reason, |existing| {
            group_of(existing) == Some(&group)
        });
    }
}

/// Those of `kind` that do not do their work, on machines where nothing is done, each with why.
fn ailing(verdicts: &Verdicts, observation: &Observation, kind: Kind) -> Vec<(ResourceKey, String)> {
    let is_mended = |machine: &str| {
        let on_machine = |key: &ResourceKey| match key.kind() {
            Kind::Machine => key.name() == machine,
            _ => key.host() == Some(machine),
        };
        let mut own = verdicts.iter().filter(|(key, _)| on_machine(key));
        own.any(|(_, verdict)| {
            !matches!(
                verdict,
                Verdict::Keep | Verdict::GoesAlong | Verdict::Blocked { .. }
            )
        })
    };
    let unwell = observation
        .owned_of(kind)
        .filter_map(|(key, existing)| match &existing.health {
            Health::Unhealthy(why) | Health::Lost(why) => Some((key.clone(), why.clone())),
            Health::Healthy | Health::Impaired(_) | Health::Stalled(_) => None,
        });
    unwell
        .filter(|(key, _)| key.host().is_some_and(|machine| !is_mended(machine)))
        .collect()
}

fn group_of(existing: &Existing) -> Option<&str> {
    match &existing.resource {
        Resource::Node(node) => Some(&node.group),
        _ => None,
    }
}

/// Blocks what would restart those of `kind` that do their work and are `concerned`.
fn block(
    verdicts: &mut Verdicts,
    observation: &Observation,
    kind: Kind,
    reason: &str,
    concerned: impl Fn(&Existing) -> bool,
) {
    let serving: BTreeSet<&str> = observation
        .owned_of(kind)
        .filter(|(_, existing)| existing.health.serves() && concerned(existing))
        .filter_map(|(key, _)| key.host())
        .collect();
    let help = "mend it, or put right in the spec what it was given last, and run the command again";
    for (key, verdict) in verdicts.iter_mut() {
        let restarts = matches!(key.kind(), Kind::NodeBundle | Kind::ControlPlane)
            && key.host().is_some_and(|machine| serving.contains(machine))
            && matches!(&*verdict, Verdict::Update { differences, .. }
                if differences.iter().any(|difference| difference.effect >= Effect::Restart));
        if restarts {
            *verdict = Verdict::blocked(reason, help);
        }
    }
}
