//! Ways out of a network.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// What leads out of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Through {
    /// The network's own gateway to the internet, for machines with public addresses.
    Internet,
    /// The NAT gateway of that name, for machines without.
    NatGateway(String),
}

/// Where subnets send what is for addresses outside the network: on AWS a route table with a default route, and its
/// associations with the subnets (<https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WayOut {
    /// The network's name.
    pub network: String,

    /// The names of the subnets that it serves. A subnet has at most one way out.
    pub subnets: Vec<String>,

    /// What it leads through.
    pub through: Through,
}

impl Catalogued for WayOut {
    const SUMMARY: &'static str = "Where subnets send what is for addresses outside the network.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("network", Effect::Immutable),
        Field::new("subnets", Effect::InPlace),
        Field::new("through", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        let subnets = self
            .subnets
            .iter()
            .map(|subnet| ResourceKey::new(Kind::Subnet, &**subnet));
        let gateway = match &self.through {
            Through::Internet => None,
            Through::NatGateway(name) => Some(ResourceKey::new(Kind::NatGateway, &**name)),
        };
        std::iter::once(ResourceKey::new(Kind::Network, &*self.network))
            .chain(subnets)
            .chain(gateway)
            .collect()
    }
}

#[cfg(test)]
impl WayOut {
    pub(super) fn sample() -> Self {
        Self {
            network: "main".to_owned(),
            subnets: vec!["a-private".to_owned()],
            through: Through::NatGateway("a".to_owned()),
        }
    }
}
