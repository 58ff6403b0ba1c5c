//! What happens to one machine, as far as others have to wait for it.

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::values::Version;
use keelson_provider_api::{Action, Change, Disruption, Health, Kind, Observation, Resource, ResourceKey};

use crate::plan::api_servers::removal_for_good;
use crate::plan::draft::Drafts;
use crate::plan::etcd;
use crate::plan::skew::{kubernetes_version, seen_version};

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
    Repair,
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
    let starts = those(&is_start);
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
    let mends = !those(&|change| decisive(change) && is_unhealthy(change)).is_empty()
        && those(&|change| decisive(change) && change.is_removal() && !is_unhealthy(change)).is_empty();
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
    let is_newer = is_newer(drafts, &builds, observation);
    let built_bundle = || {
        let is_bundle = |&index: &usize| {
            drafts
                .get(index)
                .is_some_and(|draft| draft.change.key.kind() == Kind::NodeBundle)
        };
        builds.iter().copied().find(is_bundle)
    };
    let newer_bundle = built_bundle().filter(|_| upgrades_to.is_some() || (serves_api && is_newer));
    let (purpose, gates) = match (disruptive.is_empty(), builds.is_empty()) {
        _ if mends && !member_removals.is_empty() => (Purpose::Repair, member_removals),
        _ if mends => (Purpose::Repair, Vec::new()),
        (true, _) if !joins.is_empty() => (Purpose::Join, joins),
        (true, _) if !starts.is_empty() => (Purpose::Repair, Vec::new()),
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
                Purpose::Join if comes_new && is_newer && !replaces_api_servers(drafts) => Stage::NewerJoin,
                Purpose::Join => Stage::Join,
                Purpose::Turn if (gives_up_member || loses_api) && !brings_member => Stage::GivingUp,
                Purpose::Turn => Stage::Turn,
                Purpose::Departure => Stage::Departure,
            },
            has_no_member: !has_member,
            is_up: !is_down,
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

/// True for a change that only starts a member which is stopped.
fn is_start(change: &Change) -> bool {
    change.key.kind() == Kind::EtcdMember
        && matches!(&change.action, Action::Update { differences, .. } if etcd::only_starts(differences))
}

/// True when there are members on `machine`, and none of them runs.
fn has_only_members_down(machine: &str, observation: &Observation) -> bool {
    let members = observation.owned_of(Kind::EtcdMember);
    let mut healths = members
        .filter(|(key, existing)| existing.resource.machine(key) == Some(machine))
        .map(|(_, existing)| &existing.health)
        .peekable();
    healths.peek().is_some() && healths.all(|health| matches!(health, Health::Unhealthy(_)))
}

fn joins(change: &Change) -> bool {
    match (&change.action, change.resource()) {
        _ if is_start(change) => false,
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
    change.key.kind() == Kind::EtcdMember
        && change.is_removal()
        && !change.replacement
        && !is_unhealthy(change)
}

fn has_kubelet(drafts: &Drafts, builds: &[usize]) -> bool {
    let mut built = builds.iter().filter_map(|&index| drafts.get(index));
    built.any(|draft| kubernetes_version(draft.change.resource()).is_some())
}

/// True where Kubernetes on `machine` is older than what the drafts bring to others.
fn is_older(drafts: &Drafts, machine: &str, observation: &Observation) -> bool {
    let own = seen_version(observation, &ResourceKey::new(Kind::NodeBundle, machine));
    let mut brought = drafts
        .iter()
        .filter(|(_, draft)| !draft.change.is_removal())
        .filter_map(|(_, draft)| kubernetes_version(draft.change.resource()));
    own.is_some_and(|own| brought.any(|brought| brought > own))
}

/// True where API servers are taken down and made anew: those that join take their place meanwhile.
fn replaces_api_servers(drafts: &Drafts) -> bool {
    let mut changes = drafts.iter().map(|(_, draft)| &draft.change);
    changes.any(|change| change.key.kind() == Kind::ControlPlane && change.is_removal() && change.replacement)
}

/// True where a member of etcd or an API server is on `machine` and stays, or comes.
fn keeps_part(drafts: &Drafts, machine: &str, observation: &Observation) -> bool {
    let comes = |key: &ResourceKey| drafts.build_of(key).is_some();
    let stays = |key: &ResourceKey| observation.present(key).is_some() && drafts.removal_of(key).is_none();
    let control_plane = ResourceKey::new(Kind::ControlPlane, machine);
    let members = observation.owned_of(Kind::EtcdMember);
    let mut on_it = members.filter(|(key, _)| key.host() == Some(machine));
    let comes_member = drafts.iter().any(|(_, draft)| {
        draft.change.key.kind() == Kind::EtcdMember
            && !draft.change.is_removal()
            && draft.change.machine() == Some(machine)
    });
    comes_member
        || stays(&control_plane)
        || comes(&control_plane)
        || on_it.any(|(key, _)| stays(key) || comes(key))
}

/// True where Kubernetes in `builds` is newer than an API server that is there.
fn is_newer(drafts: &Drafts, builds: &[usize], observation: &Observation) -> bool {
    let built = builds.iter().filter_map(|&index| drafts.get(index));
    let newest = built
        .filter_map(|draft| kubernetes_version(draft.change.resource()))
        .max();
    let mut api_servers = observation
        .owned_of(Kind::ControlPlane)
        .filter_map(|(key, _)| seen_version(observation, &ResourceKey::new(Kind::NodeBundle, key.name())));
    newest.is_some_and(|newest| api_servers.any(|seen| seen < newest))
}

fn is_unhealthy(change: &Change) -> bool {
    matches!(&change.action, Action::Delete { existing } if !existing.health.is_healthy())
}

/// The version that a machine which serves now is brought to, in place or by being made anew. What it gets for the first time,
/// or has to have no longer, is no upgrade.
fn upgrades_to(drafts: &Drafts, steps: &[usize], observation: &Observation) -> Option<Version> {
    let bundle = |resource: &Resource| match resource {
        Resource::NodeBundle(bundle) => Some((bundle.kubernetes_version, bundle.etcd_version)),
        _ => None,
    };
    let mut changes = steps.iter().filter_map(|&index| Some(&drafts.get(index)?.change));
    let built = changes.find(|change| !change.is_removal() && bundle(change.resource()).is_some())?;
    let (kubernetes, etcd) = bundle(built.resource())?;
    let (old_kubernetes, old_etcd) = bundle(&observation.present(&built.key)?.resource)?;
    let moved =
        |old: Option<Version>, new: Option<Version>| new.filter(|&new| old.is_some_and(|old| old != new));
    moved(old_kubernetes, kubernetes).or(moved(old_etcd, etcd))
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
