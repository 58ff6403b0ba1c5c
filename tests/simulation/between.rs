//! Providers that hand everything on, and stand in between where something is looked at or carried out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::ProviderSet;
use keelson::ops::{Session, SessionParts};
use keelson::spec::ValidSpec;
use keelson_provider_api::{
    Change, ClusterIdentity, Kind, KindObservation, Outcome, Provider, ProviderError, ResourceKey,
    StepContext,
};
use keelson_provider_simulated::{SimulatedWorld, providers};

use super::life::Life;

/// What stands between the executor and a provider.
#[async_trait]
pub(crate) trait Between: Send + Sync {
    /// Carries `change` out in place of `provider`, or by way of it.
    async fn carry_out(&self, provider: &dyn Provider, context: &StepContext<'_>, change: &Change)
    -> Outcome;

    /// Changes what `provider` has seen, before anyone hears of it.
    fn change_seen(&self, _seen: &mut KindObservation) {}
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
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let mut seen = self.provider.observe(cluster, kind, wanted).await?;
        self.between.change_seen(&mut seen);
        Ok(seen)
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let provider = self.provider.as_ref();
        self.between.carry_out(provider, context, change).await
    }
}

/// The providers of `world`, with `between` before each.
pub(crate) fn watched(world: &SimulatedWorld, between: &Arc<dyn Between>) -> ProviderSet {
    watch(providers(world), between)
}

fn watch(providers: Vec<Arc<dyn Provider>>, between: &Arc<dyn Between>) -> ProviderSet {
    let watched = providers.into_iter().map(|provider| -> Arc<dyn Provider> {
        Arc::new(Watched {
            provider,
            between: between.clone(),
        })
    });
    ProviderSet::new(watched.collect()).unwrap()
}

/// A session for `spec` in the world of `life`, with `between` before each of its providers.
pub(super) fn session(life: &Life, spec: ValidSpec, between: &Arc<dyn Between>) -> Session {
    session_with(life, spec, providers(&life.world), between)
}

/// The same with providers that someone else has made of the world of `life`.
pub(super) fn session_with(
    life: &Life,
    spec: ValidSpec,
    providers: Vec<Arc<dyn Provider>>,
    between: &Arc<dyn Between>,
) -> Session {
    // A session of its own first, so that the hosts of the spec stand there.
    let spec = life.session(spec).spec().clone();
    Session::new(SessionParts::simulated(
        spec,
        watch(providers, between),
        life.store.clone(),
        life.world.clock(),
        "between",
    ))
}
