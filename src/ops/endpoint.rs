//! Where the API is reached.

use keelson_provider_api::Observation;

use crate::model::{Blueprint, Endpoint, host_and_port};
use crate::spec::ValidSpec;

/// Host and port of the API; `None` where the cloud gives its load balancer an address and that has not been seen.
pub(super) fn endpoint(spec: &ValidSpec, observation: &Observation) -> Option<String> {
    match Blueprint::of(spec).endpoint() {
        Endpoint::Fixed { host, port } => Some(host_and_port(&host, port)),
        Endpoint::LoadBalancer { key, port } => {
            let facts = &observation.present(&key)?.facts;
            let host = facts.get("hostname").or_else(|| facts.get("address"))?;
            Some(host_and_port(host, port))
        }
    }
}
