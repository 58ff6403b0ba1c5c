//! A crash of keelson at every write to the state store: between the record, the spec, the list of release files, keys and the
//! life that the lease tells of, and between what the end of a cluster takes away.

use std::sync::Arc;

use keelson::execute::Silent;

use super::deadly::Deadly;
use super::life::{Life, Operation, block_on, operations};
use super::sharded;
use super::specs::Shape;

async fn dies_at_every_write(life: &mut Life, operation: &Operation, end: &Operation) -> Result<(), String> {
    let before = life.fork();
    let counting = Arc::new(Deadly::counting(life.store.clone()));
    life.run_on(counting.clone(), operation, &Silent).await;
    life.check(operation).await?;
    let writes = counting.writes();
    for deadly in 0..writes {
        let mut fork = before.fork();
        let has_effect = (deadly + life.seed / SPARED).is_multiple_of(2);
        let store = Arc::new(Deadly::new(fork.store.clone(), deadly, has_effect));
        let died = tokio::select! {
            biased;
            _ = fork.run_on(store.clone(), operation, &Silent) => false,
            () = store.died() => true,
        };
        let told = |problem: String| format!("death at write {deadly} of {writes} to the store: {problem}");
        if !died {
            return Err(told("it did not come".to_owned()));
        }
        fork.converge(operation, |_, _| {}).await.map_err(told)?;
        fork.check(operation).await.map_err(told)?;
        fork.converge(end, |_, _| {}).await.map_err(told)?;
        fork.check_gone().map_err(told)?;
    }
    Ok(())
}

/// One seed of so many, which has nothing in common with the number of parts: each takes as many lives as there are writes.
const SPARED: u64 = 9;

fn every_write(seed: u64) -> Result<(), String> {
    if !seed.is_multiple_of(SPARED) {
        return Ok(());
    }
    block_on(async {
        let mut life = Life::new(seed, &Shape::of_seed(seed));
        let [create, edit, _, destroy] = operations(seed);
        for operation in [&create, &edit, &destroy] {
            dies_at_every_write(&mut life, operation, &destroy).await?;
        }
        life.check_gone()
    })
}

sharded!(
    every_write,
    "store_crashes",
    store_crashes_0 = 0,
    store_crashes_1 = 1,
    store_crashes_2 = 2,
    store_crashes_3 = 3,
    store_crashes_4 = 4,
    store_crashes_5 = 5,
    store_crashes_6 = 6,
    store_crashes_7 = 7,
);
