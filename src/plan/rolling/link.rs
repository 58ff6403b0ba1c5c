//! What happens to one machine, as far as others have to wait for it.

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::values::Version;
use keelson_provider_api::{Action, Change, Disruption, Kind, Observation, Resource, ResourceKey};

use super::facts::{
    bundle_among, group_of, has_kubelet, has_member, has_only_members_down, is_newer, is_older, is_unwell,
    keeps_part, replaces_api_servers, upgrades_to,
};
use crate::plan::api_servers::removal_for_good;
use crate::plan::draft::Drafts;
use crate::plan::etcd;

/// Why a machine has a link in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Repair,
    Join,
    Turn,
    Departure,
}

/// The parts of the chain, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// What is down comes first: it may be what brings the quorum back that others need.
    Repair,
    /// A join goes on that was interrupted: etcd takes no other learner before this one votes.
    Resume,
    Join,
    Turn,
    /// A kubelet joins that is newer than the API servers were, which move on in place.
    NewerJoin,
    /// A member or an API server leaves a machine that stays and gets no member, when its fellows have joined.
    GivingUp,
    Departure,
}

/// Where a link stands in the chain, the first field first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    stage: Stage,
    /// Control planes may wait for members of a dedicated etcd, never the other way round.
    has_no_member: bool,
    is_up: bool,
}

/// What happens to one machine, as far as others have to wait for it.
pub(super) struct Link {
    pub purpose: Purpose,
    /// Its place among others in the chain.
    pub rank: Rank,
    pub group: String,
    /// True for an etcd member or a control plane.
    pub serves_quorum: bool,
    /// True for a machine that stays and whose members are all down: it may be what brings a quorum back.
    pub is_down: bool,
    /// The version that it is brought to, where a turn changes it.
    pub upgrades_to: Option<Version>,
    /// The bundle by which it gets another version than it has, or a newer Kubernetes than is there.
    pub newer_bundle: Option<usize>,
    /// True where an API server moves on, or one leaves that is older than what comes: nothing newer than it comes before.
    pub ends_older_api: bool,
    /// These begin only when the link before is finished.
    pub gates: Vec<usize>,
    /// When these are done, the link is finished.
    pub exits: Vec<usize>,
    /// Those of them that do not wait for a quorum.
    pub exits_without_quorum: Vec<usize>,
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
    let member_removals = those(&|change| change.key.kind() == Kind::EtcdMember && change.is_removal());
    let disruptive = those(&|change| change.disruption != Disruption::None);
    let builds = those(&|change| !change.is_removal());
    let has_member = has_member(machine, observation) || !joins.is_empty() || !member_removals.is_empty();
    let serves_api = observation
        .present(&ResourceKey::new(Kind::ControlPlane, machine))
        .is_some()
        || !those(&|change| change.key.kind() == Kind::ControlPlane).is_empty();
    // What is removed because it is dead takes nothing down; it makes room for what others wait for: etcd lets nobody join
    // while a voter is missing. Of a member it is its own health that counts: a dead machine's Node looks Ready for a while.
    let decisive = |change: &Change| member_removals.is_empty() || change.key.kind() == Kind::EtcdMember;
    let mends = !those(&|change| decisive(change) && is_down(change)).is_empty()
        && those(&|change| decisive(change) && change.is_removal() && !is_down(change)).is_empty();
    let comes_new = builds.len() == steps.len() && !those(&|change| is_create(change)).is_empty();
    let is_down = member_removals.is_empty() && has_only_members_down(machine, observation);
    let upgrades_to = upgrades_to(drafts, steps, observation);
    let gives_up_member = !those(&|change| is_given_up(change)).is_empty();
    let loses_api = removal_for_good(machine, drafts).is_some();
    let is_left = (loses_api || gives_up_member) && !keeps_part(drafts, machine, observation);
    let waited_for = if is_left && has_kubelet(drafts, &builds) {
        // Its kubelet comes after the last API server that is older, and that one may come after this link.
        those(&Change::is_removal)
    } else {
        steps.to_vec()
    };
    let brings_member = !joins.is_empty();
    let resumes_join = !those(&|change| self::joins(change) && !is_create(change)).is_empty();
    let is_newer = is_newer(drafts, &builds, observation);
    let newer_bundle =
        bundle_among(drafts, &builds).filter(|_| upgrades_to.is_some() || (serves_api && is_newer));
    let (purpose, gates) = match (disruptive.is_empty(), builds.is_empty()) {
        _ if mends && !member_removals.is_empty() => (Purpose::Repair, member_removals),
        _ if mends => (Purpose::Repair, Vec::new()),
        (true, _) if !joins.is_empty() => (Purpose::Join, joins),
        (true, _) if !those(&etcd::starts).is_empty() => (Purpose::Repair, Vec::new()),
        (true, _) if comes_new && serves_api => (Purpose::Join, newer_bundle.into_iter().collect()),
        (true, _) => return None,
        // What is down takes nothing down, and others may need it.
        (false, false) if is_down && upgrades_to.is_none() => (Purpose::Repair, disruptive),
        (false, false) => (Purpose::Turn, [disruptive, joins].concat()),
        (false, true) => (Purpose::Departure, disruptive),
    };
    Some(Link {
        purpose,
        rank: Rank {
            stage: match purpose {
                Purpose::Repair => Stage::Repair,
                Purpose::Turn if is_down => Stage::Repair,
                _ if resumes_join => Stage::Resume,
                Purpose::Join if comes_new && is_newer && !replaces_api_servers(drafts) => Stage::NewerJoin,
                Purpose::Join => Stage::Join,
                Purpose::Turn if (gives_up_member || loses_api) && !brings_member => Stage::GivingUp,
                Purpose::Turn => Stage::Turn,
                Purpose::Departure => Stage::Departure,
            },
            has_no_member: !has_member,
            is_up: !is_down && !is_unwell(machine, observation),
        },
        group: group_of(drafts, machine, steps, observation),
        serves_quorum: has_member || serves_api,
        is_down,
        upgrades_to: upgrades_to.filter(|_| purpose == Purpose::Turn),
        newer_bundle,
        ends_older_api: (purpose == Purpose::Turn && upgrades_to.is_some())
            || (loses_api && is_older(drafts, machine, observation)),
        gates,
        exits: exits(drafts, &waited_for),
        exits_without_quorum: settled(drafts, &waited_for),
    })
}

/// The steps that others wait for. A member of a cluster that has never formed waits for its fellows, and what stands
/// on it waits with it: whoever waited for those here would wait for ever.
fn exits(drafts: &Drafts, steps: &[usize]) -> Vec<usize> {
    let change = |index: &usize| drafts.get(*index).map(|draft| &draft.change);
    let founds = steps.iter().filter_map(change).any(|change| {
        !change.is_removal()
            && matches!(change.resource(), Resource::EtcdMember(member) if member.start == MemberStart::Initial)
    });
    if founds {
        settled(drafts, steps)
    } else {
        steps.to_vec()
    }
}

/// The steps that wait for no member that is not there yet.
fn settled(drafts: &Drafts, steps: &[usize]) -> Vec<usize> {
    let is_settled =
        |change: &Change| change.is_removal() || change.key.kind() < Kind::EtcdMember || joins(change);
    let steps = steps.iter().copied();
    steps
        .filter(|&index| drafts.get(index).is_some_and(|draft| is_settled(&draft.change)))
        .collect()
}

fn joins(change: &Change) -> bool {
    match (&change.action, change.resource()) {
        _ if etcd::starts(change) => false,
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

/// True for the removal of a member that serves, and that no other of its name follows.
fn is_given_up(change: &Change) -> bool {
    change.key.kind() == Kind::EtcdMember && change.is_removal() && !change.replacement && !is_down(change)
}

fn is_down(change: &Change) -> bool {
    matches!(&change.action, Action::Delete { existing } if !existing.health.serves())
}
