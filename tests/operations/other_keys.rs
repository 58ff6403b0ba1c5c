//! Restores of snapshots whose contents were encrypted and signed with other keys than the cluster's.

use std::sync::Arc;

use keelson::backup::{Archive, BackupManifest};
use keelson::execute::{Interrupt, ProviderSet, Silent};
use keelson::ops::{
    ApplyOptions, Authorities, AutoApprove, BackupParts, OperationError, RestoreSource, RestoreTerms,
    SaveRequest, Session, SessionParts, UnpackedSnapshot, WhichBackup,
};
use keelson::pki::{Seal, Terms};
use keelson::spec;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ClusterUid, Precondition, Progress, Store};
use keelson_provider_simulated::{MemoryStore, SimulatedMaintenance, SimulatedRestore, providers};

use super::{backup_parts, block_on, world};

struct Scene {
    session: Session,
    store: Arc<MemoryStore>,
    folder: tempfile::TempDir,
    manifest: BackupManifest,
}

impl Scene {
    /// A cluster that has all its keys, and a snapshot of it.
    async fn new() -> Self {
        let text = "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: { name: prod }\nspec:\n  \
                    provider: { simulated: {} }\n";
        let spec = spec::load(text.as_bytes(), "test").unwrap();
        let world = world();
        let (store, name) = (Arc::new(MemoryStore::new()), spec.name().clone());
        let backups = BackupParts {
            restore: Some(Arc::new(SimulatedRestore::of(&world))),
            ..backup_parts(
                Archive::of_cluster(store.clone(), &name, Arc::new(Seal::none())),
                Arc::new(SimulatedMaintenance::of(&world)),
            )
        };
        let all = ProviderSet::new(providers(&world)).unwrap();
        let session = Session::new(SessionParts {
            backups: Some(backups),
            ..SessionParts::simulated(spec, all, store.clone(), world.clock(), "test")
        });
        let (options, interrupt) = (ApplyOptions::default(), Interrupt::new());
        let applied = session.apply(&options, &AutoApprove, &Silent, &interrupt).await;
        applied.unwrap();
        let (clock, terms) = (world.clock(), Terms::AUTHORITY);
        let authorities = Authorities::new(store.clone(), name, Seal::none(), clock, terms, Vec::new());
        authorities.digests(false).await.unwrap();
        let (request, progress) = (SaveRequest::default(), Progress::default());
        let saved = session.save_backups(&request, &progress);
        let manifest = saved.await.unwrap().remove(0).manifest;
        Self {
            session,
            store,
            folder: tempfile::tempdir().unwrap(),
            manifest,
        }
    }

    /// The snapshot, with what `change` makes of what was written down about it.
    async fn unpacked(&self, change: impl FnOnce(&mut BackupManifest)) -> UnpackedSnapshot {
        let mut manifest = self.manifest.clone();
        change(&mut manifest);
        let text = serde_json::to_vec(&manifest).unwrap();
        let path = format!("prod/backups/etcd/{}/manifest.json", manifest.name);
        self.store.write(&path, &text, Precondition::None).await.unwrap();
        let source = RestoreSource::Backup {
            which: WhichBackup::Named(manifest.name),
            place: None,
        };
        let folder = self.folder.path();
        let interrupt = Interrupt::new();
        let unpacked = self.session.unpack_snapshot(&source, folder, &interrupt);
        unpacked.await.unwrap()
    }

    async fn restore(&self, snapshot: &UnpackedSnapshot, allows: bool) -> Result<(), OperationError> {
        let (progress, interrupt) = (Progress::default(), Interrupt::new());
        let terms = RestoreTerms {
            of_another_cluster: allows,
            ..RestoreTerms::default()
        };
        let restored = self
            .session
            .restore_etcd(snapshot, terms, &progress, &Silent, &interrupt);
        restored.await.map(drop)
    }

    async fn said(&self, snapshot: &UnpackedSnapshot) -> Vec<&'static str> {
        self.session.other_keys(snapshot).await.unwrap()
    }
}

fn other() -> String {
    Digest::of_bytes(b"another").to_string()
}

/// Each key, and what is said where it is another one.
const SAID: &[(&str, Option<&str>)] = &[
    ("encryption", Some("list Secrets")),
    ("service-account", Some("tokens of service accounts")),
    ("kubernetes", Some("certificates")),
    ("front-proxy", None),
    ("etcd", None),
];

#[test]
fn what_will_be_of_no_use_is_said_before_a_restore() {
    block_on(async {
        let scene = Scene::new().await;
        let snapshot = scene.unpacked(|_| ()).await;
        assert!(scene.said(&snapshot).await.is_empty());
        drop(snapshot);
        for &(key, expected) in SAID {
            let snapshot = scene.unpacked(|manifest| {
                manifest.authorities.insert(key.to_owned(), other());
            });
            let snapshot = snapshot.await;
            let said = scene.said(&snapshot).await;
            assert_eq!(said.len(), usize::from(expected.is_some()), "{key}: {said:?}");
            assert!(
                said.iter().all(|said| said.contains(expected.unwrap())),
                "{key}: {said:?}"
            );
        }
        // Whose manifest names none: one of the cluster's own that a machine took before it knew, and somebody else's.
        let own = scene.unpacked(|manifest| manifest.authorities.clear()).await;
        assert!(scene.said(&own).await.is_empty());
        drop(own);
        let foreign = scene.unpacked(|manifest| {
            manifest.authorities.clear();
            manifest.cluster_uid = ClusterUid::new("another");
        });
        let said = scene.said(&foreign.await).await;
        assert!(said[0].starts_with("nobody has written down"), "{said:?}");
    });
}

#[test]
fn a_snapshot_of_the_cluster_whose_secrets_nobody_could_read_is_refused_unless_told() {
    block_on(async {
        let scene = Scene::new().await;
        let change = |key: &'static str| {
            move |manifest: &mut BackupManifest| {
                manifest.authorities.insert(key.to_owned(), other());
            }
        };
        let snapshot = scene.unpacked(change("encryption")).await;
        let refused = scene.restore(&snapshot, false).await;
        assert!(
            matches!(refused, Err(OperationError::OtherEncryptionKey { .. })),
            "{refused:?}"
        );
        assert!(scene.store.read("prod/restore.json").await.unwrap().is_none());
        scene.restore(&snapshot, true).await.unwrap();
        drop(snapshot);
        for key in ["service-account", "kubernetes", "etcd"] {
            let snapshot = scene.unpacked(change(key)).await;
            scene.restore(&snapshot, false).await.unwrap();
        }
    });
}
