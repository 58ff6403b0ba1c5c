//! What is wanted.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::values::Digest;
use keelson_provider_api::{Kind, Resource, ResourceKey};
use serde::{Deserialize, Serialize};

use super::report::StandingRestore;

/// Everything that a spec asks for, in the catalogue's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DesiredState {
    /// The resources, by key.
    pub resources: BTreeMap<ResourceKey, Desired>,
    /// How each group of machines is changed, by the group's name; groups that are not named change one machine at
    /// a time.
    pub rolling: BTreeMap<String, Rolling>,
    /// True when the cluster is to be gone: its machines are deleted as they are, without draining first and
    /// without keeping a quorum that nobody will use.
    pub retires_cluster: bool,
    /// The machine that alone is seen to, with what has to be done before that; `None` for everything.
    pub only: Option<String>,
    /// The etcd clusters that have had data: they are not begun once more.
    pub etcd_with_data: BTreeSet<String>,
    /// The restore that stands, if one does: what its etcd had lies aside on machines, and comes back by it alone.
    pub restore: Option<StandingRestore>,
}

/// One resource that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// What it is to be.
    pub resource: Resource,
    /// What must be done before it, beyond what it references.
    pub after: Vec<ResourceKey>,
    /// Of these one must be there before it; any will do.
    pub after_any: Vec<ResourceKey>,
    /// What it comes to its end only with, done before it or at the same time: it is not begun while one of these is blocked.
    pub together_with: Vec<ResourceKey>,
}

/// How a group of machines is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rolling {
    /// How many of the group's nodes may be out of service at once; at least 1.
    pub max_unavailable: u32,
    /// How many machines more than it is to have there may be while others are replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_surge: u32,
}

impl Rolling {
    /// How many machines of the group may be replaced at once: those that another has come for are out of no service.
    pub fn at_once(self) -> u32 {
        self.max_unavailable.max(self.max_surge).max(1)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            max_unavailable: 1,
            max_surge: 0,
        }
    }
}

impl DesiredState {
    /// Nothing: the desired state of a cluster that is to be gone.
    pub fn nothing() -> Self {
        Self {
            retires_cluster: true,
            ..Self::default()
        }
    }

    /// True where `machine` is to have an API server.
    pub(super) fn serves_api(&self, machine: &str) -> bool {
        let control_plane = ResourceKey::new(Kind::ControlPlane, machine);
        self.resources.contains_key(&control_plane)
    }

    /// Adds a resource that waits only for what it references.
    pub fn add(&mut self, key: ResourceKey, resource: impl Into<Resource>) {
        self.add_after(key, resource, Vec::new(), Vec::new());
    }

    /// Adds a resource that waits for all of `after` and one of `after_any` as well.
    pub fn add_after(
        &mut self,
        key: ResourceKey,
        resource: impl Into<Resource>,
        after: Vec<ResourceKey>,
        after_any: Vec<ResourceKey>,
    ) {
        self.resources.insert(
            key,
            Desired {
                resource: resource.into(),
                after,
                after_any,
                together_with: Vec::new(),
            },
        );
    }

    /// Says what a resource that was added comes to its end only with.
    pub fn ends_with(&mut self, key: &ResourceKey, others: Vec<ResourceKey>) {
        if let Some(wanted) = self.resources.get_mut(key) {
            wanted.together_with = others;
        }
    }

    /// How the group of that name is changed.
    pub fn rolling(&self, group: &str) -> Rolling {
        self.rolling.get(group).copied().unwrap_or_default()
    }

    /// A digest of what is wanted.
    pub fn digest(&self) -> Digest {
        let resources: Vec<_> = self
            .resources
            .iter()
            .map(|(key, wanted)| (key, &wanted.resource))
            .collect();
        Digest::of_json(&(resources, self.retires_cluster, &self.only))
    }
}
