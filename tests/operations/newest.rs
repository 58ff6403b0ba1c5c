//! The newest snapshot where what is newer is damaged, from a clock that is ahead, or cannot be read: nobody is given an older one
//! without knowing it.

use keelson::backup::{BackupError, BackupManifest};
use keelson::execute::Interrupt;
use keelson::ops::{
    BackupCondition, BackupEntry, BackupPlace, OperationError, RestoreSource, UnpackedSnapshot,
    VerifyRequest, WhichBackup,
};
use keelson_provider_api::{Drilled, LiveKeys, Precondition, Progress, Store};

use super::backup_scene::Scene;
use super::block_on;
use super::troubled::Trouble;

/// A cluster with two snapshots.
struct Two {
    scene: Scene,
    newer: BackupManifest,
    older: BackupManifest,
}

impl Two {
    async fn new() -> Self {
        let scene = Scene::new().await;
        scene.save().await;
        let listed = scene.session.backups().await.unwrap().backups;
        let manifests: Vec<BackupManifest> =
            listed.into_iter().filter_map(|backup| backup.manifest).collect();
        let [newer, older] = manifests.try_into().unwrap();
        Self { scene, newer, older }
    }

    fn path(&self, object: &str) -> String {
        format!("prod/backups/etcd/{}/{object}", self.newer.name)
    }

    async fn put(&self, object: &str, content: &[u8]) {
        let path = self.path(object);
        let written = self.scene.store.write(&path, content, Precondition::None);
        written.await.unwrap();
    }

    async fn unpack(&self, which: WhichBackup) -> Result<UnpackedSnapshot, OperationError> {
        let source = RestoreSource::Backup { which, place: None };
        let session = &self.scene.session;
        session
            .unpack_snapshot(&source, self.scene.folder.path(), &Interrupt::new())
            .await
    }

    /// Of each snapshot that is verified without a name whether it is the newer one, what is wrong with it, and whether it was read.
    async fn verified(&self) -> (bool, Vec<(bool, Option<String>, bool)>) {
        let report = self
            .scene
            .session
            .verify_backups(&VerifyRequest::Newest, None)
            .await;
        let report = report.unwrap();
        let backups = report.backups.into_iter();
        let rows = backups.map(|backup| (backup.name == self.newer.name, backup.problem, !backup.unread));
        (report.good, rows.collect())
    }

    async fn listed(&self) -> BackupEntry {
        let listed = self.scene.session.backups().await.unwrap().backups;
        let newer = listed.into_iter().find(|backup| backup.name == self.newer.name);
        newer.unwrap()
    }
}

fn newest() -> WhichBackup {
    WhichBackup::Newest("main".to_owned())
}

#[test]
fn an_older_one_is_not_taken_in_place_of_one_that_cannot_be_read() {
    block_on(async {
        let two = Two::new().await;
        let session = &two.scene.session;
        for object in ["manifest.json", "snapshot"] {
            let path = two.path(object);
            two.scene.way.trouble(&path, Trouble::Busy);
            let problem = format!("cannot read {path} in memory: it is busy");
            let told = format!(
                "what may be the newest snapshot cannot be read: {}: {problem}",
                two.newer.name
            );
            // Restores, drills and downloads.
            let refused = two.unpack(newest()).await.err().unwrap();
            assert!(
                matches!(&refused, OperationError::NewerUnread(newer) if newer.len() == 1),
                "{refused:?}"
            );
            assert_eq!(refused.to_string(), told);
            let refused = session.find_backup(&newest(), None).await.err().unwrap();
            assert_eq!(refused.to_string(), told);
            let listed = two.listed().await;
            assert_eq!(
                (listed.condition, listed.problem.as_deref()),
                (BackupCondition::Unread, Some(problem.as_str()))
            );
            let (good, read) = two.verified().await;
            assert_eq!(
                (good, read),
                (
                    false,
                    vec![(true, Some(problem.clone()), false), (false, None, true)]
                )
            );
            let planned = session.plan_prune(None).await.unwrap();
            assert_eq!(planned.report.damaged[&two.newer.name], problem);
            // By its name it is what is meant, and the older one is by its own.
            let named = two.unpack(WhichBackup::Named(two.newer.name.clone())).await;
            let named = named.err().unwrap();
            assert!(
                matches!(&named, OperationError::Backup(BackupError::Unread { .. })),
                "{named:?}"
            );
            let older = two
                .unpack(WhichBackup::Named(two.older.name.clone()))
                .await
                .unwrap();
            assert_eq!(older.passed_over, []);
        }
        two.scene.way.mend();
        let found = session.find_backup(&newest(), None).await.unwrap();
        assert_eq!(
            (found.manifest.name, found.passed_over),
            (two.newer.name.clone(), vec![])
        );
        assert_eq!(two.verified().await, (true, vec![(true, None, true)]));
    });
}

#[test]
fn where_nothing_newer_can_be_taken_an_older_one_is_and_that_is_told() {
    block_on(async {
        let two = Two::new().await;
        let cut = format!(
            "its snapshot has 3 bytes, and had {}",
            two.newer.stored.size_bytes
        );
        let manifest = two.scene.store.read(&two.path("manifest.json")).await;
        let manifest = String::from_utf8(manifest.unwrap().unwrap().content).unwrap();
        let snapshot = two.scene.store.read(&two.path("snapshot")).await;
        let snapshot = snapshot.unwrap().unwrap().content;
        let taken_at = two.newer.taken_at.to_string();
        let ahead = manifest.replace(&taken_at, "2999-01-01T00:00:00Z");
        assert_ne!(ahead, manifest);
        let rows: [(&[u8], &str, &str); 3] = [
            (b"cut", &manifest, &cut),
            (&snapshot, "{", "its manifest cannot be read: EOF"),
            (
                &snapshot,
                &ahead,
                "it was taken at 2999-01-01T00:00:00Z, which is still to come",
            ),
        ];
        for (snapshot, manifest, problem) in rows {
            two.put("snapshot", snapshot).await;
            two.put("manifest.json", manifest.as_bytes()).await;
            let unpacked = two.unpack(newest()).await.unwrap();
            assert_eq!(unpacked.source, two.older.name.to_string());
            let [newer] = unpacked.passed_over.as_slice() else {
                panic!("{:?}", unpacked.passed_over)
            };
            assert_eq!(
                (&newer.name, &newer.place, newer.unread),
                (&two.newer.name, &BackupPlace::StateStore, false)
            );
            assert!(newer.problem.starts_with(problem), "{newer:?}");
            let (good, read) = two.verified().await;
            assert!(!good);
            assert_eq!((read.len(), read[0].0, &read[1]), (2, true, &(false, None, true)));
            assert!(
                read[0].1.as_ref().is_some_and(|told| told.starts_with(problem)),
                "{read:?}"
            );
            assert_eq!(drilled(&two, &unpacked).await, (false, 1));
            let named = two
                .unpack(WhichBackup::Named(two.older.name.clone()))
                .await
                .unwrap();
            assert_eq!(drilled(&two, &named).await, (true, 0), "it is what was meant");
        }
    });
}

/// Damage that no size shows is seen only when all of it is read.
#[test]
fn where_the_newest_is_damaged_within_the_one_before_it_is_named() {
    block_on(async {
        let two = Two::new().await;
        let whole = two.scene.store.read(&two.path("snapshot")).await;
        let mut snapshot = whole.unwrap().unwrap().content;
        let middle = snapshot.len() / 2;
        snapshot[middle] ^= 1;
        two.put("snapshot", &snapshot).await;
        let refused = two.unpack(newest()).await.err().unwrap();
        let OperationError::NewestDamaged { error, older, place } = refused else {
            panic!("{refused:?}")
        };
        assert!(
            matches!(&*error, BackupError::Damaged { name, .. } if *name == two.newer.name.to_string()),
            "{error:?}"
        );
        assert_eq!((older, place), (two.older.name.clone(), BackupPlace::StateStore));
        // Whoever names it has meant it.
        let named = two.unpack(WhichBackup::Named(two.newer.name.clone())).await;
        let named = named.err().unwrap();
        assert!(
            matches!(&named, OperationError::Backup(BackupError::Damaged { .. })),
            "{named:?}"
        );
        // Where none is listed as whole beside it, none is named.
        let older = format!("prod/backups/etcd/{}/manifest.json", two.older.name);
        let written = two.scene.store.write(&older, b"{", Precondition::None);
        written.await.unwrap();
        let alone = two.unpack(newest()).await.err().unwrap();
        assert!(
            matches!(&alone, OperationError::Backup(BackupError::Damaged { .. })),
            "{alone:?}"
        );
    });
}

/// Whether the drill of a snapshot, whose member has what it should have, is good, and how many newer ones it tells of.
async fn drilled(two: &Two, snapshot: &UnpackedSnapshot) -> (bool, usize) {
    let contents = two.older.contents;
    *two.scene.played.drilled.lock().unwrap() = Some(Drilled {
        machine: "a".to_owned(),
        etcd_version: "3.6.8".to_owned(),
        contents,
        revision: contents.revision,
        live: LiveKeys {
            keys: contents.total_keys,
            history: None,
        },
    });
    let report = two
        .scene
        .session
        .drill_etcd(snapshot, None, &Progress::default())
        .await;
    let report = report.unwrap();
    assert_eq!(report.problems, [""; 0]);
    (report.good, report.passed_over.len())
}

#[test]
fn what_is_older_or_another_etcd_s_is_no_matter() {
    block_on(async {
        let two = Two::new().await;
        for name in ["19600101T000000Z-1", "events-29990101T000000Z-1", "mine"] {
            let path = format!("prod/backups/etcd/{name}/manifest.json");
            let written = two.scene.store.write(&path, b"{", Precondition::None);
            written.await.unwrap();
        }
        let found = two.scene.session.find_backup(&newest(), None).await.unwrap();
        assert_eq!(found.passed_over, []);
        assert_eq!(two.verified().await, (true, vec![(true, None, true)]));
        // With none that is whole it is said what there is.
        for name in [&two.newer.name, &two.older.name] {
            let path = format!("{name}/manifest.json");
            two.scene.way.trouble(&path, Trouble::Busy);
            let refused = two.scene.session.find_backup(&newest(), None).await;
            assert_eq!(refused.is_err(), *name == two.newer.name);
            two.scene.way.mend();
        }
    });
}
