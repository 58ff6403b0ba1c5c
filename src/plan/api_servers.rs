//! No kubelet is newer than an API server, and API servers are at most one minor release apart.
//!
//! Source: the version skew policy of Kubernetes (<https://kubernetes.io/releases/version-skew-policy/>). The kubelet of a
//! control plane counts with the API server beside it. What keelson brings with Kubernetes, such as kube-proxy, is no newer
//! either.
//!
//! [`holding`](super::holding) asks here what has to wait for an API server that does not move on, and
//! [`rolling`](super::rolling) what comes after those that do.

use std::collections::BTreeMap;

use keelson_provider_api::kinds::Addon;
use keelson_provider_api::values::Version;
use keelson_provider_api::{
    Action, Change, Existing, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};

use super::desired::DesiredState;
use super::draft::Drafts;
use super::skew::{kubernetes_version, seen_version};

/// What becomes of an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// It is as new as it was.
    Stays,
    /// It gets the version that is wanted.
    Moves,
    /// It serves until it goes.
    Leaves,
}

impl Course {
    /// What the drafts that `is_done` picks do to the API server on `machine`.
    pub(super) fn of(machine: &str, drafts: &Drafts, is_done: impl Fn(usize) -> bool) -> Self {
        let bundle = ResourceKey::new(Kind::NodeBundle, machine);
        if removal_for_good(machine, drafts).is_some_and(&is_done) {
            Self::Leaves
        } else if drafts.build_of(&bundle).is_some_and(is_done) {
            Self::Moves
        } else {
            Self::Stays
        }
    }
}

/// The draft by which the API server on `machine` goes and does not come again.
pub(super) fn removal_for_good(machine: &str, drafts: &Drafts) -> Option<usize> {
    let control_plane = ResourceKey::new(Kind::ControlPlane, machine);
    drafts
        .removal_of(&control_plane)
        .filter(|_| drafts.build_of(&control_plane).is_none())
}

/// The version of a kubelet that `change` brings to a machine that is to have no API server of its own.
pub(super) fn lone_kubelet(change: &Change, desired: &DesiredState) -> Option<Version> {
    kubernetes_version(brought(change)?).filter(|_| !desired.serves_api(change.key.name()))
}

/// True for a change of what keelson brings into the cluster with a version of Kubernetes.
pub(super) fn changes_built_in_addon(change: &Change) -> bool {
    matches!(brought(change), Some(Resource::Addon(addon)) if addon.source == Addon::BUILT_IN)
        && matches!(change.action, Action::Update { .. })
}

fn brought(change: &Change) -> Option<&Resource> {
    match change.action {
        Action::Delete { .. } => None,
        Action::Create { .. } | Action::Update { .. } => Some(change.resource()),
    }
}

/// The API servers that are there, or may be.
pub(super) struct ApiServers<'a> {
    /// Their versions by machine; `None` where one cannot be seen.
    seen: BTreeMap<&'a str, Option<Version>>,
    /// The newest kubelet on a machine without one.
    newest_kubelet: Option<Version>,
    newest_wanted: Option<Version>,
    desired: &'a DesiredState,
    observation: &'a Observation,
}

impl<'a> ApiServers<'a> {
    /// What was seen of them.
    pub(super) fn of(desired: &'a DesiredState, observation: &'a Observation) -> Self {
        let may_serve = |observed: &Observed<Existing>| match observed {
            Observed::Present(existing) => existing.owner == Owner::ThisCluster,
            Observed::Unknown(_) => true,
            Observed::Absent => false,
        };
        let version = |machine: &str| seen_version(observation, &ResourceKey::new(Kind::NodeBundle, machine));
        let seen: BTreeMap<&str, Option<Version>> = observation
            .entries()
            .filter(|(key, observed)| key.kind() == Kind::ControlPlane && may_serve(observed))
            .map(|(key, _)| (key.name(), version(key.name())))
            .collect();
        let kubelets = [Kind::NodeBundle, Kind::NodeGroup].into_iter();
        let newest_kubelet = kubelets
            .flat_map(|kind| observation.owned_of(kind))
            .filter(|(key, _)| !seen.contains_key(key.name()))
            .filter_map(|(_, existing)| kubernetes_version(&existing.resource))
            .max();
        let wanted = desired.resources.values();
        Self {
            newest_kubelet,
            newest_wanted: wanted
                .filter_map(|wanted| kubernetes_version(&wanted.resource))
                .max(),
            seen,
            desired,
            observation,
        }
    }

    /// What bounds all others while the API servers take these courses.
    pub(super) fn floors(&self, course: impl Fn(&str) -> Course) -> Floors<'_> {
        let oldest = |counts: &dyn Fn(Course) -> bool, unseen: Option<Version>| {
            let machines = self.seen.iter().filter(|(machine, _)| counts(course(machine)));
            let floors = machines.map(|(&machine, seen)| Floor {
                machine,
                at_least: seen.or(unseen),
            });
            floors.min_by_key(|floor| floor.at_least)
        };
        Floors {
            // An older one that leaves is waited for within the plan.
            kubelets: oldest(&|course| course == Course::Stays, self.newest_kubelet),
            api_servers: oldest(&|course| course != Course::Moves, self.unseen_api_server()),
            all: self,
        }
    }

    /// The version that an API server which cannot be seen has at least: it is no older than any kubelet, and at most one
    /// minor release older than any other.
    fn unseen_api_server(&self) -> Option<Version> {
        let newest = self.seen.values().flatten().max();
        let before = newest.map(|newest| Version {
            minor: newest.minor.saturating_sub(1),
            patch: 0,
            ..*newest
        });
        before.max(self.newest_kubelet)
    }
}

/// An API server that may be older than what would come.
struct Floor<'a> {
    machine: &'a str,
    /// The version that it has at least; `None` where that could be any.
    at_least: Option<Version>,
}

/// The oldest API servers that stay as they are.
pub(super) struct Floors<'a> {
    /// No kubelet may be newer than this one.
    kubelets: Option<Floor<'a>>,
    /// No API server may be more than one minor release newer than this one.
    api_servers: Option<Floor<'a>>,
    all: &'a ApiServers<'a>,
}

impl Floors<'_> {
    /// True where there is nothing that could be too new.
    pub(super) fn bound_nothing(&self) -> bool {
        self.kubelets.is_none() && self.api_servers.is_none()
    }

    /// The machine whose API server is too old for `change`.
    pub(super) fn too_old_for(&self, change: &Change) -> Option<&str> {
        let all = self.all;
        if changes_built_in_addon(change) {
            // Neither forth nor back.
            let differs = |floor: &&Floor<'_>| floor.at_least != all.newest_wanted;
            return Some(self.kubelets.as_ref().filter(differs)?.machine);
        }
        let wanted = kubernetes_version(brought(change)?)?;
        if seen_version(all.observation, &change.key) == Some(wanted) {
            return None;
        }
        let floor = if lone_kubelet(change, all.desired).is_some() {
            let is_too_old = |floor: &&Floor<'_>| floor.at_least.is_none_or(|at_least| wanted > at_least);
            self.kubelets.as_ref().filter(is_too_old)
        } else {
            let minor = |version: Version| (version.major, version.minor);
            let next = |version: Version| (version.major, version.minor + 1);
            let is_too_old = |floor: &&Floor<'_>| floor.at_least.is_some_and(|old| minor(wanted) > next(old));
            self.api_servers.as_ref().filter(is_too_old)
        };
        Some(floor?.machine)
    }
}
