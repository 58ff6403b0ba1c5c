//! A cluster that is as the spec says, and moves away from it while it is waited for to work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError, Session, SessionParts};
use keelson_provider_api::{
    Change, ClusterIdentity, Health, Kind, KindObservation, Observed, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};
use keelson_provider_simulated::{MemoryStore, providers};

use super::{block_on, session};

/// Hands everything on, but for nodes: in the first look that finds them they are not ready yet, in those after it they
/// are gone.
struct NodesGo {
    provider: Arc<dyn Provider>,
    looks: AtomicU32,
}

#[async_trait]
impl Provider for NodesGo {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn kinds(&self) -> &[Kind] {
        self.provider.kinds()
    }

    fn concurrency_limit(&self) -> usize {
        self.provider.concurrency_limit()
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        self.provider.typical_duration(change)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let mut seen = self.provider.observe(cluster, kind, wanted).await?;
        let is_there = |observed: &Observed<_>| matches!(observed, Observed::Present(_));
        if kind != Kind::Node || !seen.found.values().any(is_there) {
            return Ok(seen);
        }
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        for observed in seen.found.values_mut() {
            match observed {
                Observed::Present(existing) if look == 0 => {
                    existing.health = Health::Unhealthy("it is not ready yet".to_owned());
                }
                other => *other = Observed::Absent,
            }
        }
        Ok(seen)
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        self.provider.carry_out(context, change).await
    }
}

#[test]
fn a_change_while_it_settles_is_told_as_what_it_is() {
    let (plain, world) = session();
    let provided = providers(&world).into_iter();
    let watched = provided.map(|provider| -> Arc<dyn Provider> {
        Arc::new(NodesGo {
            provider,
            looks: AtomicU32::new(0),
        })
    });
    let session = Session::new(SessionParts::simulated(
        plain.spec().clone(),
        ProviderSet::new(watched.collect()).unwrap(),
        Arc::new(MemoryStore::new()),
        world.clock(),
        "test",
    ));
    let applied = block_on(session.apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new()));
    assert!(matches!(applied, Err(OperationError::MovedAway)), "{applied:?}");
}
