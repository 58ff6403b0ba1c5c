//! Every writing step, carried out twice, changes nothing the second time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, DestroyOptions};
use keelson_provider_api::{Change, Existing, Observed, Outcome, Provider, StepContext};

use super::between::{Between, session};
use super::life::{Life, NAME, Operation, block_on, operations};
use super::specs::Shape;

/// Everything is done twice and compared.
#[derive(Default)]
struct Twice {
    differences: Mutex<Vec<String>>,
    steps: Mutex<u32>,
}

/// What is under the change's key, as far as a change could change it.
async fn see(provider: &dyn Provider, context: &StepContext<'_>, change: &Change) -> Option<Existing> {
    let wanted = BTreeSet::from([change.key.clone()]);
    let seen = provider
        .observe(&context.cluster, change.key.kind(), &wanted)
        .await
        .unwrap();
    match seen.found.get(&change.key) {
        Some(Observed::Present(existing)) => {
            let mut existing = existing.clone();
            // Facts for people, such as etcd's revision, move by themselves.
            existing.facts.clear();
            Some(existing)
        }
        _ => None,
    }
}

#[async_trait]
impl Between for Twice {
    async fn carry_out(
        &self,
        provider: &dyn Provider,
        context: &StepContext<'_>,
        change: &Change,
    ) -> Outcome {
        let first = provider.carry_out(context, change).await;
        if first != Outcome::Done {
            return first;
        }
        let before = see(provider, context, change).await;
        let second = provider.carry_out(context, change).await;
        let after = see(provider, context, change).await;
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
        let twice = Arc::new(Twice::default());
        let between: Arc<dyn Between> = twice.clone();
        for operation in operations(seed) {
            let (Operation::Apply(shape) | Operation::Destroy(shape)) = &operation;
            let session = session(&life, shape.spec(NAME, seed), &between);
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
        let differences = twice.differences.lock().unwrap();
        assert!(differences.is_empty(), "seed {seed}: {}", differences.join("\n"));
        assert!(
            life.world.violations().is_empty(),
            "seed {seed}: {:?}",
            life.world.violations()
        );
        *twice.steps.lock().unwrap()
    })
}

#[test]
fn every_writing_step_done_twice_changes_nothing_the_second_time() {
    let steps: u32 = (0..40).map(live).sum();
    assert!(steps > 2_000, "only {steps} steps were done");
}
