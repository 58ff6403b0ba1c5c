//! What the planner is told of the address.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::VirtualAddress;
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::judge::{Verdict, holder, judge};
use super::{KIND, Seen, look_at_all};
use crate::control_plane::mark::Mark;
use crate::hosts::Hosts;

/// Looks at the address as a whole.
pub(in crate::control_plane) async fn observe(
    hosts: &Hosts,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> KindObservation {
    let mut observation = KindObservation::default();
    let seen = look_at_all(hosts).await;
    if let Some((key, observed)) = observed(&seen, cluster, wanted) {
        observation.found.insert(key, observed);
    }
    observation
}

pub(super) fn observed(
    seen: &Seen,
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<ResourceKey>,
) -> Option<(ResourceKey, Observed<Existing>)> {
    let readable = || {
        seen.iter()
            .filter_map(|(machine, look)| Some((machine, look.as_ref().ok()?.mark.as_ref()?.as_ref().ok()?)))
    };
    let ours: BTreeMap<&String, &Mark<VirtualAddress>> = readable()
        .filter(|(_, mark)| mark.owner(cluster) == Owner::ThisCluster)
        .collect();
    let newest = ours
        .values()
        .max_by_key(|mark| (mark.answered_at.is_some(), mark.created_at));
    let Some(newest) = newest else {
        let key = wanted.first()?.clone();
        // One of the machines that do not answer may have it.
        let unseen = seen.iter().find_map(|(machine, look)| match look {
            Err(error) => Some(format!("{machine} does not answer: {error}")),
            Ok(look) => match &look.mark {
                Some(Err(problem)) => Some(format!(
                    "the mark on {machine}, /var/lib/keelson/{KIND}.json, is damaged: {problem}"
                )),
                _ => None,
            },
        });
        return unseen.map(|why| (key, Observed::Unknown(why)));
    };
    let key = ResourceKey::new(Kind::VirtualAddress, newest.name.as_str());
    if newest.answered_at.is_none() && wanted.contains(&key) {
        return None;
    }
    let is_gone = |machine: &str| !matches!(seen.get(machine), Some(Ok(_)));
    let has_it = |machine: &String| {
        is_gone(machine)
            || ours
                .get(machine)
                .is_some_and(|mark| mark.resource.address == newest.resource.address)
    };
    let mut machines = newest.resource.machines.clone();
    machines.retain(has_it);
    for machine in ours.keys() {
        if !machines.contains(machine) {
            machines.push((*machine).clone());
        }
    }
    let resource = VirtualAddress {
        address: newest.resource.address.clone(),
        machines,
    };
    let (health, holder) = match judge(seen, &newest.resource) {
        Verdict::Held(holder) => (Health::Healthy, Some(holder)),
        Verdict::Unwell(why) => (Health::Unhealthy(why), holder(seen)),
    };
    let existing = Existing {
        id: format!("{}:{}", newest.resource.address, newest.generation),
        resource: resource.into(),
        owner: Owner::ThisCluster,
        health,
        created_at: newest.created_at,
        generation: newest.generation,
        host_id: None,
        facts: holder
            .into_iter()
            .map(|holder| ("holder".to_owned(), holder))
            .collect(),
    };
    Some((key, Observed::Present(existing)))
}
