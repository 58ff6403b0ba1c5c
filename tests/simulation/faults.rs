//! Whole lives in worlds where calls fail before and after they had an effect, are throttled, take long, show late,
//! and where machines die.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use keelson::execute::{Event, Reporter};
use keelson_provider_simulated::MemoryStore;

use super::life::{Life, Operation, block_on, operations};
use super::sharded;
use super::specs::{Shape, mix};

fn life(seed: u64) -> Result<(), String> {
    block_on(async {
        let shape = Shape::of_seed(seed);
        let percent = [0, 5, 15, 30][usize::try_from(mix(seed, 20) % 4).unwrap()];
        let store = Arc::new(MemoryStore::with_faults(seed, percent / 3));
        let mut life = Life::with_store(seed, &shape, store);
        for operation in operations(seed) {
            life.set_faults(percent);
            life.converge(&operation, |_, _| {}).await?;
            // What went wrong at the very end is mended by a run in a quiet world.
            life.set_faults(0);
            life.converge(&operation, |_, _| {}).await?;
            life.check(&operation).await?;
        }
        life.check_gone()
    })
}

sharded!(
    life,
    "faults",
    faults_0 = 0,
    faults_1 = 1,
    faults_2 = 2,
    faults_3 = 3,
    faults_4 = 4,
    faults_5 = 5,
    faults_6 = 6,
    faults_7 = 7,
);

/// Counts what the executor had to put up with.
#[derive(Default)]
struct Troubles {
    retries: AtomicU32,
}

impl Reporter for Troubles {
    fn report(&self, event: &Event) {
        match event {
            Event::StepRetried { .. } => self.retries.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

#[test]
fn things_do_go_wrong_in_these_lives() {
    let troubles = Troubles::default();
    let mut deaths = 0;
    for seed in 0..60 {
        block_on(async {
            let shape = Shape {
                like: "aws",
                ..Shape::of_seed(seed)
            };
            let mut life = Life::new(seed, &shape);
            let mut generations = 0;
            for _ in 0..3 {
                life.set_faults(30);
                let _ = life.run(&Operation::Apply(shape.clone()), &troubles).await;
                life.pass(Duration::from_secs(60)).await;
                generations = generations.max(life.newest_generation(&shape).await);
            }
            deaths += u32::from(generations > 0);
        });
    }
    let retries = troubles.retries.into_inner();
    assert!(retries > 300, "{retries} retries");
    assert!(deaths > 3, "in {deaths} lives of 60 a machine was made anew");
}
