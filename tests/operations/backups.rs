//! Restores and upkeep of etcd, with machines that are played.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson::backup::Archive;
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, AutoApprove, BackupParts, BackupPlace, DefragmentRequest, DestroyOptions, HostArchive,
    OperationError, RestoreSource, RestoreTerms, RestoredEtcd, SaveRequest, Session, SessionParts,
    VerifyRequest, WhichBackup,
};
use keelson::pki::Seal;
use keelson::spec;
use keelson_provider_api::{
    ClusterIdentity, Defragmented, ErrorClass, EtcdInstance, EtcdMaintenance, EtcdRestore, Precondition,
    Progress, ProviderError, Restoration, StepContext, Store, WrittenSnapshot,
};
use keelson_provider_simulated::{MemoryStore, SimulatedMaintenance, providers};
use tokio::sync::mpsc::Sender;

use super::{backup_parts, block_on, world};

pub(super) const INTENT: &str = "prod/restore.json";

/// What was asked of machines, in its order, and what they refuse.
#[derive(Default)]
pub(super) struct Played {
    asked: Mutex<Vec<String>>,
    pub(super) restorations: Mutex<Vec<Restoration>>,
    pub(super) refuses: Mutex<Option<&'static str>>,
    stops: Mutex<Option<Interrupt>>,
}

impl Played {
    fn ask(&self, what: &str) -> Result<(), ProviderError> {
        self.asked.lock().unwrap().push(what.to_owned());
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

    async fn hold_control_planes(&self, _: &StepContext<'_>) -> Result<(), ProviderError> {
        self.ask("hold")
    }

    async fn release_control_planes(&self, _: &StepContext<'_>) -> Result<(), ProviderError> {
        self.ask("release")
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
    /// What the machine `a` keeps.
    on_a: Arc<MemoryStore>,
    pub(super) played: Arc<Played>,
    pub(super) folder: tempfile::TempDir,
}

impl Scene {
    /// A cluster with three members that has been applied.
    pub(super) async fn new() -> Self {
        let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                    provider: { simulated: {} }\n  controlPlane: { replicas: 3 }\n";
        let spec = spec::load(text.as_bytes(), "test").unwrap();
        let world = world();
        let (store, played) = (Arc::new(MemoryStore::new()), Arc::new(Played::default()));
        let on_a = Arc::new(MemoryStore::new());
        let archive = Archive::of_cluster(store.clone(), spec.name(), Arc::new(Seal::none()));
        let maintenance = Watched(SimulatedMaintenance::of(&world), played.clone());
        let backups = BackupParts {
            hosts: vec![HostArchive {
                machine: "a".to_owned(),
                archive: Archive::whole_store(on_a.clone(), Arc::new(Seal::none())),
            }],
            restore: Some(played.clone()),
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
            on_a,
            played,
            folder: tempfile::tempdir().unwrap(),
        };
        scene.apply().await.unwrap();
        let request = SaveRequest::default();
        scene
            .session
            .save_backups(&request, &Progress::default())
            .await
            .unwrap();
        scene
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
        self.store
            .read(INTENT)
            .await
            .unwrap()
            .map(|object| object.content)
    }
}

pub(super) const STEPS: [&str; 6] = ["check", "hold", "end", "place", "start", "release"];

#[test]
fn a_restore_goes_on_from_whatever_step_it_failed_at() {
    block_on(async {
        let scene = Scene::new().await;
        let mut bump = 0;
        for (index, step) in STEPS.into_iter().enumerate() {
            *scene.played.refuses.lock().unwrap() = Some(step);
            let failed = scene.restore().await.unwrap_err();
            assert!(failed.to_string().contains(&format!("cannot {step}")), "{failed}");
            assert_eq!(scene.played.asked(), STEPS[..=index]);
            assert_eq!(
                scene.intent().await.is_some(),
                index > 0,
                "{step}: nothing has begun before it was checked"
            );
            let applied = scene.apply().await;
            let is_refused = matches!(applied, Err(OperationError::RestoreUnderWay { .. }));
            assert_eq!(is_refused, index > 0, "{step}: {applied:?}");
            *scene.played.refuses.lock().unwrap() = None;
            let restored = scene.restore().await.unwrap();
            assert_eq!(scene.played.asked(), STEPS);
            assert_eq!(restored.members.len(), 3, "{restored:?}");
            assert_eq!(scene.intent().await, None);
            let seen = std::mem::take(&mut *scene.played.restorations.lock().unwrap());
            if index > 0 {
                assert!(
                    seen.iter().all(|one| one.id == seen[0].id),
                    "it is the same restore"
                );
            }
            assert!(
                seen.iter()
                    .all(|one| one.serves_kubernetes && one.founders == restored.members)
            );
            let last = seen.last().unwrap().bump_revision;
            assert!(
                last > bump,
                "revisions go on above those of the restore before: {last}, {bump}"
            );
            bump = last;
            scene.apply().await.unwrap();
        }
        let left = std::fs::read_dir(scene.folder.path()).unwrap().count();
        assert_eq!(left, 0, "nothing of a snapshot stays on this machine");
    });
}

#[test]
fn another_restore_does_not_begin_and_a_destroy_ends_it() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.refuses.lock().unwrap() = Some("place");
        scene.restore().await.unwrap_err();
        let request = SaveRequest::default();
        scene
            .session
            .save_backups(&request, &Progress::default())
            .await
            .unwrap();
        let other = scene.restore().await;
        assert!(
            matches!(other, Err(OperationError::RestoreUnderWay { .. })),
            "{other:?}"
        );
        let options = DestroyOptions {
            override_protection: true,
        };
        let destroyed = scene
            .session
            .destroy(options, &AutoApprove, &Silent, &Interrupt::new())
            .await;
        destroyed.unwrap();
        assert_eq!(scene.intent().await, None);
    });
}

#[test]
fn an_intent_that_cannot_be_read_stops_everything_and_stays() {
    block_on(async {
        let scene = Scene::new().await;
        scene.store.write(INTENT, b"{", Precondition::None).await.unwrap();
        assert!(matches!(scene.apply().await, Err(OperationError::Store(_))));
        assert!(matches!(scene.restore().await, Err(OperationError::Store(_))));
        assert_eq!(scene.intent().await.unwrap(), b"{");
        assert_eq!(scene.played.asked(), Vec::<String>::new());
    });
}

#[test]
fn a_file_that_is_no_whole_snapshot_and_one_of_nobody_are_refused() {
    block_on(async {
        let scene = Scene::new().await;
        let file = scene.folder.path().join("whole.db");
        let source = RestoreSource::File {
            file: file.clone(),
            etcd: "main".to_owned(),
        };
        let unpack = async || {
            scene
                .session
                .unpack_snapshot(&source, Path::new("/nowhere"), &Interrupt::new())
                .await
        };
        assert!(matches!(unpack().await, Err(OperationError::SnapshotFile { .. })));
        std::fs::write(&file, [0; 100]).unwrap();
        assert!(matches!(unpack().await, Err(OperationError::SnapshotFile { .. })));
        let mut bytes = vec![0; 100];
        bytes.extend(keelson_provider_api::values::Digest::of_bytes(&bytes).bytes());
        std::fs::write(&file, bytes).unwrap();
        let snapshot = unpack().await.unwrap();
        let restore = async |of_another_cluster| {
            let terms = RestoreTerms {
                of_another_cluster,
                ..RestoreTerms::default()
            };
            let (progress, interrupt) = (Progress::default(), Interrupt::new());
            scene
                .session
                .restore_etcd(&snapshot, terms, &progress, &Silent, &interrupt)
                .await
        };
        assert!(matches!(
            restore(false).await,
            Err(OperationError::OtherCluster { .. })
        ));
        assert_eq!(scene.played.asked(), Vec::<String>::new());
        restore(true).await.unwrap();
        assert!(file.exists(), "the user's file is the user's");
    });
}

#[test]
fn members_are_defragmented_with_the_leader_last_and_a_stop_tells_who_was() {
    block_on(async {
        let scene = Scene::new().await;
        let defragment = async |interrupt: Interrupt| {
            let request = DefragmentRequest::default();
            scene
                .session
                .defragment_etcd(&request, &Progress::default(), &Silent, &interrupt)
                .await
        };
        let report = scene.session.etcd_report(&Silent).await.unwrap();
        let leader = report.clusters["main"].leader.clone().unwrap();
        assert_eq!(defragment(Interrupt::new()).await.unwrap().len(), 3);
        let asked = scene.played.asked();
        assert_eq!((asked.len(), asked.last()), (3, Some(&leader)), "{asked:?}");
        let interrupt = Interrupt::new();
        *scene.played.stops.lock().unwrap() = Some(interrupt.clone());
        let stopped = defragment(interrupt).await.unwrap_err();
        let asked = scene.played.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert!(
            stopped
                .to_string()
                .ends_with(&format!("defragmented are those on {}", asked[0])),
            "{stopped}"
        );
    });
}

#[test]
fn a_backup_is_found_wherever_it_lies() {
    block_on(async {
        let scene = Scene::new().await;
        let (session, at_a) = (&scene.session, BackupPlace::Host("a".to_owned()));
        let newest = WhichBackup::Newest("main".to_owned());
        let found = session.find_backup(&newest, None).await.unwrap();
        assert_eq!(found.place, BackupPlace::StateStore);
        let only = session.find_backup(&newest, Some(&at_a)).await.err().unwrap();
        assert!(matches!(only, OperationError::Backup(_)), "{only}");
        // The same on the machine.
        let name = found.manifest.name.clone();
        for object in ["snapshot", "manifest.json"] {
            let path = format!("prod/backups/etcd/{name}/{object}");
            let content = scene.store.read(&path).await.unwrap().unwrap().content;
            let path = format!("{name}/{object}");
            scene
                .on_a
                .write(&path, &content, Precondition::None)
                .await
                .unwrap();
        }
        let named = WhichBackup::Named(name.clone());
        let several = session.find_backup(&named, None).await.err().unwrap();
        let words = several.to_string();
        assert!(words.ends_with("in several places: state-store, a"), "{words}");
        let found = session.find_backup(&newest, None).await.unwrap();
        assert_eq!(found.place, BackupPlace::StateStore, "of two alike, that one");
        let on_a = session.find_backup(&named, Some(&at_a)).await.unwrap();
        assert_eq!((&on_a.place, on_a.words()), (&at_a, format!("{name} on a")));
        let nowhere = BackupPlace::Host("b".to_owned());
        let unknown = session.find_backup(&named, Some(&nowhere)).await.err().unwrap();
        assert!(
            matches!(unknown, OperationError::UnknownPlace { .. }),
            "{unknown}"
        );
        let listed = session.backups().await.unwrap();
        let places: Vec<&BackupPlace> = listed.backups.iter().map(|backup| &backup.place).collect();
        assert_eq!(places, [&BackupPlace::StateStore, &at_a]);
        // With one of them damaged the other is meant.
        let path = format!("prod/backups/etcd/{name}/snapshot");
        scene
            .store
            .write(&path, b"cut", Precondition::None)
            .await
            .unwrap();
        for which in [&named, &newest] {
            assert_eq!(session.find_backup(which, None).await.unwrap().place, at_a);
        }
        let report = session.verify_backups(&VerifyRequest::All, None).await.unwrap();
        let problems: Vec<bool> = report
            .backups
            .iter()
            .map(|backup| backup.problem.is_some())
            .collect();
        assert_eq!((problems, report.good), (vec![true, false], false));
    });
}

#[test]
fn what_is_pruned_while_it_is_verified_is_not_to_blame() {
    block_on(async {
        let scene = Scene::new().await;
        let request = SaveRequest::default();
        scene
            .session
            .save_backups(&request, &Progress::default())
            .await
            .unwrap();
        let listed = scene.session.backups().await.unwrap();
        let names: Vec<String> = listed
            .backups
            .iter()
            .map(|backup| backup.name.to_string())
            .collect();
        for name in &names {
            for object in ["snapshot", "manifest.json"] {
                let path = format!("prod/backups/etcd/{name}/{object}");
                let content = scene.store.read(&path).await.unwrap().unwrap().content;
                let path = format!("{name}/{object}");
                let written = scene.on_a.write(&path, &content, Precondition::None).await;
                written.unwrap();
            }
        }
        // The machine prunes while the first of them is read, which is the older one.
        let at_a = BackupPlace::Host("a".to_owned());
        let verify = async |pruned: &[&str]| {
            let verifying = scene.session.verify_backups(&VerifyRequest::All, Some(&at_a));
            let (report, ()) = tokio::join!(verifying, async {
                for name in pruned {
                    for object in ["manifest.json", "snapshot"] {
                        let path = format!("{name}/{object}");
                        scene.on_a.delete(&path, Precondition::None).await.unwrap();
                    }
                }
            });
            let report = report.unwrap();
            let read: Vec<String> = report
                .backups
                .iter()
                .map(|backup| backup.name.to_string())
                .collect();
            let gone: Vec<String> = report.gone.iter().map(|gone| gone.name.to_string()).collect();
            (report.good, read, gone)
        };
        let [newer, older] = names.as_slice() else {
            panic!("{names:?}")
        };
        assert_eq!(
            verify(&[newer]).await,
            (true, vec![older.clone()], vec![newer.clone()])
        );
        assert_eq!(verify(&[]).await, (true, vec![older.clone()], Vec::new()));
    });
}
