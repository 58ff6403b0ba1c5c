//! A crash of keelson at every step of a whole life.
//!
//! Each seed is lived once undisturbed, operation by operation. Before each operation the world is forked once for
//! every write that the operation makes, and keelson is killed there: before the write had its effect for one half
//! of them, after it for the other; which half is which depends on the seed. Every fork must converge, and every
//! fourth one goes on to destroy the cluster and must leave the world as it was found. Last, keelson is killed again
//! and again in one and the same life.

use std::collections::BTreeMap;

use keelson_provider_simulated::{CrashMoment, CrashPoint};

use super::life::{Life, Operation, block_on, operations};
use super::sharded;
use super::specs::Shape;

fn moment(number: u64) -> CrashMoment {
    if number.is_multiple_of(2) {
        CrashMoment::BeforeEffect
    } else {
        CrashMoment::AfterEffect
    }
}

fn name(moment: CrashMoment) -> &'static str {
    match moment {
        CrashMoment::BeforeEffect => "before",
        CrashMoment::AfterEffect => "after",
    }
}

async fn crashed_at_every_write(
    life: &mut Life,
    operation: &Operation,
    end: &Operation,
) -> Result<(), String> {
    let before = life.fork();
    let first = life.world.writes();
    let runs = life.converge(operation, |_, _| {}).await?;
    if runs != 1 {
        return Err(format!(
            "{operation:?} took {runs} runs although nothing went wrong"
        ));
    }
    life.check(operation).await?;
    let mut moments = BTreeMap::<&str, (u64, u64)>::new();
    for write_index in first..life.world.writes() {
        let mut fork = before.fork();
        let moment = moment(write_index + life.seed);
        let came = crashed_at(&mut fork, operation, end, CrashPoint { write_index, moment })
            .await
            .map_err(|problem| format!("crash at write {write_index}, {moment:?}: {problem}"))?;
        let (of_all, came_in) = moments.entry(name(moment)).or_default();
        *of_all += 1;
        *came_in += u64::from(came);
    }
    let (before, came_before) = moments
        .get(name(CrashMoment::BeforeEffect))
        .copied()
        .unwrap_or_default();
    if came_before < before {
        return Err(format!("{came_before} of {before} crashes before a write came"));
    }
    // A write that is refused, and tried again later, has no moment after its effect.
    let (after, came_after) = moments
        .get(name(CrashMoment::AfterEffect))
        .copied()
        .unwrap_or_default();
    if (after - came_after) * 2 > after + 2 {
        return Err(format!("{came_after} of {after} crashes after a write came"));
    }
    Ok(())
}

async fn crashed_at(
    life: &mut Life,
    operation: &Operation,
    end: &Operation,
    point: CrashPoint,
) -> Result<bool, String> {
    life.world.crash_at(Some(point));
    let came = life.converge(operation, |_, _| {}).await? > 1;
    life.world.crash_at(None);
    life.check(operation).await?;
    if matches!(operation, Operation::Destroy(_)) {
        life.check_gone()?;
    } else if point.write_index.is_multiple_of(4) {
        life.converge(end, |_, _| {}).await?;
        life.check(end).await?;
        life.check_gone()?;
    }
    Ok(came)
}

async fn crashed_again_and_again(seed: u64) -> Result<(), String> {
    let mut life = Life::new(seed, &Shape::of_seed(seed));
    for operation in operations(seed) {
        life.converge(&operation, |world, run| {
            // Later runs get further, so that the operation comes to an end.
            let write_index = world.writes() + u64::from(run) / 2;
            world.crash_at(Some(CrashPoint {
                write_index,
                moment: moment(u64::from(run) + 1),
            }));
        })
        .await?;
        life.world.crash_at(None);
        life.check(&operation).await?;
    }
    life.check_gone()
}

fn every_step(seed: u64) -> Result<(), String> {
    block_on(async {
        let mut life = Life::new(seed, &Shape::of_seed(seed));
        let [create, edit, scale, destroy] = operations(seed);
        for operation in [&create, &edit, &scale, &destroy] {
            crashed_at_every_write(&mut life, operation, &destroy).await?;
        }
        life.check_gone()?;
        crashed_again_and_again(seed)
            .await
            .map_err(|problem| format!("crash after crash: {problem}"))
    })
}

sharded!(
    every_step,
    "crashes",
    crashes_0 = 0,
    crashes_1 = 1,
    crashes_2 = 2,
    crashes_3 = 3,
    crashes_4 = 4,
    crashes_5 = 5,
    crashes_6 = 6,
    crashes_7 = 7,
);
