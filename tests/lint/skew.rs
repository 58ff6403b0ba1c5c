//! No kubelet moves on before API servers that are older.

use std::collections::{BTreeMap, BTreeSet};

use keelson::plan::Plan;
use keelson_provider_api::values::Version;
use keelson_provider_api::{Change, Kind, Observation, Resource, ResourceKey};

fn version(resource: &Resource) -> Option<Version> {
    match resource {
        Resource::NodeBundle(bundle) => bundle.kubernetes_version,
        Resource::NodeGroup(group) => Some(group.kubernetes_version),
        _ => None,
    }
}

/// The API servers that work, with their versions, by machine.
fn api_servers(observation: &Observation) -> BTreeMap<&str, Version> {
    let working = observation
        .owned_of(Kind::ControlPlane)
        .filter(|(_, existing)| existing.health.is_healthy());
    working
        .filter_map(|(key, _)| {
            let bundle = observation.present(&ResourceKey::new(Kind::NodeBundle, key.name()))?;
            Some((key.name(), version(&bundle.resource)?))
        })
        .collect()
}

/// The machine whose API server moves on, or goes for good, by `change`.
fn ends(change: &Change) -> Option<&str> {
    let is_for_good = || change.is_removal() && !change.replacement;
    match change.key.kind() {
        Kind::NodeBundle if !change.is_removal() => Some(change.key.name()),
        Kind::ControlPlane if is_for_good() => Some(change.key.name()),
        _ => None,
    }
}

/// True where `machine` has an API server when `plan` is done.
fn serves_in_the_end(plan: &Plan, observation: &Observation, machine: &str) -> bool {
    let key = ResourceKey::new(Kind::ControlPlane, machine);
    let steps = || {
        plan.steps()
            .iter()
            .map(keelson::plan::Step::change)
            .filter(|change| change.key == key)
    };
    let comes = steps().any(|change| !change.is_removal());
    let goes = steps().any(Change::is_removal);
    comes || (observation.present(&key).is_some() && !goes)
}

/// Complains of each step that brings a kubelet which is newer than an API server that is not seen to before.
pub(super) fn findings_of_skew(
    plan: &Plan,
    observation: &Observation,
    complain: &mut impl FnMut(usize, String),
) {
    let api_servers = api_servers(observation);
    let mut ended_before: Vec<BTreeSet<&str>> = Vec::with_capacity(plan.steps().len());
    for (index, step) in plan.steps().iter().enumerate() {
        let change = step.change();
        let mut ended: BTreeSet<&str> = BTreeSet::new();
        for &earlier in step.after() {
            ended.extend(&ended_before[earlier]);
        }
        let machine = change.key.name();
        if matches!(change.key.kind(), Kind::NodeBundle | Kind::NodeGroup)
            && !change.is_removal()
            && let Some(wanted) = version(change.resource())
            && !serves_in_the_end(plan, observation, machine)
            && observation
                .present(&change.key)
                .and_then(|seen| version(&seen.resource))
                != Some(wanted)
        {
            for (older, seen) in api_servers.iter().filter(|(_, seen)| **seen < wanted) {
                if !ended.contains(older) {
                    complain(
                        index,
                        format!(
                            "brings a kubelet {wanted}, and the API server {seen} of {older} may still be there"
                        ),
                    );
                }
            }
        }
        ended.extend(ends(change));
        ended_before.push(ended);
    }
}
