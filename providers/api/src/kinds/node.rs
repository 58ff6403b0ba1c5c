//! Kubernetes nodes.

use crate::values::{Labels, Taint};
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A Kubernetes node: registered, labelled, Ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
    /// The machine's name, which is the node's name.
    pub machine: String,

    /// The node group, or `control-plane`.
    pub group: String,

    /// The labels that the spec asks for.
    pub labels: Labels,

    /// The taints that the spec asks for.
    pub taints: Vec<Taint>,
}

impl Catalogued for Node {
    const SUMMARY: &'static str = "A Kubernetes node: registered, labelled, Ready.";
    const LIFETIME: Lifetime = Lifetime::Machine;
    const FIELDS: &'static [Field] = &[
        Field::new("machine", Effect::Immutable),
        Field::new("group", Effect::InPlace),
        Field::new("labels", Effect::InPlace),
        Field::new("taints", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::NodeBundle, &*self.machine)]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl Node {
    pub(super) fn sample() -> Self {
        Self {
            machine: "a".to_owned(),
            group: "workers".to_owned(),
            labels: Labels::new(),
            taints: Vec::new(),
        }
    }
}
