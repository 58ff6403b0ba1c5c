//! A cluster with two backups and what its etcd held before, and what must hold whatever happens to a restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use keelson::backup::{BackupManifest, BackupName};
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{
    OperationError, RestoreSource, RestoreTerms, SaveRequest, Session, UnpackedSnapshot, VerifyRequest,
    WhichBackup,
};
use keelson_provider_api::{BulkStore, ClusterIdentity, Progress, Store};
use keelson_provider_simulated::{EtcdContents, EtcdCopy, EtcdPlace};
use tempfile::TempDir;

use super::super::life::{Life, NAME, Operation, Run};
use super::super::specs::{Shape, mix};

/// A backup, and what the etcd held when it was taken.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    name: BackupName,
    contents: EtcdContents,
}

impl Saved {
    /// The words that its restore is told by.
    pub(super) fn words(&self) -> String {
        self.name.to_string()
    }
}

/// A cluster, its backups, and what is known of its etcd.
pub(super) struct Scene {
    pub(super) life: Life,
    pub(super) identity: ClusterIdentity,
    pub(super) first: Saved,
    pub(super) second: Saved,
    pub(super) shape: Shape,
    etcd: &'static str,
    /// All copies of its data before anything happens.
    before: Vec<EtcdCopy>,
    /// True once its members are on machines that were made anew.
    is_anew: bool,
    /// Where snapshots are unpacked.
    folder: Arc<TempDir>,
}

impl Scene {
    /// Two backups, with writes before, between and after them.
    pub(super) async fn new(seed: u64, shape: Shape) -> Result<Self, String> {
        let mut life = Life::new(seed, &shape);
        let separate = shape.separate_events && mix(seed, 41).is_multiple_of(2);
        let etcd = if separate { "events" } else { "main" };
        life.converge(&Operation::Apply(shape.clone()), |_, _| {}).await?;
        let (identity, first) = save(&life, &shape, etcd).await?;
        life.pass(Duration::from_secs(3600)).await;
        let shape = Shape {
            label: "two",
            ..shape
        };
        life.converge(&Operation::Apply(shape.clone()), |_, _| {}).await?;
        let (_, second) = save(&life, &shape, etcd).await?;
        life.pass(Duration::from_secs(60)).await;
        let mut scene = Self {
            life,
            identity,
            first,
            second,
            shape,
            etcd,
            before: Vec::new(),
            is_anew: false,
            folder: Arc::new(TempDir::new().unwrap()),
        };
        scene.remember();
        let held = scene.before.iter().map(|copy| copy.contents.revision()).max();
        let revisions = [scene.first.contents.revision(), scene.second.contents.revision()];
        assert!(revisions[0] < revisions[1] && Some(revisions[1]) < held);
        Ok(scene)
    }

    pub(super) fn fork(&self) -> Self {
        Self {
            life: self.life.fork(),
            identity: self.identity.clone(),
            first: self.first.clone(),
            second: self.second.clone(),
            shape: self.shape.clone(),
            etcd: self.etcd,
            before: self.before.clone(),
            is_anew: self.is_anew,
            folder: self.folder.clone(),
        }
    }

    /// What there is now is what was there before, from now on.
    pub(super) fn remember(&mut self) {
        self.before = self.copies();
    }

    pub(super) fn session(&self) -> Session {
        self.session_on(self.life.store.clone())
    }

    pub(super) fn session_on(&self, store: Arc<dyn BulkStore>) -> Session {
        self.life.session_on(store, self.shape.spec(NAME, self.life.seed))
    }

    pub(super) async fn unpack(
        &self,
        session: &Session,
        saved: &Saved,
    ) -> Result<UnpackedSnapshot, OperationError> {
        let source = RestoreSource::Backup {
            which: WhichBackup::Named(saved.name.clone()),
            place: None,
        };
        session
            .unpack_snapshot(&source, self.folder.path(), &Interrupt::new())
            .await
    }

    /// One run of `keelson etcd restore`.
    pub(super) async fn restore(&self, saved: &Saved) -> Result<(), OperationError> {
        self.restore_on(saved, RestoreTerms::default()).await
    }

    pub(super) async fn restore_on(&self, saved: &Saved, terms: RestoreTerms) -> Result<(), OperationError> {
        self.restore_by(&self.session(), saved, terms).await
    }

    pub(super) async fn restore_by(
        &self,
        session: &Session,
        saved: &Saved,
        terms: RestoreTerms,
    ) -> Result<(), OperationError> {
        let snapshot = self.unpack(session, saved).await?;
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        let restored = session.restore_etcd(&snapshot, terms, &progress, &Silent, &interrupt);
        restored.await.map(|_| ())
    }

    /// What the restore is of that has begun, in words.
    pub(super) async fn standing(&self) -> Result<Option<String>, String> {
        let begun = self.session().begun_restore().await.map_err(told)?;
        Ok(begun.map(|begun| begun.words))
    }

    /// What was on `machine` is lost, and is not looked for any more.
    pub(super) fn forget(&mut self, machine: &str) {
        self.before.retain(|copy| copy.machine != machine);
    }

    /// True where no machine has any of its data.
    pub(super) fn is_lost(&self) -> bool {
        self.copies().is_empty()
    }

    /// Members are expected where they are now: all that were there before were lost.
    pub(super) fn expect_members_everywhere(&mut self) {
        self.is_anew = self.before.is_empty();
    }

    /// A machine with a member.
    pub(super) fn a_machine(&self) -> &str {
        &self.before[0].machine
    }

    /// True where no restore has given anybody other data than there was before.
    pub(super) fn is_untouched(&self) -> bool {
        let places = |copies: &[EtcdCopy]| -> BTreeSet<(String, EtcdPlace, Option<String>)> {
            let all = copies.iter();
            all.map(|copy| (copy.machine.clone(), copy.place, copy.restored.clone()))
                .collect()
        };
        places(&self.copies()) == places(&self.before)
    }

    fn copies(&self) -> Vec<EtcdCopy> {
        self.life.world.etcd_copies(&self.identity, self.etcd)
    }

    /// How many copies on machines hold all that the first backup does.
    pub(super) fn copies_of_snapshot(&self) -> usize {
        let copies = self.copies();
        let holds = |copy: &&EtcdCopy| copy.contents.holds(&self.first.contents);
        copies.iter().filter(holds).count()
    }

    /// True where a restore has begun and did not come to its end.
    pub(super) async fn has_begun(&self) -> Result<bool, String> {
        let path = format!("{NAME}/restore.json");
        let intent = self.life.store.read(&path).await.map_err(told)?;
        Ok(intent.is_some())
    }

    /// Nothing is lost: what a machine had before is there, on the same machine, and backups are whole.
    pub(super) fn check_kept(&self) -> Result<(), String> {
        let copies = self.copies();
        for old in &self.before {
            let is_kept = copies.iter().any(|copy| {
                copy.machine == old.machine
                    && copy.restored == old.restored
                    && copy.contents.holds(&old.contents)
                    && (copy.place == old.place || copy.place == EtcdPlace::Aside)
            });
            if !is_kept {
                return Err(format!("{old:?} is lost; there are {copies:#?}"));
            }
        }
        if copies.len() < self.before.len() {
            return Err(format!("there were {:?}, and are {copies:?}", self.before));
        }
        check_revisions(&copies)
    }

    /// The same restore went on: data of before was moved aside once, and none that a restore had made itself.
    pub(super) fn check_one_restore(&self) -> Result<(), String> {
        let served = self.before.iter().filter(|copy| copy.place == EtcdPlace::Served);
        let (expected, copies) = (self.before.len() + served.count(), self.copies());
        if copies.len() == expected {
            Ok(())
        } else {
            Err(format!(
                "it was begun anew: {expected} copies are expected, and there are {copies:#?}"
            ))
        }
    }

    /// Nothing but the same restore is done: not another one, and no apply.
    pub(super) async fn check_nothing_else(&mut self) -> Result<(), String> {
        let writes = self.life.world.writes();
        let operation = Operation::Apply(self.shape.clone());
        let applied = match self.life.run(&operation, &Silent).await {
            Run::Failed(error) => Err(error),
            Run::Done | Run::Crashed => Ok(()),
        };
        let others = [applied, self.restore(&self.second).await];
        for other in others {
            match other {
                Err(OperationError::RestoreUnderWay {
                    etcd, source_words, ..
                }) if etcd == self.etcd && source_words == self.first.name.to_string() => {}
                other => return Err(format!("something else was done amid a restore: {other:?}")),
            }
        }
        if self.life.world.writes() == writes {
            Ok(())
        } else {
            Err("what was refused has changed something".to_owned())
        }
    }

    /// Nothing of what machines were brought lies there any more.
    pub(super) fn check_nothing_brought(&self) -> Result<(), String> {
        let brought = self.life.world.brought_snapshots(&self.identity);
        if brought.is_empty() {
            Ok(())
        } else {
            Err(format!("there is a snapshot on {brought:?}"))
        }
    }

    /// All members have what `saved` holds, and are of one etcd; nothing is lost; the cluster is well and needs nothing.
    pub(super) async fn check_restored(&mut self, saved: &Saved) -> Result<(), String> {
        self.check_data(saved).await?;
        let names = vec![self.first.name.clone(), self.second.name.clone()];
        let request = VerifyRequest::Named(names);
        let report = self.session().verify_backups(&request, None).await;
        let report = report.map_err(told)?;
        if !report.good {
            return Err(format!("a backup is damaged: {report:?}"));
        }
        self.life.check(&Operation::Apply(self.shape.clone())).await
    }

    /// All members have what `saved` holds, and are of one etcd; nothing is lost.
    pub(super) async fn check_data(&self, saved: &Saved) -> Result<(), String> {
        self.check_kept()?;
        if self.has_begun().await? {
            return Err("it is said to go on".to_owned());
        }
        let copies = self.copies();
        let is_served = |copy: &&EtcdCopy| copy.place == EtcdPlace::Served;
        let served: Vec<&EtcdCopy> = copies.iter().filter(is_served).collect();
        let before = self.before.iter().filter(is_served);
        let before: BTreeSet<&String> = before.map(|copy| &copy.machine).collect();
        let machines: BTreeSet<&String> = served.iter().map(|copy| &copy.machine).collect();
        let incarnations: BTreeSet<&Option<String>> = served.iter().map(|copy| &copy.restored).collect();
        let was =
            |incarnation: &&Option<String>| self.before.iter().any(|copy| copy.restored == **incarnation);
        let are_elsewhere = machines != before && !self.is_anew;
        if are_elsewhere || incarnations.len() != 1 || incarnations.iter().any(was) {
            return Err(format!("it is served by {served:#?}"));
        }
        if copies.iter().any(|copy| copy.place == EtcdPlace::Placed) {
            return Err(format!("nobody serves what was put there: {copies:#?}"));
        }
        let kept = &saved.contents.stretches;
        let differs = |copy: &&EtcdCopy| {
            let stretches = &copy.contents.stretches;
            stretches.len() != kept.len() + 1 || !stretches.starts_with(kept)
        };
        if let Some(copy) = served.into_iter().find(differs) {
            return Err(format!("{copy:#?} is no copy of {saved:#?}"));
        }
        Ok(())
    }
}

/// Saves every etcd, and notes what was held by the one that is looked at.
async fn save(life: &Life, shape: &Shape, etcd: &'static str) -> Result<(ClusterIdentity, Saved), String> {
    let session = life.session(shape.spec(NAME, life.seed));
    let request = SaveRequest::default();
    let saved = session.save_backups(&request, &Progress::default()).await;
    let manifests = saved.map_err(told)?.into_iter().map(|saved| saved.manifest);
    let manifest: BackupManifest = manifests
        .into_iter()
        .find(|manifest| manifest.etcd_cluster == etcd)
        .ok_or("it was not saved")?;
    let identity = ClusterIdentity {
        name: manifest.cluster_name.clone(),
        uid: Some(manifest.cluster_uid.clone()),
    };
    let copies = life.world.etcd_copies(&identity, etcd);
    let held = &copies.first().ok_or("it has no member")?.contents;
    let contents = held.until(manifest.contents.revision);
    assert_eq!(contents.revision(), manifest.contents.revision);
    let name = manifest.name;
    Ok((identity, Saved { name, contents }))
}

/// No revision was given by two incarnations.
fn check_revisions(copies: &[EtcdCopy]) -> Result<(), String> {
    let mut given: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for stretch in copies.iter().flat_map(|copy| &copy.contents.stretches) {
        let (first, last) = given.entry(&stretch.by).or_insert((stretch.first, stretch.last));
        (*first, *last) = (stretch.first.min(*first), stretch.last.max(*last));
    }
    let mut ranges: Vec<(u64, u64)> = given.values().copied().collect();
    ranges.sort_unstable();
    match ranges.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
        Some(pair) => Err(format!("revisions were given twice: {pair:?}")),
        None => Ok(()),
    }
}

pub(super) fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
