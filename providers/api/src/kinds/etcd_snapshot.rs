//! Snapshots of etcd.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// A verified snapshot of an etcd cluster, taken before something that could go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdSnapshot {
    /// The etcd cluster.
    pub cluster: String,

    /// What it was taken before.
    pub purpose: String,
}

impl Catalogued for EtcdSnapshot {
    const SUMMARY: &'static str =
        "A verified snapshot of an etcd cluster, taken before something that could go wrong.";
    const LIFETIME: Lifetime = Lifetime::Archive;
    const FIELDS: &'static [Field] = &[
        Field::new("cluster", Effect::Immutable),
        Field::new("purpose", Effect::Ignored),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl EtcdSnapshot {
    pub(super) fn sample() -> Self {
        Self {
            cluster: "main".to_owned(),
            purpose: "upgrade to 1.36.2".to_owned(),
        }
    }
}
