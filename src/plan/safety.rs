//! Who may be taken down now.
//!
//! A plan says in which order things are taken down; whether one may be taken down *now* depends on how the others
//! are doing. The executor asks here before every disruptive step, with an observation made for the purpose, and
//! cannot go on without the permit.
//!
//! What cannot be seen counts as there and out of service: a machine that does not answer is no reason to believe that
//! there are fewer members or control planes. So that it is seen at all, the observation has to ask for each of
//! [`Plan::decisive`] by its name.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::{EtcdMember, MemberPhase};
use keelson_provider_api::{
    Action, Change, Disruption, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};

use super::etcd::quorum;
use super::graph::Plan;

/// The right to carry out one disruptive change. Only [`permit`] gives one, and carrying the change out uses it up.
#[derive(Debug)]
pub struct QuorumPermit {
    key: ResourceKey,
}

impl QuorumPermit {
    /// The resource that may be taken down.
    pub fn key(&self) -> &ResourceKey {
        &self.key
    }
}

/// Why a change may not be carried out now: a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The kinds whose health decides about permits; the observation must have looked at them.
pub const DECISIVE_KINDS: &[Kind] = &[Kind::EtcdMember, Kind::ControlPlane, Kind::Node];

/// What decides about the permits of a plan made from these: what is known to be this cluster's, and what may be.
pub(super) fn decisive<'a>(
    wanted: impl Iterator<Item = &'a ResourceKey>,
    observation: &'a Observation,
) -> BTreeSet<ResourceKey> {
    let counts = |key: &&ResourceKey| match observation.get(key) {
        Observed::Present(existing) => existing.owner == Owner::ThisCluster,
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    };
    wanted
        .chain(observation.entries().map(|(key, _)| key))
        .filter(|key| DECISIVE_KINDS.contains(&key.kind()))
        .filter(counts)
        .cloned()
        .collect()
}

/// Gives the right to carry out `change` of `plan`, if what `observation` shows allows it.
///
/// # Errors
/// [`Refusal`] when etcd would lose its quorum, the last API server would go while others could take over, too many
/// nodes of a group would be out of service, or the health of the others could not be seen.
pub fn permit(plan: &Plan, change: &Change, observation: &Observation) -> Result<QuorumPermit, Refusal> {
    let granted = QuorumPermit {
        key: change.key.clone(),
    };
    if plan.retires_cluster() || change.disruption == Disruption::None {
        return Ok(granted);
    }
    for &kind in DECISIVE_KINDS {
        if let Some((_, reason)) = observation.unknown_kinds().find(|(unknown, _)| *unknown == kind) {
            return Err(Refusal(format!("the health of each {kind} is unknown: {reason}")));
        }
    }
    let Some(machine) = change.machine() else {
        return Ok(granted);
    };
    check_etcd(change, machine, observation)?;
    check_control_planes(change, machine, observation)?;
    check_group(plan, change, machine, observation)?;
    Ok(granted)
}

fn removes(change: &Change) -> bool {
    matches!(change.action, Action::Delete { .. })
}

fn check_etcd(change: &Change, machine: &str, observation: &Observation) -> Result<(), Refusal> {
    // Leaving a machine happens in order: only the member's own removal, and what would take the member down with
    // it, concern etcd.
    let concerns_etcd = matches!(
        change.key.kind(),
        Kind::Machine | Kind::EtcdMember | Kind::NodeBundle
    );
    if !concerns_etcd {
        return Ok(());
    }
    let voters = voters(observation);
    let affected = voters
        .iter()
        .filter(|voter| voter.machine == machine && voter.service != Service::Out);
    for Voter { cluster, .. } in affected {
        let of_cluster = || voters.iter().filter(|voter| voter.cluster == *cluster);
        let total = of_cluster().count();
        let healthy = of_cluster().filter(|voter| voter.service == Service::In).count();
        let healthy_after = of_cluster()
            .filter(|voter| voter.service == Service::In && voter.machine != machine)
            .count();
        let total_after = if removes(change) { total - 1 } else { total };
        // An only member has no quorum to keep: it may restart, but its data may not be removed.
        let alone_and_stays = total == 1 && !removes(change);
        if !alone_and_stays && (total_after == 0 || healthy_after < quorum(total_after)) {
            return Err(Refusal(format!(
                "etcd cluster `{cluster}` would lose its quorum: {healthy} of {total} voting members answer"
            )));
        }
    }
    Ok(())
}

/// Whether something does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    In,
    Out,
    /// It cannot be seen: it may not be relied on, and may not be taken for out of service where it would be taken down.
    Unknown,
}

/// What was seen of `kind` and is this cluster's, or may be: its key, how it is, and what it is where that is known.
fn seen(
    observation: &Observation,
    kind: Kind,
) -> impl Iterator<Item = (&ResourceKey, Service, Option<&Resource>)> {
    let of_kind = observation.entries().filter(move |(key, _)| key.kind() == kind);
    of_kind.filter_map(|(key, observed)| match observed {
        Observed::Present(existing) if existing.owner == Owner::ThisCluster => {
            let service = if existing.health.is_healthy() {
                Service::In
            } else {
                Service::Out
            };
            Some((key, service, Some(&existing.resource)))
        }
        Observed::Unknown(_) => Some((key, Service::Unknown, None)),
        Observed::Present(_) | Observed::Absent => None,
    })
}

/// A member of etcd that votes, or that cannot be seen and may.
struct Voter<'a> {
    cluster: &'a str,
    machine: &'a str,
    service: Service,
}

fn voters(observation: &Observation) -> Vec<Voter<'_>> {
    let mut voters = Vec::new();
    for (key, service, resource) in seen(observation, Kind::EtcdMember) {
        let may_vote = match resource {
            Some(Resource::EtcdMember(member)) => member.phase == MemberPhase::Voter,
            _ => true,
        };
        if let (true, Some((cluster, machine))) = (may_vote, EtcdMember::parse_name(key.name())) {
            voters.push(Voter {
                cluster,
                machine,
                service,
            });
        }
    }
    voters
}

fn check_control_planes(change: &Change, machine: &str, observation: &Observation) -> Result<(), Refusal> {
    let control_planes = || seen(observation, Kind::ControlPlane);
    let takes_down =
        control_planes().any(|(key, service, _)| key.name() == machine && service != Service::Out);
    let is_alone = control_planes().all(|(key, ..)| key.name() == machine);
    let others_answer =
        control_planes().any(|(key, service, _)| key.name() != machine && service == Service::In);
    // Draining the node of a control plane leaves its API server running.
    let concerns_api = change.key.kind() != Kind::Node;
    if concerns_api && takes_down && !is_alone && !others_answer {
        return Err(Refusal("no other API server answers".to_owned()));
    }
    Ok(())
}

fn check_group(
    plan: &Plan,
    change: &Change,
    machine: &str,
    observation: &Observation,
) -> Result<(), Refusal> {
    // A node that leaves for good was taken out of the group's size by the spec.
    let comes_back = change.replacement || !removes(change);
    if !comes_back || change.disruption < Disruption::Drain {
        return Ok(());
    }
    let group_of = |resource: Option<&Resource>| match resource {
        Some(Resource::Node(node)) => Some(node.group.clone()),
        _ => None,
    };
    // What is out of service already is not taken down by changing it.
    let own = seen(observation, Kind::Node)
        .find(|(key, service, _)| key.name() == machine && *service == Service::In);
    let Some(group) = own.and_then(|(_, _, resource)| group_of(resource)) else {
        return Ok(());
    };
    // Of a node that cannot be seen the group is not known: it may be this one.
    let out_of_service = seen(observation, Kind::Node)
        .filter(|(key, service, resource)| {
            let may_be_of_group = group_of(*resource).is_none_or(|other| other == group);
            key.name() != machine && *service != Service::In && may_be_of_group
        })
        .count();
    let allowed = usize::try_from(plan.rolling(&group).max_unavailable).unwrap_or(usize::MAX);
    if out_of_service >= allowed {
        return Err(Refusal(format!(
            "{out_of_service} other nodes of group `{group}` are out of service; {allowed} may be at once"
        )));
    }
    Ok(())
}
