//! What a status tells of what cannot be seen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::{ProviderSet, Silent};
use keelson::ops::{Session, SessionParts};
use keelson::spec;
use keelson_provider_api::{
    Change, ClusterIdentity, ErrorClass, Kind, KindObservation, Observed, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};
use keelson_provider_simulated::{Like, MemoryStore, SimulatedOptions, SimulatedWorld};

use super::block_on;
use super::etcd_alone::{NOW, begin};

/// The provider of machines that do not answer.
struct Unreachable;

#[async_trait]
impl Provider for Unreachable {
    fn name(&self) -> &'static str {
        "unreachable"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Machine]
    }

    fn concurrency_limit(&self) -> usize {
        1
    }

    fn typical_duration(&self, _: &Change) -> Duration {
        Duration::ZERO
    }

    async fn observe(
        &self,
        _: &ClusterIdentity,
        _: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let mut observation = KindObservation::default();
        for key in wanted {
            let unknown = Observed::Unknown("connection timed out".to_owned());
            observation.found.insert(key.clone(), unknown);
        }
        Ok(observation)
    }

    async fn carry_out(&self, _: &StepContext<'_>, _: &Change) -> Outcome {
        Outcome::Rejected(ProviderError::new(
            ErrorClass::Unreachable,
            "connection timed out",
        ))
    }
}

#[test]
fn machines_that_do_not_answer_are_told_of() {
    let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: db }\nspec:\n  provider:\n    ssh:\n      \
                hosts: [{ name: a, address: 10.0.0.1, roles: [etcd] }]\n  etcd: { version: 3.6.8, placement: { dedicated: {} \
                } }\n";
    let spec = spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"));
    let options = SimulatedOptions {
        start: NOW,
        ..SimulatedOptions::new(Like::Ssh, 1)
    };
    let clock = SimulatedWorld::in_memory(options).clock();
    let store = Arc::new(MemoryStore::new());
    let name = spec.name().clone();
    let providers = ProviderSet::new(vec![Arc::new(Unreachable)]).unwrap();
    let parts = SessionParts::simulated(spec, providers, store.clone(), clock, "test");
    let session = Session::new(parts);
    block_on(async {
        begin(&store, &name).await;
        let status = session.status(&Silent).await.unwrap();
        let machines = status.machines.iter();
        let told: Vec<_> = machines
            .map(|machine| (machine.name.as_str(), machine.problem.as_deref()))
            .collect();
        assert_eq!(told, [("a", Some("unknown"))]);
    });
}
