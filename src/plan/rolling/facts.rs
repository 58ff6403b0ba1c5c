//! What is known of a machine and of what happens to it.

use keelson_provider_api::values::Version;
use keelson_provider_api::{Health, Kind, Observation, Resource, ResourceKey};

use crate::plan::draft::Drafts;
use crate::plan::skew::{kubernetes_version, seen_version};

/// True when there are members on `machine`, and none of them runs.
pub(super) fn has_only_members_down(machine: &str, observation: &Observation) -> bool {
    let members = observation.owned_of(Kind::EtcdMember);
    let mut healths = members
        .filter(|(key, existing)| existing.resource.machine(key) == Some(machine))
        .map(|(_, existing)| &existing.health)
        .peekable();
    healths.peek().is_some() && healths.all(|health| matches!(health, Health::Unhealthy(_)))
}

/// True where a control plane or a node is on `machine`, and does not do its work.
pub(super) fn is_unwell(machine: &str, observation: &Observation) -> bool {
    [Kind::ControlPlane, Kind::Node].iter().any(|&kind| {
        let seen = observation.present(&ResourceKey::new(kind, machine));
        seen.is_some_and(|existing| matches!(existing.health, Health::Unhealthy(_)))
    })
}

pub(super) fn has_kubelet(drafts: &Drafts, builds: &[usize]) -> bool {
    let mut built = builds.iter().filter_map(|&index| drafts.get(index));
    built.any(|draft| kubernetes_version(draft.change.resource()).is_some())
}

/// True where Kubernetes on `machine` is older than what the drafts bring to others.
pub(super) fn is_older(drafts: &Drafts, machine: &str, observation: &Observation) -> bool {
    let own = seen_version(observation, &ResourceKey::new(Kind::NodeBundle, machine));
    let mut brought = drafts
        .iter()
        .filter(|(_, draft)| !draft.change.is_removal())
        .filter_map(|(_, draft)| kubernetes_version(draft.change.resource()));
    own.is_some_and(|own| brought.any(|brought| brought > own))
}

/// True where API servers are taken down and made anew: those that join take their place meanwhile.
pub(super) fn replaces_api_servers(drafts: &Drafts) -> bool {
    let mut changes = drafts.iter().map(|(_, draft)| &draft.change);
    changes.any(|change| change.key.kind() == Kind::ControlPlane && change.is_removal() && change.replacement)
}

/// True where a member of etcd or an API server is on `machine` and stays, or comes.
pub(super) fn keeps_part(drafts: &Drafts, machine: &str, observation: &Observation) -> bool {
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
pub(super) fn is_newer(drafts: &Drafts, builds: &[usize], observation: &Observation) -> bool {
    let built = builds.iter().filter_map(|&index| drafts.get(index));
    let newest = built
        .filter_map(|draft| kubernetes_version(draft.change.resource()))
        .max();
    let mut api_servers = observation
        .owned_of(Kind::ControlPlane)
        .filter_map(|(key, _)| seen_version(observation, &ResourceKey::new(Kind::NodeBundle, key.name())));
    newest.is_some_and(|newest| api_servers.any(|seen| seen < newest))
}

/// The version that a machine which serves now is brought to, in place or by being made anew. What it gets for the first time,
/// or has to have no longer, is no upgrade.
pub(super) fn upgrades_to(drafts: &Drafts, steps: &[usize], observation: &Observation) -> Option<Version> {
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

pub(super) fn has_member(machine: &str, observation: &Observation) -> bool {
    observation
        .owned_of(Kind::EtcdMember)
        .any(|(key, existing)| existing.resource.machine(key) == Some(machine))
}

pub(super) fn group_of(drafts: &Drafts, machine: &str, steps: &[usize], observation: &Observation) -> String {
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

/// The bundle that is put in force by one of `builds`.
pub(super) fn bundle_among(drafts: &Drafts, builds: &[usize]) -> Option<usize> {
    let is_bundle = |index: usize| {
        drafts
            .get(index)
            .is_some_and(|draft| draft.change.key.kind() == Kind::NodeBundle)
    };
    builds.iter().copied().find(|&index| is_bundle(index))
}
