//! NAT gateways.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A gateway through which machines without public addresses reach the internet, and nobody reaches them
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat-gateway.html>). Its own public address is a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatGateway {
    /// The name of the public subnet that it stands in.
    pub subnet: String,
}

impl Catalogued for NatGateway {
    const SUMMARY: &'static str =
        "A gateway through which machines without public addresses reach the internet.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[Field::new("subnet", Effect::Replace)];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::Subnet, &*self.subnet)]
    }
}

#[cfg(test)]
impl NatGateway {
    pub(super) fn sample() -> Self {
        Self {
            subnet: "a-public".to_owned(),
        }
    }
}
