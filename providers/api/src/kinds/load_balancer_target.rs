//! Targets of load balancers.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// A control plane behind a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancerTarget {
    /// The load balancer's name.
    pub load_balancer: String,

    /// The machine's name.
    pub machine: String,
}

impl Catalogued for LoadBalancerTarget {
    const SUMMARY: &'static str = "A control plane behind a load balancer.";
    const LIFETIME: Lifetime = Lifetime::Machine;
    const FIELDS: &'static [Field] = &[
        Field::new("loadBalancer", Effect::Immutable),
        Field::new("machine", Effect::Immutable),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![
            ResourceKey::new(Kind::LoadBalancer, &*self.load_balancer),
            ResourceKey::new(Kind::ControlPlane, &*self.machine),
        ]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl LoadBalancerTarget {
    pub(super) fn sample() -> Self {
        Self {
            load_balancer: "api".to_owned(),
            machine: "a".to_owned(),
        }
    }
}
