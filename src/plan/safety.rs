//! Who may be taken down now.
//!
//! A plan says in which order things are taken down; whether one may be taken down *now* depends on how the others
//! are doing. The executor asks here before every disruptive step, with an observation made for the purpose, and
//! cannot go on without the permit.

use keelson_provider_api::kinds::MemberPhase;
use keelson_provider_api::{Action, Change, Disruption, Existing, Kind, Observation, Resource, ResourceKey};

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
pub const DECISIVE_KINDS: &[Kind] = &[Kind::EtcdMember, Kind::ControlPlane, Kind::Machine, Kind::Node];

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
    let voters: Vec<(&str, &str, bool)> = observation
        .owned_of(Kind::EtcdMember)
        .filter_map(|(_, existing)| match &existing.resource {
            Resource::EtcdMember(member) if member.phase == MemberPhase::Voter => Some((
                member.cluster.as_str(),
                member.machine.as_str(),
                existing.health.is_healthy(),
            )),
            _ => None,
        })
        .collect();
    let affected = voters
        .iter()
        .filter(|(_, host, healthy)| *host == machine && *healthy);
    for (cluster, ..) in affected {
        let of_cluster = || voters.iter().filter(|(name, ..)| name == cluster);
        let (total, healthy) = (
            of_cluster().count(),
            of_cluster().filter(|(.., healthy)| *healthy).count(),
        );
        let (total_after, healthy_after) = if removes(change) {
            (total.saturating_sub(1), healthy - 1)
        } else {
            (total, healthy - 1)
        };
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

fn check_control_planes(change: &Change, machine: &str, observation: &Observation) -> Result<(), Refusal> {
    let control_planes: Vec<(&ResourceKey, &Existing)> = observation.owned_of(Kind::ControlPlane).collect();
    let takes_down = control_planes
        .iter()
        .any(|(key, existing)| key.name() == machine && existing.health.is_healthy());
    let others_answer = control_planes
        .iter()
        .filter(|(key, existing)| key.name() != machine && existing.health.is_healthy())
        .count();
    // Draining the node of a control plane leaves its API server running.
    let concerns_api = change.key.kind() != Kind::Node;
    if concerns_api && takes_down && control_planes.len() > 1 && others_answer == 0 {
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
    let node_of = |name: &str| observation.present(&ResourceKey::new(Kind::Node, name));
    let group_of = |existing: &Existing| match &existing.resource {
        Resource::Node(node) => Some(node.group.clone()),
        _ => None,
    };
    // What is out of service already is not taken down by changing it.
    let Some(node) = node_of(machine).filter(|node| node.health.is_healthy()) else {
        return Ok(());
    };
    let Some(group) = group_of(node) else {
        return Ok(());
    };
    let out_of_service = observation
        .owned_of(Kind::Node)
        .filter(|(key, existing)| key.name() != machine && group_of(existing).as_deref() == Some(&group))
        .filter(|(_, existing)| !existing.health.is_healthy())
        .count();
    let allowed = usize::try_from(plan.rolling(&group).max_unavailable).unwrap_or(usize::MAX);
    if out_of_service >= allowed {
        return Err(Refusal(format!(
            "{out_of_service} other nodes of group `{group}` are out of service; {allowed} may be at once"
        )));
    }
    Ok(())
}
