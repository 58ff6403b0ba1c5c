//! Whole lives in worlds where calls fail before and after they had an effect, are throttled, take long, show late,
//! and where machines die.

use std::sync::Arc;

use keelson_provider_simulated::MemoryStore;

use super::life::{Life, block_on, operations};
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
