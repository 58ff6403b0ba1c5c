//! Subnets.

use crate::values::Cidr;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A part of the network in one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Subnet {
    /// The network's name.
    pub network: String,

    /// The zone that the subnet is in.
    pub zone: String,

    /// The subnet's address range.
    pub cidr: Cidr,

    /// True when its machines can be reached from outside.
    pub public: bool,
}

impl Catalogued for Subnet {
    const SUMMARY: &'static str = "A part of the network in one zone.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("network", Effect::Immutable),
        Field::new("zone", Effect::Immutable),
        Field::new("cidr", Effect::Immutable),
        Field::new("public", Effect::Immutable),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::Network, &*self.network)]
    }
}

#[cfg(test)]
impl Subnet {
    pub(super) fn sample() -> Self {
        Self {
            network: "main".to_owned(),
            zone: "a".to_owned(),
            cidr: "10.0.0.0/20".parse().unwrap(),
            public: false,
        }
    }
}
