//! Every writing step, carried out twice, changes nothing the second time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, DestroyOptions, Session, SessionParts};
use keelson_provider_api::{
    Change, ClusterIdentity, Existing, Kind, KindObservation, Observed, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};
use keelson_provider_simulated::providers;

use super::life::{Life, NAME, Operation, block_on, operations};
use super::specs::Shape;

/// A provider that does everything twice and compares.
struct Twice {
    inner: Arc<dyn Provider>,
    differences: Arc<Mutex<Vec<String>>>,
    steps: Arc<Mutex<u32>>,
}

impl Twice {
    /// What is under the change's key, as far as a change could change it.
    async fn see(&self, context: &StepContext<'_>, change: &Change) -> Option<(Existing, ())> {
        let wanted = BTreeSet::from([change.key.clone()]);
        let seen = self
            .inner
            .observe(&context.cluster, change.key.kind(), &wanted)
            .await
            .unwrap();
        match seen.found.get(&change.key) {
            Some(Observed::Present(existing)) => {
                let mut existing = existing.clone();
                // Facts for people, such as etcd's revision, move by themselves.
                existing.facts.clear();
                Some((existing, ()))
            }
            _ => None,
        }
    }
}

#[async_trait]
impl Provider for Twice {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn kinds(&self) -> &[Kind] {
        self.inner.kinds()
    }

    fn concurrency_limit(&self) -> usize {
        self.inner.concurrency_limit()
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        self.inner.typical_duration(change)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        self.inner.observe(cluster, kind, wanted).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let first = self.inner.carry_out(context, change).await;
        if first != Outcome::Done {
            return first;
        }
        let before = self.see(context, change).await;
        let second = self.inner.carry_out(context, change).await;
        let after = self.see(context, change).await;
        *self.steps.lock().unwrap() += 1;
        if second != Outcome::Done || before != after {
            let difference = format!("{change}: {second:?}\nbefore {before:?}\nafter {after:?}");
            self.differences.lock().unwrap().push(difference);
        }
        first
    }
}

fn live(seed: u64) -> u32 {
    block_on(async {
        let life = Life::new(seed, &Shape::of_seed(seed));
        let (differences, steps) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(0)));
        for operation in operations(seed) {
            let (Operation::Apply(shape) | Operation::Destroy(shape)) = &operation;
            // A session first, so that the hosts of the new shape stand there.
            let spec = life.session(shape.spec(NAME, seed)).spec().clone();
            let twice = providers(&life.world)
                .into_iter()
                .map(|inner| -> Arc<dyn Provider> {
                    Arc::new(Twice {
                        inner,
                        differences: differences.clone(),
                        steps: steps.clone(),
                    })
                });
            let session = Session::new(SessionParts {
                spec,
                providers: ProviderSet::new(twice.collect()).unwrap(),
                clock: life.world.clock(),
                assets: keelson::node::AssetIndex::Imagined,
                store: life.store.clone(),
                lease_clock: life.world.clock(),
                holder: "twice".to_owned(),
                lease_time_to_live: Duration::from_secs(30),
                processes: None,
                authorities: None,
                machine_access: None,
                node_access: None,
                gone_hosts: None,
            });
            let interrupt = Interrupt::new();
            match operation {
                Operation::Apply(_) => session
                    .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &interrupt)
                    .await
                    .map(|_| ()),
                Operation::Destroy(_) => session
                    .destroy(DestroyOptions::default(), &AutoApprove, &Silent, &interrupt)
                    .await
                    .map(|_| ()),
            }
            .unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        }
        let differences = differences.lock().unwrap();
        assert!(differences.is_empty(), "seed {seed}: {}", differences.join("\n"));
        assert!(
            life.world.violations().is_empty(),
            "seed {seed}: {:?}",
            life.world.violations()
        );
        *steps.lock().unwrap()
    })
}

#[test]
fn every_writing_step_done_twice_changes_nothing_the_second_time() {
    let steps: u32 = (0..40).map(live).sum();
    assert!(steps > 2_000, "only {steps} steps were done");
}
