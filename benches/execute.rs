//! Carrying out: what the executor itself costs, and the simulated world with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use divan::Bencher;
use divan::counter::ItemsCount;
use jiff::Timestamp;
use keelson::execute::{Execution, Interrupt, Lease, LeaseHolder, ProviderSet, Silent};
use keelson::ops::{ApplyOptions, AutoApprove};
use keelson::{plan, registry};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::KINDS;
use keelson_provider_api::{
    Change, ClusterIdentity, Kind, KindObservation, Observation, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};
use keelson_provider_simulated::MemoryStore;

use super::generated::{cluster_of, desired, identity, load};

/// A world that does everything at once.
struct Instant {
    kinds: Vec<Kind>,
}

#[async_trait]
impl Provider for Instant {
    fn name(&self) -> &'static str {
        "instant"
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    fn concurrency_limit(&self) -> usize {
        20
    }

    fn typical_duration(&self, _change: &Change) -> Duration {
        Duration::from_secs(1)
    }

    async fn observe(
        &self,
        _cluster: &ClusterIdentity,
        _kind: Kind,
        _wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        Ok(KindObservation::default())
    }

    async fn carry_out(&self, _context: &StepContext<'_>, _change: &Change) -> Outcome {
        Outcome::Done
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// The executor alone: every step is done the moment it is asked for. Items are steps.
#[divan::bench(args = [10, 100, 1_000, 5_000])]
fn overhead(bencher: Bencher<'_, '_>, workers: u32) {
    let nothing = Observation::of_nothing(Timestamp::UNIX_EPOCH);
    let (plan, _) = plan::plan(&identity(), &desired(workers), &nothing, Timestamp::UNIX_EPOCH).unwrap();
    let kinds = KINDS.iter().map(|info| info.kind).collect();
    let providers = ProviderSet::new(vec![Arc::new(Instant { kinds })]).unwrap();
    let runtime = runtime();
    let holder = LeaseHolder {
        name: "bench".to_owned(),
        purpose: "bench".to_owned(),
        time_to_live: Duration::from_secs(3_600),
        processes: None,
    };
    let store = Arc::new(MemoryStore::new());
    let name = identity().name;
    let lease = runtime
        .block_on(Lease::take(store, Arc::new(SystemClock), &name, &holder))
        .unwrap();
    let interrupt = Interrupt::new();
    bencher
        .counter(ItemsCount::new(plan.steps().len()))
        .bench_local(|| {
            let execution = Execution::new(&plan, &lease, &providers, &SystemClock, &Silent, &interrupt);
            let executed = runtime.block_on(execution.run());
            assert!(executed.is_complete());
            executed
        });
}

/// A whole apply in the simulated world: looking, planning, carrying out, looking again. Items are nodes.
#[divan::bench(args = [10, 100, 1_000], sample_count = 10, sample_size = 1)]
fn simulated_apply(bencher: Bencher<'_, '_>, workers: u32) {
    let spec = load(&cluster_of(workers));
    let runtime = runtime();
    bencher.counter(ItemsCount::new(workers)).bench_local(|| {
        let (session, _world) = registry::connect_in_memory(spec.clone(), Timestamp::UNIX_EPOCH).unwrap();
        let options = ApplyOptions::default();
        let interrupt = Interrupt::new();
        runtime
            .block_on(session.apply(&options, &AutoApprove, &Silent, &interrupt))
            .unwrap()
    });
}
