//! Networks.

use crate::values::Cidr;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// A private network that the cluster's machines share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// Where the network is.
    pub region: String,

    /// The network's address range.
    pub cidr: Cidr,

    /// True when it has a gateway through which public addresses in it are reached, and reach out.
    #[serde(default)]
    pub has_gateway: bool,
}

impl Catalogued for Network {
    const SUMMARY: &'static str = "A private network that the cluster's machines share.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("region", Effect::Immutable),
        Field::new("cidr", Effect::Immutable),
        Field::new("hasGateway", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl Network {
    pub(super) fn sample() -> Self {
        Self {
            region: "eu-west-1".to_owned(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            has_gateway: true,
        }
    }
}
