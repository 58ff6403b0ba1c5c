//! Restores that another one takes the place of, wherever they were: with another snapshot, or since a machine never comes back.

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{OperationError, RestoreTerms};
use keelson_provider_api::Progress;
use keelson_provider_simulated::{CrashMoment, CrashPoint};

use super::super::life::{Operation, block_on};
use super::super::specs::{Shape, mix};
use super::scene::{Saved, Scene, told};
use super::{LEASE_IS_OVER, SPARED, STAGES};

/// So often an apply and a restore follow each other at most, where all machines of an etcd were lost.
const TURNS: usize = 10;

/// Restores `saved`, and kills keelson at the write of that number, counted from here. True where it came so far.
async fn killed_at(
    scene: &Scene,
    saved: &Saved,
    terms: RestoreTerms,
    write: u64,
    moment: CrashMoment,
) -> Result<bool, String> {
    let world = scene.life.world.clone();
    let write_index = world.writes() + write;
    world.crash_at(Some(CrashPoint { write_index, moment }));
    let ended = tokio::select! {
        biased;
        restored = scene.restore_on(saved, terms) => Some(restored),
        () = world.crashed() => None,
    };
    world.restart();
    scene.life.pass(LEASE_IS_OVER).await;
    match ended {
        None => Ok(true),
        Some(Ok(())) => Ok(false),
        Some(Err(error)) => Err(told(error)),
    }
}

const ANEW: RestoreTerms = RestoreTerms {
    begins_anew: true,
    of_another_cluster: false,
};

/// Kills keelson at each write that a restore makes to the world, and begins anew with another snapshot, which is killed too.
async fn begun_anew_at_every_write(scene: &Scene) -> Result<(), String> {
    let whole = scene.fork();
    let first = whole.life.world.writes();
    whole.restore(&whole.first).await.map_err(told)?;
    let writes = whole.life.world.writes() - first;
    for write in 0..writes {
        let number = mix(scene.life.seed, 100 + write);
        let [one, other] = [number, number >> 1].map(|bit| match bit % 2 {
            0 => CrashMoment::BeforeEffect,
            _ => CrashMoment::AfterEffect,
        });
        let second_write = (number >> 2) % (writes + writes / 2);
        let at = |problem: String| {
            format!(
                "killed {one:?} of write {write} of {writes}, and {other:?} of write {second_write} of the next: {problem}"
            )
        };
        let mut fork = scene.fork();
        let terms = RestoreTerms::default();
        if !killed_at(&fork, &fork.first, terms, write, one)
            .await
            .map_err(at)?
        {
            return Err(at("it did not come".to_owned()));
        }
        if !fork.has_begun().await? {
            continue;
        }
        killed_at(&fork, &fork.second, ANEW, second_write, other)
            .await
            .map_err(at)?;
        fork.check_kept().map_err(at)?;
        if fork.has_begun().await? {
            let began_anew = fork.standing().await? == Some(fork.second.words());
            let terms = RestoreTerms {
                begins_anew: !began_anew,
                ..RestoreTerms::default()
            };
            fork.restore_on(&fork.second, terms)
                .await
                .map_err(told)
                .map_err(at)?;
        }
        let second = fork.second.clone();
        fork.check_restored(&second).await.map_err(at)?;
    }
    Ok(())
}

/// A founder's machine is lost for good when a stage begins.
async fn a_founder_never_comes_back(scene: &Scene) -> Result<(), String> {
    for stage in STAGES {
        let mut fork = scene.fork();
        let at = |problem: String| format!("lost from `{stage}` on: {problem}");
        let lost = fork.a_machine().to_owned();
        let failed = restore_with_loss(&fork, stage, &lost).await;
        fork.forget(&lost);
        fork.life.pass(LEASE_IS_OVER).await;
        let saved = match failed {
            // It was lost after all was done.
            Ok(()) if fork.is_lost() => continue,
            Ok(()) => fork.first.clone(),
            Err(_) => {
                begin_anew(&mut fork).await.map_err(at)?;
                fork.second.clone()
            }
        };
        fork.check_data(&saved).await.map_err(at)?;
        let operation = Operation::Apply(fork.shape.clone());
        fork.life.converge(&operation, |_, _| {}).await.map_err(at)?;
        fork.check_kept().map_err(at)?;
        fork.life.check(&operation).await.map_err(at)?;
    }
    Ok(())
}

async fn restore_with_loss(scene: &Scene, stage: &str, lost: &str) -> Result<(), OperationError> {
    let session = scene.session();
    let strike = |action: &str| {
        if action == stage {
            scene.life.world.lose_machine(&scene.identity, lost).unwrap();
        }
    };
    let snapshot = scene.unpack(&session, &scene.first).await?;
    let (progress, interrupt) = (Progress::to(&strike), Interrupt::new());
    let restored = session.restore_etcd(&snapshot, RestoreTerms::default(), &progress, &Silent, &interrupt);
    restored.await.map(drop)
}

/// The same restore cannot come to its end, and says what to do; one that begins anew can.
async fn begin_anew(scene: &mut Scene) -> Result<(), String> {
    match scene.restore(&scene.first).await {
        Err(OperationError::Machine(error))
            if error
                .help
                .as_deref()
                .is_some_and(|help| help.contains("--begin-anew")) => {}
        other => return Err(format!("the way out is not told: {other:?}")),
    }
    match scene.restore_on(&scene.second, ANEW).await {
        Ok(()) => return scene.check_nothing_brought(),
        Err(OperationError::NoFounder(_)) if !scene.has_begun().await? && scene.is_lost() => {}
        Err(error) => return Err(told(error)),
    }
    // Nobody has its data: an apply makes their machines anew, and waits for it.
    let mut last = None;
    for _ in 0..TURNS {
        let operation = Operation::Apply(scene.shape.clone());
        scene.life.run(&operation, &Silent).await;
        scene.life.pass(LEASE_IS_OVER).await;
        match scene.restore(&scene.second).await {
            Ok(()) => {
                scene.expect_members_everywhere();
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
    }
    Err(format!("it is not restored after {TURNS} turns: {last:?}"))
}

pub(super) fn anew(seed: u64) -> Result<(), String> {
    block_on(async {
        let shape = Shape::of_seed(seed);
        let scene = Scene::new(seed, shape.clone()).await?;
        // What is lost with an only machine is more than one etcd.
        if shape.control_planes > 1 || shape.dedicated_etcd || !shape.separate_events {
            a_founder_never_comes_back(&scene).await?;
        }
        if (seed + SPARED / 2).is_multiple_of(SPARED) {
            begun_anew_at_every_write(&scene).await?;
        }
        Ok(())
    })
}
