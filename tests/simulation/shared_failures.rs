//! A failure that every other step would share ends the waiting of all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::{Event, Interrupt, ProviderSet, Reporter, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError, Session, SessionParts};
use keelson::spec::{self, ValidSpec};
use keelson_provider_api::{
    Change, Clock, ClusterIdentity, Disruption, ErrorClass, Health, Kind, KindObservation, Observed, Outcome,
    Provider, ProviderError, ResourceKey, StepContext,
};
use keelson_provider_simulated::providers;

use super::life::{Life, block_on};
use super::specs::Shape;

/// A provider that has become unusable for all, which one group's machines are the first to hear. A node of the other group
/// is unwell.
struct BecomesUnusable {
    inner: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Provider for BecomesUnusable {
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
        let mut seen = self.inner.observe(cluster, kind, wanted).await?;
        for (key, observed) in &mut seen.found {
            if let Observed::Present(existing) = observed
                && key.to_string() == "node/waits-1"
            {
                existing.health = Health::Unhealthy("its disk is full".to_owned());
            }
        }
        Ok(seen)
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        if change.disruption != Disruption::None && change.key.name().starts_with("ready") {
            self.clock.sleep(Duration::from_secs(200)).await;
            return Outcome::Rejected(ProviderError::new(ErrorClass::Unusable, "it is over for all"));
        }
        self.inner.carry_out(context, change).await
    }
}

#[derive(Default)]
struct Listener(Mutex<Vec<Event>>);

impl Reporter for Listener {
    fn report(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn spec(kubernetes: &str) -> ValidSpec {
    let text = format!(
        "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: prod }}\nspec:\n  provider: {{ simulated: \
         {{}} }}\n  nodeGroups:\n    - {{ name: ready, replicas: 1 }}\n    - {{ name: waits, replicas: 3 }}\n  kubernetesVersion: {kubernetes}\n"
    );
    spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_step_that_waits_for_its_permit_hears_that_the_run_is_over() {
    block_on(async {
        let shape = Shape {
            like: "aws",
            ..Shape::of_seed(3)
        };
        let life = Life::new(3, &shape);
        let clock: Arc<dyn Clock> = life.world.clock();
        life.session(spec("1.36.2"))
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await
            .unwrap();
        let of = |inner| -> Arc<dyn Provider> {
            Arc::new(BecomesUnusable {
                inner,
                clock: clock.clone(),
            })
        };
        let session = Session::new(SessionParts {
            spec: spec("1.36.3"),
            providers: ProviderSet::new(providers(&life.world).into_iter().map(of).collect()).unwrap(),
            clock: clock.clone(),
            assets: keelson::node::AssetIndex::Imagined,
            store: life.store.clone(),
            lease_clock: clock.clone(),
            holder: "test".to_owned(),
            lease_time_to_live: Duration::from_secs(30),
            processes: None,
            authorities: None,
            machine_access: None,
            node_access: None,
            gone_hosts: None,
        });
        let (listener, interrupt) = (Listener::default(), Interrupt::new());
        let began = clock.now();
        let ended = session
            .apply(&ApplyOptions::default(), &AutoApprove, &listener, &interrupt)
            .await;
        let Err(OperationError::StepsFailed(executed)) = &ended else {
            panic!("{ended:?}");
        };
        let events = listener.0.into_inner().unwrap();
        let waited = events
            .iter()
            .any(|event| matches!(event, Event::StepWaits { key, .. } if key.name().starts_with("waits")));
        let stopped = events
            .iter()
            .any(|event| matches!(event, Event::StepStopped { key, .. } if key.name().starts_with("waits")));
        assert!(waited && stopped, "{events:#?}");
        assert_eq!(executed.failures.len(), 1, "{executed:?}");
        let took = clock.now().duration_since(began);
        assert!(took.as_secs() < 700, "{took}");
        // Whoever gave the signal has not used it: the next run begins with it as it is.
        assert!(!interrupt.is_stopped());
    });
}
