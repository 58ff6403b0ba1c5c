//! Restores that another one takes the place of, that are stopped while a snapshot is read, and what is kept of them.

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{OperationError, RestoreSource, RestoreTerms, SaveRequest, WhichBackup};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Precondition, Progress, Store};

use super::backup_scene::{INTENT, LOOKS, STEPS, Scene};
use super::block_on;

const ANEW: RestoreTerms = RestoreTerms {
    begins_anew: true,
    of_another_cluster: false,
};

async fn save_another(scene: &Scene) {
    let request = SaveRequest::default();
    let progress = Progress::default();
    let saved = scene.session.save_backups(&request, &progress).await;
    saved.unwrap();
}

fn refuse(scene: &Scene, step: Option<&'static str>) {
    *scene.played.refuses.lock().unwrap() = step;
}

/// The ids of the restores that machines were asked for, and by how much revisions were to go up.
fn asked_for(scene: &Scene) -> Vec<(String, u64)> {
    let seen = std::mem::take(&mut *scene.played.restorations.lock().unwrap());
    let mut ids: Vec<_> = seen.into_iter().map(|one| (one.id, one.bump_revision)).collect();
    ids.dedup();
    ids
}

async fn recorded_revision(scene: &Scene) -> u64 {
    let record = scene.store.read("prod/cluster.json").await.unwrap().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record.content).unwrap();
    record["restoredRevisions"]["main"].as_u64().unwrap()
}

#[test]
fn another_snapshot_takes_the_place_of_one_that_cannot_come_to_its_end() {
    block_on(async {
        for step in &STEPS[LOOKS..] {
            let scene = Scene::new().await;
            refuse(&scene, Some(step));
            scene.restore().await.unwrap_err();
            let begun = scene.session.begun_restore().await.unwrap().unwrap();
            save_another(&scene).await;
            let other = scene.restore().await;
            assert!(
                matches!(other, Err(OperationError::RestoreUnderWay { .. })),
                "{step}: {other:?}"
            );
            let before = asked_for(&scene);
            scene.played.asked();
            // Killed on its way, it is gone on with like any other.
            scene.restore_on(ANEW).await.unwrap_err();
            let anew = asked_for(&scene);
            assert_eq!((before.len(), anew.len()), (1, 1), "{step}");
            assert!(anew[0].0 != before[0].0 && anew[0].1 > before[0].1, "{step}");
            let standing = scene.session.begun_restore().await.unwrap().unwrap();
            assert_ne!(standing.source, begun.source, "{step}");
            refuse(&scene, None);
            scene.played.asked();
            scene.restore().await.unwrap();
            assert_eq!(scene.played.asked()[..STEPS.len()], STEPS);
            assert_eq!(asked_for(&scene), anew, "{step}");
            assert_eq!(scene.intent().await, None);
            assert!(recorded_revision(&scene).await >= anew[0].1, "{step}");
            scene.apply().await.unwrap();
        }
    });
}

#[test]
fn it_does_not_begin_anew_before_it_is_seen_that_it_could() {
    block_on(async {
        let scene = Scene::new().await;
        refuse(&scene, Some("place"));
        scene.restore().await.unwrap_err();
        let begun = scene.intent().await;
        refuse(&scene, Some("check"));
        scene.restore_on(ANEW).await.unwrap_err();
        assert_eq!(scene.intent().await, begun);
        refuse(&scene, None);
        scene.restore().await.unwrap();
    });
}

#[test]
fn one_that_has_begun_tells_where_its_snapshot_is_found_again() {
    block_on(async {
        let scene = Scene::new().await;
        assert_eq!(scene.session.begun_restore().await.unwrap(), None);
        refuse(&scene, Some("end"));
        scene.restore().await.unwrap_err();
        save_another(&scene).await;
        let begun = scene.session.begun_restore().await.unwrap().unwrap();
        let interrupt = Interrupt::new();
        let snapshot = scene
            .session
            .unpack_snapshot(&begun.source, scene.folder.path(), &interrupt)
            .await
            .unwrap();
        assert_eq!(snapshot.source, begun.words);
        refuse(&scene, None);
        // Nobody asks again whose it is, nor who has which revision.
        let (terms, progress) = (RestoreTerms::default(), Progress::default());
        let restored = scene
            .session
            .restore_etcd(&snapshot, terms, &progress, &Silent, &interrupt)
            .await;
        assert_eq!(restored.unwrap().source, begun.words);
    });
}

#[test]
fn what_is_written_of_a_restore_in_another_form_is_left_alone() {
    block_on(async {
        let scene = Scene::new().await;
        refuse(&scene, Some("place"));
        scene.restore().await.unwrap_err();
        let written = String::from_utf8(scene.intent().await.unwrap()).unwrap();
        for (from, to) in [("\"form\": 1", "\"form\": 2"), ("\"id\"", "\"new\": 1, \"id\"")] {
            let other = written.replace(from, to);
            assert_ne!(other, written);
            let bytes = other.as_bytes();
            scene
                .store
                .write(INTENT, bytes, Precondition::None)
                .await
                .unwrap();
            for failed in [
                scene.restore().await.map(drop),
                scene.restore_on(ANEW).await.map(drop),
                scene.apply().await,
            ] {
                assert!(matches!(failed, Err(OperationError::Store(_))), "{failed:?}");
            }
            assert_eq!(scene.intent().await.unwrap(), bytes);
        }
    });
}

#[test]
fn a_stop_is_heard_at_the_next_piece_of_a_snapshot() {
    block_on(async {
        let scene = Scene::new().await;
        let file = scene.folder.path().join("long.db");
        let mut bytes = vec![7; 5 << 20];
        bytes.extend(Digest::of_bytes(&bytes).bytes());
        std::fs::write(&file, bytes).unwrap();
        let work_folder = tempfile::tempdir().unwrap();
        let etcd = "main".to_owned();
        let sources = [
            RestoreSource::File {
                file,
                etcd: etcd.clone(),
            },
            RestoreSource::Backup {
                which: WhichBackup::Newest(etcd),
                place: None,
            },
        ];
        for source in sources {
            let interrupt = Interrupt::new();
            let unpacking = scene
                .session
                .unpack_snapshot(&source, work_folder.path(), &interrupt);
            let (unpacked, ()) = tokio::join!(unpacking, async { interrupt.stop() });
            let error = unpacked.err().unwrap();
            assert!(matches!(error, OperationError::Interrupted(None)), "{error:?}");
            let left = std::fs::read_dir(work_folder.path()).unwrap().count();
            assert_eq!(left, 0, "{source:?}");
        }
    });
}
