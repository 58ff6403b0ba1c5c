//! A cluster with backups in the state store and on a machine, and machines that are played where they are restored.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson::backup::Archive;
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, BackupParts, HostArchive, OperationError, RestoreSource, RestoreTerms,
    RestoredEtcd, SaveRequest, Session, SessionParts, WhichBackup,
};
use keelson::pki::Seal;
use keelson::spec;
use keelson_provider_api::{
    ClusterIdentity, Defragmented, DrillSnapshot, Drilled, ErrorClass, EtcdDrill, EtcdInstance,
    EtcdMaintenance, EtcdRestore, Progress, ProviderError, Restoration, SetAside, StepContext, Store,
    WrittenSnapshot,
};
use keelson_provider_simulated::{MemoryStore, SimulatedMaintenance, providers};
use tokio::sync::mpsc::Sender;

use super::troubled::Troubled;
use super::{backup_parts, world};

pub(super) const INTENT: &str = "prod/restore.json";
/// What machines are asked for in a restore, in its order.
pub(super) const STEPS: [&str; 7] = ["check", "bring", "hold", "end", "place", "start", "release"];
/// How many of them come before anything is touched.
pub(super) const LOOKS: usize = 2;
/// What comes when it is done.
pub(super) const LAST: &str = "list";

/// What was asked of machines, in its order, and what they refuse.
#[derive(Default)]
pub(super) struct Played {
    asked: Mutex<Vec<String>>,
    pub(super) restorations: Mutex<Vec<Restoration>>,
    pub(super) refuses: Mutex<Option<&'static str>>,
    /// What fails so often in a way that passes or not.
    pub(super) fails: Mutex<Option<(&'static str, ErrorClass, u32)>>,
    /// What the drill's member is to have.
    pub(super) drilled: Mutex<Option<Drilled>>,
    /// What was to be forgotten: the SHA-256 of a snapshot, and the machines.
    pub(super) forgotten: Mutex<Vec<(String, Vec<String>)>>,
    pub(super) stops: Mutex<Option<Interrupt>>,
    /// The etcd of which machines have marks alone.
    pub(super) lost: Mutex<Option<&'static str>>,
}

impl Played {
    fn ask(&self, what: &str) -> Result<(), ProviderError> {
        self.asked.lock().unwrap().push(what.to_owned());
        if let Some((step, class, left @ 1..)) = &mut *self.fails.lock().unwrap()
            && *step == what
        {
            *left -= 1;
            return Err(ProviderError::new(*class, format!("cannot {what} now")));
        }
        if *self.refuses.lock().unwrap() == Some(what) {
            return Err(ProviderError::new(
                ErrorClass::Permanent,
                format!("cannot {what}"),
            ));
        }
        Ok(())
    }

    fn step(&self, what: &str, restoration: &Restoration) -> Result<(), ProviderError> {
        self.restorations.lock().unwrap().push(restoration.clone());
        self.ask(what)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl EtcdRestore for Played {
    async fn check(&self, _: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        self.step("check", restoration)
    }

    async fn bring_snapshot(
        &self,
        _: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        self.step("bring", restoration)
    }

    async fn forget_snapshot(&self, _: &StepContext<'_>, restoration: &Restoration) {
        let forgotten = (restoration.sha256.clone(), restoration.founders.clone());
        self.forgotten.lock().unwrap().push(forgotten);
    }

    async fn hold_control_planes(&self, _: &StepContext<'_>) -> Result<(), ProviderError> {
        self.ask("hold")
    }

    async fn release_control_planes(&self, _: &StepContext<'_>) -> Result<(), ProviderError> {
        self.ask("release")
    }

    async fn has_lost_its_data(&self, _: &ClusterIdentity, etcd: &'static EtcdInstance) -> bool {
        *self.lost.lock().unwrap() == Some(etcd.cluster)
    }

    async fn end_members(&self, _: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        self.step("end", restoration)
    }

    async fn place_data(&self, _: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError> {
        self.step("place", restoration)
    }

    async fn start_members(
        &self,
        _: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError> {
        self.step("start", restoration)
    }

    async fn set_aside(&self, _: &StepContext<'_>, _: &Restoration) -> Result<Vec<SetAside>, ProviderError> {
        self.ask("list")?;
        Ok(vec![SetAside {
            machine: "control-plane-1".to_owned(),
            folder: "/var/lib/etcd.removed-1".to_owned(),
            size_bytes: 1 << 20,
        }])
    }
}

#[async_trait]
impl EtcdDrill for Played {
    async fn drill(
        &self,
        _: &ClusterIdentity,
        _: &DrillSnapshot<'_>,
        _: Option<&str>,
        _: &Progress<'_>,
    ) -> Result<Drilled, ProviderError> {
        self.ask("drill")?;
        Ok(self.drilled.lock().unwrap().clone().unwrap())
    }
}

/// The etcds of a simulated world, whose defragmentation is looked at.
struct Watched(SimulatedMaintenance, Arc<Played>);

#[async_trait]
impl EtcdMaintenance for Watched {
    async fn write_snapshot(
        &self,
        cluster: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        progress: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError> {
        self.0.write_snapshot(cluster, etcd, progress).await
    }

    async fn read_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        self.0.read_snapshot(cluster, snapshot, from, pieces).await
    }

    async fn discard_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
    ) -> Result<(), ProviderError> {
        self.0.discard_snapshot(cluster, snapshot).await
    }

    async fn defragment(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
        machine: &str,
    ) -> Result<Defragmented, ProviderError> {
        self.1.ask(machine)?;
        if let Some(interrupt) = &*self.1.stops.lock().unwrap() {
            interrupt.stop();
        }
        self.0.defragment(context, etcd, machine).await
    }

    async fn disarm_alarms(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError> {
        self.0.disarm_alarms(context, etcd).await
    }
}

pub(super) struct Scene {
    pub(super) session: Session,
    pub(super) store: Arc<MemoryStore>,
    /// The way on which backups are read and written there.
    pub(super) way: Arc<Troubled>,
    /// What the machine `a` keeps.
    pub(super) on_a: Arc<MemoryStore>,
    pub(super) played: Arc<Played>,
    pub(super) folder: tempfile::TempDir,
}

impl Scene {
    /// A cluster with three members that has been applied, and a backup of it.
    pub(super) async fn new() -> Self {
        Self::beside(None).await
    }

    /// The same with `bucket` for what machines write to by a schedule.
    pub(super) async fn beside(bucket: Option<Result<Archive, String>>) -> Self {
        let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                    provider: { simulated: {} }\n  controlPlane: { replicas: 3 }\n";
        let spec = spec::load(text.as_bytes(), "test").unwrap();
        let world = world();
        let (store, played) = (Arc::new(MemoryStore::new()), Arc::new(Played::default()));
        let on_a = Arc::new(MemoryStore::new());
        let way = Arc::new(Troubled::to(store.clone()));
        let archive = Archive::of_cluster(way.clone(), spec.name(), Arc::new(Seal::none()));
        let maintenance = Watched(SimulatedMaintenance::of(&world), played.clone());
        let backups = BackupParts {
            hosts: vec![HostArchive {
                machine: "a".to_owned(),
                archive: Archive::whole_store(on_a.clone(), Arc::new(Seal::none())),
            }],
            bucket,
            restore: Some(played.clone()),
            drill: Some(played.clone()),
            ..backup_parts(archive, Arc::new(maintenance))
        };
        let providers = ProviderSet::new(providers(&world)).unwrap();
        let parts = SessionParts::simulated(spec, providers, store.clone(), world.clock(), "test");
        let session = Session::new(SessionParts {
            backups: Some(backups),
            ..parts
        });
        let scene = Self {
            session,
            store,
            way,
            on_a,
            played,
            folder: tempfile::tempdir().unwrap(),
        };
        scene.apply().await.unwrap();
        scene.save().await;
        scene
    }

    pub(super) async fn save(&self) {
        let request = SaveRequest::default();
        let saved = self.session.save_backups(&request, &Progress::default()).await;
        saved.unwrap();
    }

    pub(super) async fn apply(&self) -> Result<(), OperationError> {
        let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
        self.session
            .apply(&options, &AutoApprove, &Silent, &interrupt)
            .await
            .map(drop)
    }

    pub(super) async fn restore(&self) -> Result<RestoredEtcd, OperationError> {
        self.restore_on(RestoreTerms::default()).await
    }

    /// Restores the newest backup.
    pub(super) async fn restore_on(&self, terms: RestoreTerms) -> Result<RestoredEtcd, OperationError> {
        let source = RestoreSource::Backup {
            which: WhichBackup::Newest("main".to_owned()),
            place: None,
        };
        let snapshot = self
            .session
            .unpack_snapshot(&source, self.folder.path(), &Interrupt::new())
            .await
            .unwrap();
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        self.session
            .restore_etcd(&snapshot, terms, &progress, &Silent, &interrupt)
            .await
    }

    pub(super) async fn intent(&self) -> Option<Vec<u8>> {
        let object = self.store.read(INTENT).await.unwrap();
        object.map(|object| object.content)
    }
}
