//! Snapshots that are saved and pruned while keelson is killed at any of its writes, to the world and to the state store, and
//! while calls of both fail: what was good stays good, and what counts is whole.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keelson::backup::{BackupName, KeepRules};
use keelson::execute::Silent;
use keelson::ops::{OperationError, SaveRequest, SavedBackup, Session, VerifyRequest};
use keelson_provider_api::{BulkStore, Progress};
use keelson_provider_simulated::{CrashMoment, CrashPoint, FaultPlan, MemoryStore};

use super::deadly::Deadly;
use super::life::{Life, NAME, Operation, block_on};
use super::sharded;
use super::specs::Shape;

/// A cluster, and what is known of its backups.
struct Kept {
    life: Life,
    shape: Shape,
}

/// So often a save may fail where a tenth of all calls do.
const ATTEMPTS: u32 = 40;

impl Kept {
    async fn new(seed: u64) -> Result<Self, String> {
        let shape = Shape::of_seed(seed);
        let mut life = Life::new(seed, &shape);
        life.converge(&Operation::Apply(shape.clone()), |_, _| {}).await?;
        let kept = Self { life, shape };
        // One that was good before anything happens.
        kept.save().await.map_err(told)?;
        kept.life.pass(Duration::from_secs(3600)).await;
        Ok(kept)
    }

    fn fork(&self) -> Self {
        Self {
            life: self.life.fork(),
            shape: self.shape.clone(),
        }
    }

    fn session(&self) -> Session {
        self.session_on(self.life.store.clone())
    }

    fn session_on(&self, store: Arc<dyn BulkStore>) -> Session {
        self.life.session_on(store, self.shape.spec(NAME, self.life.seed))
    }

    async fn save(&self) -> Result<Vec<SavedBackup>, OperationError> {
        save(&self.session()).await
    }

    /// The names of the backups that count, each of which is read to its end.
    async fn good(&self) -> Result<BTreeSet<BackupName>, String> {
        let session = self.session();
        let list = session.backups().await.map_err(told)?;
        let counting = list.backups.iter().filter(|backup| backup.manifest.is_some());
        let names: Vec<BackupName> = counting.map(|backup| backup.name.clone()).collect();
        let report = session
            .verify_backups(&VerifyRequest::Named(names.clone()), None)
            .await
            .map_err(told)?;
        if report.good {
            Ok(names.into_iter().collect())
        } else {
            Err(format!("one that counts is damaged: {report:?}"))
        }
    }

    /// The newest revision that anybody was told of.
    async fn revision(&self) -> Result<u64, String> {
        let report = self.session().etcd_report(&Silent).await.map_err(told)?;
        let main = report.clusters.get("main").ok_or("no etcd")?;
        Ok(main
            .members
            .iter()
            .filter_map(|member| member.revision)
            .max()
            .unwrap_or(0))
    }

    /// What must hold after a save was cut off: nothing that was good is lost, and the next one is whole and has all that was
    /// written before it.
    async fn check(&self, before: &BTreeSet<BackupName>) -> Result<(), String> {
        let good = self.good().await?;
        if !good.is_superset(before) {
            return Err(format!("{before:?} were good, and are {good:?}"));
        }
        self.life.pass(Duration::from_secs(60)).await;
        let revision = self.revision().await?;
        let saved = self.save().await.map_err(told)?;
        let main = saved.iter().find(|saved| saved.manifest.etcd_cluster == "main");
        let main = &main.ok_or("main was not saved")?.manifest;
        if main.contents.revision < revision {
            return Err(format!(
                "{revision} was acknowledged, and {} is kept",
                main.contents.revision
            ));
        }
        let now = self.good().await?;
        if saved.iter().all(|saved| now.contains(&saved.manifest.name)) {
            Ok(())
        } else {
            Err("what was saved does not count".to_owned())
        }
    }
}

async fn save(session: &Session) -> Result<Vec<SavedBackup>, OperationError> {
    session
        .save_backups(&SaveRequest::default(), &Progress::default())
        .await
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// Kills keelson at each write that a save makes to the world.
async fn killed_at_every_write(kept: &Kept) -> Result<(), String> {
    let before = kept.good().await?;
    let whole = kept.fork();
    let first = whole.life.world.writes();
    whole.save().await.map_err(told)?;
    let writes = whole.life.world.writes() - first;
    for write in 0..writes {
        for moment in [CrashMoment::BeforeEffect, CrashMoment::AfterEffect] {
            let fork = kept.fork();
            let world = fork.life.world.clone();
            let write_index = world.writes() + write;
            world.crash_at(Some(CrashPoint { write_index, moment }));
            let session = fork.session();
            let died = tokio::select! {
                biased;
                _ = save(&session) => false,
                () = world.crashed() => true,
            };
            let at = |problem: String| format!("killed {moment:?} of write {write} of {writes}: {problem}");
            if !died {
                return Err(at("it did not come".to_owned()));
            }
            world.restart();
            fork.check(&before).await.map_err(at)?;
        }
    }
    Ok(())
}

/// Kills keelson at each write that `work` makes to the store, and has `check` look at what is left.
async fn store_deaths<W, C>(
    kept: &Kept,
    work: impl Fn(Session) -> W,
    check: impl Fn(Kept) -> C,
) -> Result<(), String>
where
    W: Future<Output = Result<(), OperationError>>,
    C: Future<Output = Result<(), String>>,
{
    let whole = kept.fork();
    let counting = Deadly::counting(whole.life.store.clone());
    work(whole.session_on(Arc::new(counting.clone())))
        .await
        .map_err(told)?;
    let writes = counting.writes();
    for write in 0..writes {
        for has_effect in [false, true] {
            let fork = kept.fork();
            let store = Deadly::new(fork.life.store.clone(), write, has_effect);
            let died = tokio::select! {
                biased;
                _ = work(fork.session_on(Arc::new(store.clone()))) => false,
                () = store.died() => true,
            };
            let at = |problem: String| format!("died at write {write} of {writes} to the store: {problem}");
            if !died {
                return Err(at("it did not come".to_owned()));
            }
            check(fork).await.map_err(at)?;
        }
    }
    Ok(())
}

/// Of five snapshots, two stay.
async fn pruned_with_deaths(kept: &Kept) -> Result<(), String> {
    let mut newest = BTreeSet::new();
    for _ in 0..4 {
        kept.life.pass(Duration::from_secs(7200)).await;
        newest = kept
            .save()
            .await
            .map_err(told)?
            .into_iter()
            .map(|saved| saved.manifest.name)
            .collect();
    }
    let prune = async |session: Session| {
        let rules = KeepRules {
            last: 2,
            ..KeepRules::default()
        };
        let planned = session.plan_prune(Some(rules)).await?;
        session.prune(planned).await.map(|_| ())
    };
    let whole = kept.fork();
    prune(whole.session()).await.map_err(told)?;
    let left = whole.good().await?;
    let (left, newest, prune) = (&left, &newest, &prune);
    store_deaths(kept, prune, async |fork: Kept| {
        let good = fork.good().await?;
        if !good.is_superset(left) || !good.is_superset(newest) {
            return Err(format!("{good:?} are left of those that stay: {left:?}"));
        }
        prune(fork.session()).await.map_err(told)?;
        let good = fork.good().await?;
        if good == *left {
            Ok(())
        } else {
            Err(format!("{good:?} are left in place of {left:?}"))
        }
    })
    .await
}

/// Calls of the world and of the store fail, and saves are tried until one is done.
async fn saved_among_faults(kept: &Kept) -> Result<(), String> {
    let seed = kept.life.seed;
    let mut fork = kept.fork();
    fork.life.store = Arc::new(MemoryStore::with_faults_from(&kept.life.store, seed, 10));
    fork.life.world.set_faults(FaultPlan::new(seed, 10));
    let mut done = false;
    for _ in 0..ATTEMPTS {
        done = fork.save().await.is_ok();
        fork.life.pass(Duration::from_secs(5)).await;
        if done {
            break;
        }
    }
    if !done {
        return Err(format!("nothing was saved in {ATTEMPTS} attempts"));
    }
    fork.life.world.set_faults(FaultPlan::new(seed, 0));
    fork.life.store = Arc::new(MemoryStore::with_faults_from(&fork.life.store, seed, 0));
    let (before, good) = (kept.good().await?, fork.good().await?);
    if good.is_superset(&before) && good.len() > before.len() {
        Ok(())
    } else {
        Err(format!("{before:?} were good, and are {good:?}"))
    }
}

/// One seed of so many: each is as many lives as there are writes.
const SPARED: u64 = 9;

fn every_write(seed: u64) -> Result<(), String> {
    if !seed.is_multiple_of(SPARED) {
        return Ok(());
    }
    block_on(async {
        let kept = Kept::new(seed).await?;
        killed_at_every_write(&kept).await?;
        let before = &kept.good().await?;
        let saves = async |session: Session| save(&session).await.map(|_| ());
        store_deaths(&kept, saves, async |fork: Kept| fork.check(before).await).await?;
        saved_among_faults(&kept)
            .await
            .map_err(|problem| format!("among faults: {problem}"))?;
        pruned_with_deaths(&kept)
            .await
            .map_err(|problem| format!("pruned: {problem}"))
    })
}

sharded!(
    every_write,
    "backups",
    backups_0 = 0,
    backups_1 = 1,
    backups_2 = 2,
    backups_3 = 3,
    backups_4 = 4,
    backups_5 = 5,
    backups_6 = 6,
    backups_7 = 7,
);
