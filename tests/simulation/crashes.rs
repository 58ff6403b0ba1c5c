//! A crash of keelson at every step of a whole life.
//!
//! Each seed is lived once undisturbed, which counts its writes. Then the life is lived again for every write, and
//! keelson is killed there: before the write had its effect for one half of them, after it for the other; which
//! half is which depends on the seed. And once keelson is killed at every second write of one and the same life.

use keelson_provider_simulated::CrashMoment;

use super::life::{Life, block_on, operations};
use super::sharded;
use super::specs::Shape;

async fn undisturbed(seed: u64) -> Result<u64, String> {
    let mut life = Life::new(seed, &Shape::of_seed(seed));
    for operation in operations(seed) {
        let runs = life.converge(&operation, |_, _| {}).await?;
        if runs != 1 {
            return Err(format!(
                "{operation:?} took {runs} runs although nothing went wrong"
            ));
        }
        life.check(&operation).await?;
    }
    life.check_gone()?;
    Ok(life.world.writes())
}

async fn crashed_at(seed: u64, write_index: u64, moment: CrashMoment) -> Result<(), String> {
    let mut life = Life::new(seed, &Shape::of_seed(seed));
    life.crash_at(write_index, moment);
    for operation in operations(seed) {
        life.converge(&operation, |_, _| {}).await?;
        life.check(&operation).await?;
    }
    life.check_gone()
}

async fn crashed_again_and_again(seed: u64) -> Result<(), String> {
    let mut life = Life::new(seed, &Shape::of_seed(seed));
    for operation in operations(seed) {
        life.converge(&operation, |world, run| {
            let moment = if run.is_multiple_of(2) {
                CrashMoment::AfterEffect
            } else {
                CrashMoment::BeforeEffect
            };
            // Later runs get further, so that the operation comes to an end.
            let point = keelson_provider_simulated::CrashPoint {
                write_index: world.writes() + u64::from(run) / 2,
                moment,
            };
            world.crash_at(Some(point));
        })
        .await?;
        life.world.crash_at(None);
        life.check(&operation).await?;
    }
    life.check_gone()
}

fn every_step(seed: u64) -> Result<(), String> {
    block_on(async {
        let writes = undisturbed(seed).await?;
        for write_index in 0..writes {
            let moment = if (write_index + seed).is_multiple_of(2) {
                CrashMoment::BeforeEffect
            } else {
                CrashMoment::AfterEffect
            };
            crashed_at(seed, write_index, moment).await.map_err(|problem| {
                format!("crash at write {write_index} of {writes}, {moment:?}: {problem}")
            })?;
        }
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
