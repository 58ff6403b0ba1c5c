//! Virtual addresses.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// An address that moves between healthy control planes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualAddress {
    /// The address.
    pub address: String,

    /// The machines that may hold it.
    pub machines: Vec<String>,
}

impl Catalogued for VirtualAddress {
    const SUMMARY: &'static str = "An address that moves between healthy control planes.";
    const LIFETIME: Lifetime = Lifetime::Cluster;
    const FIELDS: &'static [Field] = &[
        Field::new("address", Effect::InPlace),
        Field::new("machines", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl VirtualAddress {
    pub(super) fn sample() -> Self {
        Self {
            address: "10.0.0.100".to_owned(),
            machines: vec!["a".to_owned()],
        }
    }
}
