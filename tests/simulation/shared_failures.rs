//! A failure that every other step would share ends the waiting of all of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson::execute::{Event, Interrupt, Reporter, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError};
use keelson::spec::{self, ValidSpec};
use keelson_provider_api::{
    Change, Clock, Disruption, ErrorClass, Health, KindObservation, Observed, Outcome, Provider,
    ProviderError, StepContext,
};

use super::between::{Between, session};
use super::life::{Life, block_on};
use super::specs::Shape;

/// Providers have become unusable for all, which one group's machines are the first to hear. A node of the other group is
/// unwell.
struct BecomesUnusable {
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Between for BecomesUnusable {
    async fn carry_out(
        &self,
        provider: &dyn Provider,
        context: &StepContext<'_>,
        change: &Change,
    ) -> Outcome {
        if change.disruption != Disruption::None && change.key.name().starts_with("ready") {
            self.clock.sleep(Duration::from_secs(200)).await;
            return Outcome::Rejected(ProviderError::new(ErrorClass::Unusable, "it is over for all"));
        }
        provider.carry_out(context, change).await
    }

    fn change_seen(&self, seen: &mut KindObservation) {
        for (key, observed) in &mut seen.found {
            if let Observed::Present(existing) = observed
                && key.to_string() == "node/waits-1"
            {
                existing.health = Health::Unhealthy("its disk is full".to_owned());
            }
        }
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
         {{ like: digitalocean }} }}\n  nodeGroups:\n    - {{ name: ready, replicas: 1 }}\n    - {{ name: waits, replicas: 3 }}\n  kubernetesVersion: {kubernetes}\n"
    );
    spec::load(text.as_bytes(), "test").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_step_that_waits_for_its_permit_hears_that_the_run_is_over() {
    block_on(async {
        let shape = Shape {
            like: "digitalocean",
            ..Shape::of_seed(3)
        };
        let life = Life::new(3, &shape);
        let clock: Arc<dyn Clock> = life.world.clock();
        life.session(spec("1.36.2"))
            .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
            .await
            .unwrap();
        let between: Arc<dyn Between> = Arc::new(BecomesUnusable { clock: clock.clone() });
        let session = session(&life, spec("1.36.3"), &between);
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
