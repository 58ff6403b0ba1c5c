//! Load balancers.

use crate::values::Cidr;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A load balancer in front of the API servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancer {
    /// The network's name.
    pub network: String,

    /// The names of the subnets that it has an address in; none where the provider's networks have no subnets.
    #[serde(default)]
    pub subnets: Vec<String>,

    /// The port that it listens on and forwards to.
    pub port: u16,

    /// True when it can be reached from outside the network.
    pub public: bool,

    /// Who may reach it, where it has no firewall; empty means everyone who can route to it.
    pub allowed_cidrs: Vec<Cidr>,

    /// The name of the firewall that it stands behind, where balancers have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firewall: Option<String>,
}

impl Catalogued for LoadBalancer {
    const SUMMARY: &'static str = "A load balancer in front of the API servers.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("network", Effect::Immutable),
        Field::new("subnets", Effect::InPlace),
        Field::new("port", Effect::InPlace),
        Field::new("public", Effect::Replace),
        Field::new("allowedCidrs", Effect::InPlace),
        Field::new("firewall", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        let subnets = self
            .subnets
            .iter()
            .map(|subnet| ResourceKey::new(Kind::Subnet, &**subnet));
        let firewall = self
            .firewall
            .iter()
            .map(|name| ResourceKey::new(Kind::Firewall, name));
        std::iter::once(ResourceKey::new(Kind::Network, &*self.network))
            .chain(subnets)
            .chain(firewall)
            .collect()
    }
}

#[cfg(test)]
impl LoadBalancer {
    pub(super) fn sample() -> Self {
        Self {
            network: "main".to_owned(),
            subnets: vec!["a-public".to_owned()],
            port: 6443,
            public: true,
            allowed_cidrs: Vec::new(),
            firewall: Some("api".to_owned()),
        }
    }
}
