//! An etcd that is given the data of a snapshot while keelson is killed at any of its writes, to the world and to the state store,
//! while calls of both fail, and while a machine does not answer: the same command goes on, and nothing is lost on the way.

mod anew;
mod scene;

use std::sync::Arc;
use std::time::Duration;

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{OperationError, RestoreTerms, Session};
use keelson_provider_api::Progress;
use keelson_provider_simulated::{CrashMoment, CrashPoint, FaultPlan, MemoryStore};

use super::deadly::Deadly;
use super::life::block_on;
use super::sharded;
use super::specs::{Shape, mix};
use scene::{Scene, told};

/// So often a restore may fail where a tenth of all calls do: it asks the state store twenty times, and ends when one fails.
const ATTEMPTS: usize = 200;
/// A lease of whoever was killed has run out by then.
const LEASE_IS_OVER: Duration = Duration::from_secs(60);
/// A restore waits for a machine that is away for this long, and not for one that is away for the other.
const AWAY_BRIEFLY: Duration = Duration::from_secs(40);
const AWAY_LONG: Duration = Duration::from_secs(3600);

/// Goes on with a restore that was cut off, and sees that nothing else is done before.
async fn go_on(scene: &mut Scene) -> Result<(), String> {
    scene.check_kept()?;
    scene.life.pass(LEASE_IS_OVER).await;
    let first = scene.first.clone();
    if scene.has_begun().await? {
        scene.check_nothing_else().await?;
    } else if !scene.is_untouched() {
        // It had come to its end, and what follows is another one.
        scene.check_restored(&first).await?;
        scene.remember();
    }
    scene.restore(&first).await.map_err(told)?;
    scene.check_one_restore()?;
    scene.check_nothing_brought()?;
    scene.check_restored(&first).await
}

/// Kills keelson at each write that a restore makes to the world.
async fn killed_at_every_write(scene: &Scene) -> Result<(), String> {
    let mut whole = scene.fork();
    let first = whole.life.world.writes();
    whole.restore(&whole.first).await.map_err(told)?;
    let writes = whole.life.world.writes() - first;
    whole.check_restored(&scene.first).await?;
    for write in 0..writes {
        let mut copies = scene.copies_of_snapshot();
        for moment in [CrashMoment::BeforeEffect, CrashMoment::AfterEffect] {
            let mut fork = scene.fork();
            let world = fork.life.world.clone();
            let write_index = world.writes() + write;
            world.crash_at(Some(CrashPoint { write_index, moment }));
            let died = tokio::select! {
                biased;
                _ = fork.restore(&fork.first) => false,
                () = world.crashed() => true,
            };
            let at = |problem: String| format!("killed {moment:?} of write {write} of {writes}: {problem}");
            if !died {
                return Err(at("it did not come".to_owned()));
            }
            world.restart();
            let now = fork.copies_of_snapshot();
            if now < copies {
                return Err(at(format!("there were {copies} copies, and there are {now}")));
            }
            copies = now;
            go_on(&mut fork).await.map_err(at)?;
        }
    }
    Ok(())
}

/// Kills keelson at each write that a restore makes to the state store.
async fn killed_at_every_write_to_the_store(scene: &Scene) -> Result<(), String> {
    let whole = scene.fork();
    let counting = Deadly::counting(whole.life.store.clone());
    let session = whole.session_on(Arc::new(counting.clone()));
    whole
        .restore_by(&session, &whole.first, RestoreTerms::default())
        .await
        .map_err(told)?;
    let writes = counting.writes();
    for write in 0..writes {
        for has_effect in [false, true] {
            let mut fork = scene.fork();
            let store = Deadly::new(fork.life.store.clone(), write, has_effect);
            let session = fork.session_on(Arc::new(store.clone()));
            let died = tokio::select! {
                biased;
                _ = fork.restore_by(&session, &fork.first, RestoreTerms::default()) => false,
                () = store.died() => true,
            };
            let at = |problem: String| format!("died at write {write} of {writes} to the store: {problem}");
            if !died {
                return Err(at("it did not come".to_owned()));
            }
            drop(session);
            go_on(&mut fork).await.map_err(at)?;
        }
    }
    Ok(())
}

/// Calls of the world and of the store fail, and the restore is tried until it is done.
async fn restored_among_faults(scene: &Scene) -> Result<(), String> {
    let seed = scene.life.seed;
    let mut fork = scene.fork();
    fork.life.store = Arc::new(MemoryStore::with_faults_from(&scene.life.store, seed, 10));
    fork.life.world.set_faults(FaultPlan::new(seed, 10));
    let mut trouble = Vec::new();
    for _ in 0..ATTEMPTS {
        match fork.restore(&fork.first).await {
            Ok(()) => break,
            Err(error) => trouble.push(error),
        }
        fork.check_kept()?;
        fork.life.pass(LEASE_IS_OVER).await;
    }
    if trouble.len() == ATTEMPTS {
        return Err(format!(
            "not restored in {ATTEMPTS} attempts: {:?}",
            trouble.pop()
        ));
    }
    fork.life.world.set_faults(FaultPlan::new(seed, 0));
    fork.life.store = Arc::new(MemoryStore::with_faults_from(&fork.life.store, seed, 0));
    fork.check_nothing_brought()?;
    // The last answer of a restore that was done may have been lost: then it is not told, and there is nothing to go on with.
    fork.check_restored(&scene.first).await
}

/// Each of two backups after the other: no revision is given twice, and all that was there before stays aside.
async fn restored_again(scene: &Scene) -> Result<(), String> {
    let mut fork = scene.fork();
    for saved in [&scene.first, &scene.first, &scene.second] {
        fork.restore(saved).await.map_err(told)?;
        fork.check_nothing_brought()?;
        fork.check_restored(saved).await?;
        fork.life.pass(LEASE_IS_OVER).await;
        fork.remember();
    }
    Ok(())
}

/// What a restore tells of when it begins something.
const STAGES: [&str; 5] = [
    "stop control planes",
    "end the members of before and move their data aside",
    "give each member the snapshot's data",
    "start the members",
    "let control planes run again",
];

/// A machine does not answer from the moment on at which a stage begins.
async fn restored_with_silence(scene: &Scene) -> Result<(), String> {
    for (stage, pause) in STAGES
        .into_iter()
        .flat_map(|stage| [(stage, AWAY_BRIEFLY), (stage, AWAY_LONG)])
    {
        let mut fork = scene.fork();
        let session = fork.session();
        let restored = restore_with_silence(&fork, &session, stage, pause).await;
        let at = |problem: String| format!("silent for {pause:?} from `{stage}` on: {problem}");
        match restored {
            Ok(()) => {
                fork.life.pass(pause).await;
                fork.check_restored(&scene.first).await.map_err(at)?;
            }
            Err(OperationError::Machine(error))
                if pause == AWAY_LONG && told(&error).contains("not answer") =>
            {
                fork.life.pass(pause).await;
                go_on(&mut fork).await.map_err(at)?;
            }
            Err(error) => return Err(at(told(error))),
        }
    }
    Ok(())
}

async fn restore_with_silence(
    scene: &Scene,
    session: &Session,
    stage: &str,
    pause: Duration,
) -> Result<(), OperationError> {
    let world = scene.life.world.clone();
    let silence = |action: &str| {
        if action == stage {
            world
                .kill_machine(&scene.identity, scene.a_machine(), pause)
                .unwrap();
        }
    };
    let snapshot = scene.unpack(session, &scene.first).await?;
    let (progress, interrupt) = (Progress::to(&silence), Interrupt::new());
    let restored = session.restore_etcd(&snapshot, RestoreTerms::default(), &progress, &Silent, &interrupt);
    restored.await.map(|_| ())
}

/// One seed of so many: each is as many lives as there are writes.
const SPARED: u64 = 9;

fn every_write(seed: u64) -> Result<(), String> {
    if !seed.is_multiple_of(SPARED) {
        return Ok(());
    }
    block_on(async {
        let scene = Scene::new(seed, Shape::of_seed(seed)).await?;
        killed_at_every_write(&scene).await?;
        killed_at_every_write_to_the_store(&scene).await?;
        restored_again(&scene)
            .await
            .map_err(|problem| format!("again: {problem}"))
    })
}

fn trouble(seed: u64) -> Result<(), String> {
    block_on(async {
        let shape = Shape::of_seed(seed);
        let scene = Scene::new(seed, shape.clone()).await?;
        restored_among_faults(&scene)
            .await
            .map_err(|problem| format!("among faults: {problem}"))?;
        if !mix(seed, 40).is_multiple_of(SPARED) {
            return Ok(());
        }
        // Machines of clouds that do not answer are gone for good.
        let shape = Shape { like: "ssh", ..shape };
        restored_with_silence(&Scene::new(seed, shape).await?).await
    })
}

sharded!(
    every_write,
    "restores",
    restores_0 = 0,
    restores_1 = 1,
    restores_2 = 2,
    restores_3 = 3,
    restores_4 = 4,
    restores_5 = 5,
    restores_6 = 6,
    restores_7 = 7,
);

sharded!(
    trouble,
    "restores",
    trouble_0 = 0,
    trouble_1 = 1,
    trouble_2 = 2,
    trouble_3 = 3,
    trouble_4 = 4,
    trouble_5 = 5,
    trouble_6 = 6,
    trouble_7 = 7,
);

sharded!(
    anew::anew,
    "restores",
    anew_0 = 0,
    anew_1 = 1,
    anew_2 = 2,
    anew_3 = 3,
    anew_4 = 4,
    anew_5 = 5,
    anew_6 = 6,
    anew_7 = 7,
);
