//! What happens to one machine, as far as others have to wait for it.

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::values::Version;
use keelson_provider_api::{Action, Change, Disruption, Kind, Observation, Resource, ResourceKey};

use crate::plan::draft::Drafts;
use crate::plan::skew::changes_version;

/// Why a machine has a link in the chain; links stand in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    Repair,
    Join,
    Turn,
    Departure,
}

/// What happens to one machine, as far as others have to wait for it.
pub(super) struct Link {
    pub purpose: Purpose,
    pub group: String,
    /// True for an etcd member or a control plane.
    pub serves_quorum: bool,
    /// True for a machine that has, or had, an etcd member.
    pub has_member: bool,
    /// The version that it is brought to, where a turn changes it.
    pub upgrades_to: Option<Version>,
    /// These begin only when the link before is finished.
    pub gates: Vec<usize>,
    /// When these are done, the link is finished.
    pub exits: Vec<usize>,
}

/// The link that a machine's steps make, or `None` when nobody has to wait for them.
pub(super) fn link(
    drafts: &Drafts,
    machine: &str,
    steps: &[usize],
    observation: &Observation,
) -> Option<Link> {
    let those = |wanted: &dyn Fn(&Change) -> bool| -> Vec<usize> {
        let fits = |index: &&usize| drafts.get(**index).is_some_and(|draft| wanted(&draft.change));
        steps.iter().filter(fits).copied().collect()
    };
    let joins = those(&joins);
    let member_removals = those(&|change| change.key.kind() == Kind::EtcdMember && is_delete(change));
    let disruptive = those(&|change| change.disruption != Disruption::None);
    let builds = those(&|change| !is_delete(change));
    let has_member = has_member(machine, observation) || !joins.is_empty() || !member_removals.is_empty();
    let serves_api = observation
        .present(&ResourceKey::new(Kind::ControlPlane, machine))
        .is_some()
        || !those(&|change| change.key.kind() == Kind::ControlPlane).is_empty();
    // What is removed because it is dead takes nothing down; it makes room for what others wait for: etcd lets nobody join
    // while a voter is missing. Of a member it is its own health that counts: a dead machine's Node looks Ready for a while.
    let decisive = |change: &Change| member_removals.is_empty() || change.key.kind() == Kind::EtcdMember;
    let mends = !those(&|change| decisive(change) && is_unhealthy(change)).is_empty()
        && those(&|change| decisive(change) && is_delete(change) && !is_unhealthy(change)).is_empty();
    let comes_new = builds.len() == steps.len() && !those(&|change| is_create(change)).is_empty();
    let (purpose, gates) = match (disruptive.is_empty(), builds.is_empty()) {
        _ if mends && !member_removals.is_empty() => (Purpose::Repair, member_removals),
        _ if mends => (Purpose::Repair, Vec::new()),
        (true, _) if !joins.is_empty() => (Purpose::Join, joins),
        (true, _) if comes_new && serves_api => (Purpose::Join, Vec::new()),
        (true, _) => return None,
        (false, false) => (Purpose::Turn, disruptive),
        (false, true) => (Purpose::Departure, disruptive),
    };
    Some(Link {
        purpose,
        group: group_of(drafts, machine, steps, observation),
        serves_quorum: has_member || serves_api,
        has_member,
        upgrades_to: if purpose == Purpose::Turn {
            upgrades_to(drafts, steps)
        } else {
            None
        },
        gates,
        exits: exits(drafts, steps),
    })
}

/// The steps that others wait for. A member of a cluster that has never formed waits for its fellows, and what stands
/// on it waits with it: whoever waited for those here would wait for ever.
fn exits(drafts: &Drafts, steps: &[usize]) -> Vec<usize> {
    let change = |index: &usize| drafts.get(*index).map(|draft| &draft.change);
    let founds = steps.iter().filter_map(change).any(|change| {
        !is_delete(change)
            && matches!(change.resource(), Resource::EtcdMember(member) if member.start == MemberStart::Initial)
    });
    let settled = |index: &&usize| {
        change(index)
            .is_some_and(|change| is_delete(change) || change.key.kind() < Kind::EtcdMember || joins(change))
    };
    if founds {
        steps.iter().filter(settled).copied().collect()
    } else {
        steps.to_vec()
    }
}

fn joins(change: &Change) -> bool {
    match (&change.action, change.resource()) {
        // An update is of a learner that is to vote: a join that was interrupted.
        (Action::Create { .. } | Action::Update { .. }, Resource::EtcdMember(member)) => {
            member.start == MemberStart::Join
        }
        _ => false,
    }
}

fn is_create(change: &Change) -> bool {
    matches!(change.action, Action::Create { .. })
}

fn is_delete(change: &Change) -> bool {
    matches!(change.action, Action::Delete { .. })
}

fn is_unhealthy(change: &Change) -> bool {
    matches!(&change.action, Action::Delete { existing } if !existing.health.is_healthy())
}

/// The version that a machine which serves now is brought to, in place or by being made anew.
fn upgrades_to(drafts: &Drafts, steps: &[usize]) -> Option<Version> {
    let changes = || {
        steps
            .iter()
            .filter_map(|&index| drafts.get(index))
            .map(|draft| &draft.change)
    };
    let bundle = |change: &Change| match change.resource() {
        Resource::NodeBundle(bundle) => Some((bundle.kubernetes_version, bundle.etcd_version)),
        _ => None,
    };
    let built = changes().find(|change| !is_delete(change) && bundle(change).is_some())?;
    let wanted = bundle(built)?;
    let is_upgrade = match &built.action {
        Action::Update { differences, .. } => changes_version(differences),
        _ => changes()
            .filter(|change| is_delete(change))
            .filter_map(bundle)
            .any(|removed| removed != wanted),
    };
    if is_upgrade { wanted.0.or(wanted.1) } else { None }
}

fn has_member(machine: &str, observation: &Observation) -> bool {
    observation
        .owned_of(Kind::EtcdMember)
        .any(|(key, existing)| existing.resource.machine(key) == Some(machine))
}

fn group_of(drafts: &Drafts, machine: &str, steps: &[usize], observation: &Observation) -> String {
    let group = |resource: &Resource| match resource {
        Resource::Machine(machine) => Some(machine.group.clone()),
        Resource::Node(node) => Some(node.group.clone()),
        _ => None,
    };
    let from_steps = steps
        .iter()
        .filter_map(|&index| drafts.get(index))
        .find_map(|draft| group(draft.change.resource()));
    let seen = || {
        observation
            .present(&ResourceKey::new(Kind::Machine, machine))
            .and_then(|seen| group(&seen.resource))
    };
    from_steps.or_else(seen).unwrap_or_default()
}
