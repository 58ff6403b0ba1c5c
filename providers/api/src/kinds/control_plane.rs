//! Control planes.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// API server, controller manager and scheduler on one machine, answering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlPlane {
    /// The machine's name.
    pub machine: String,

    /// The address under which clients reach the API, of all control planes together.
    pub endpoint: String,
}

impl ControlPlane {
    /// The port of the Kubernetes API, on every control plane and at the endpoint
    /// (<https://kubernetes.io/docs/reference/networking/ports-and-protocols/>).
    pub const API_PORT: u16 = 6443;
}

impl Catalogued for ControlPlane {
    const SUMMARY: &'static str = "API server, controller manager and scheduler on one machine, answering.";
    const LIFETIME: Lifetime = Lifetime::Machine;
    const FIELDS: &'static [Field] = &[
        Field::new("machine", Effect::Immutable),
        Field::new("endpoint", Effect::Restart),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::NodeBundle, &*self.machine)]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl ControlPlane {
    pub(super) fn sample() -> Self {
        Self {
            machine: "a".to_owned(),
            endpoint: "api.prod.example.com:6443".to_owned(),
        }
    }
}
