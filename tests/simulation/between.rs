//! Providers that hand everything on, and stand in between where changes are carried out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::ProviderSet;
use keelson::ops::{Session, SessionParts};
use keelson_provider_api::{
    Change, ClusterIdentity, Kind, KindObservation, Outcome, Provider, ProviderError, StepContext,
};
use keelson_provider_simulated::providers;

use super::life::Life;
use super::specs::Shape;

/// What stands between the executor and a provider.
#[async_trait]
pub(super) trait Between: Send + Sync {
    /// Carries `change` out in place of `provider`, or by way of it.
    async fn carry_out(&self, provider: &dyn Provider, context: &StepContext<'_>, change: &Change)
    -> Outcome;
}

struct Watched {
    provider: Arc<dyn Provider>,
    between: Arc<dyn Between>,
}

#[async_trait]
impl Provider for Watched {
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
        wanted: &BTreeSet<keelson_provider_api::ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        self.provider.observe(cluster, kind, wanted).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let provider = self.provider.as_ref();
        self.between.carry_out(provider, context, change).await
    }
}

/// A session for `shape` in the world of `life`, with `between` before each of its providers.
pub(super) fn session(life: &Life, shape: &Shape, name: &str, between: &Arc<dyn Between>) -> Session {
    // A session of its own first, so that the hosts of the shape stand there.
    let spec = life.session(shape.spec(name, life.seed)).spec().clone();
    let watched = providers(&life.world)
        .into_iter()
        .map(|provider| -> Arc<dyn Provider> {
            Arc::new(Watched {
                provider,
                between: between.clone(),
            })
        });
    Session::new(SessionParts {
        spec,
        providers: ProviderSet::new(watched.collect()).unwrap(),
        clock: life.world.clock(),
        assets: keelson::node::AssetIndex::Imagined,
        store: life.store.clone(),
        lease_clock: life.world.clock(),
        holder: "between".to_owned(),
        lease_time_to_live: Duration::from_secs(30),
        processes: None,
        authorities: None,
        machine_access: None,
        node_access: None,
        gone_hosts: None,
    })
}
