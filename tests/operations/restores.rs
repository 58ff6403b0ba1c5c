//! Restores of etcd, with machines that are played.

use std::path::Path;

use keelson::execute::{Interrupt, Silent};
use keelson::ops::{AutoApprove, Condition, DestroyOptions, OperationError, RestoreSource, RestoreTerms};
use keelson_provider_api::{Precondition, Progress, Store};

use super::backup_scene::{INTENT, LAST, LOOKS, STEPS, Scene};
use super::block_on;

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
                index >= LOOKS,
                "{step}: nothing has begun before it was checked"
            );
            let applied = scene.apply().await;
            let is_refused = matches!(applied, Err(OperationError::RestoreUnderWay { .. }));
            assert_eq!(is_refused, index >= LOOKS, "{step}: {applied:?}");
            *scene.played.refuses.lock().unwrap() = None;
            let restored = scene.restore().await.unwrap();
            let asked = scene.played.asked();
            assert_eq!(
                asked.split_last(),
                Some((&LAST.to_owned(), &STEPS.map(str::to_owned)[..]))
            );
            assert_eq!(restored.members.len(), 3, "{restored:?}");
            assert_eq!((restored.aside.len(), restored.aside_problem), (1, None));
            assert_eq!(scene.intent().await, None);
            let seen = std::mem::take(&mut *scene.played.restorations.lock().unwrap());
            if index >= LOOKS {
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
fn a_restore_is_done_also_where_nobody_tells_what_lies_aside() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.refuses.lock().unwrap() = Some(LAST);
        let restored = scene.restore().await.unwrap();
        assert_eq!(
            (restored.aside, restored.aside_problem),
            (Vec::new(), Some("cannot list".to_owned()))
        );
        assert_eq!(scene.intent().await, None);
    });
}

#[test]
fn what_was_written_down_of_a_snapshot_goes_with_it() {
    block_on(async {
        let scene = Scene::new().await;
        scene.restore().await.unwrap();
        let restorations = std::mem::take(&mut *scene.played.restorations.lock().unwrap());
        let noted = restorations[0].noted.clone().unwrap();
        assert!(
            noted.contents.revision > 0 && noted.contents.total_keys > 0,
            "{noted:?}"
        );
        assert!(noted.etcd_version.starts_with("3."), "{noted:?}");
    });
}

#[test]
fn another_restore_does_not_begin_and_a_destroy_ends_it() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.refuses.lock().unwrap() = Some("place");
        scene.restore().await.unwrap_err();
        scene.save().await;
        let other = scene.restore().await;
        assert!(
            matches!(other, Err(OperationError::RestoreUnderWay { .. })),
            "{other:?}"
        );
        whoever_looks_is_told(&scene).await;
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

/// Status and plan tell of the restore first of all.
async fn whoever_looks_is_told(scene: &Scene) {
    let refusal = scene.apply().await.unwrap_err().to_string();
    let status = scene.session.status(&Silent).await.unwrap();
    assert_eq!(status.condition, Condition::Degraded);
    assert_eq!(
        status.problems[0].problem,
        format!("{refusal}; `keelson etcd restore` goes on with it")
    );
    let planned = scene.session.plan(&Silent).await.unwrap();
    assert!(planned.report.is_blocked(), "{:?}", planned.report);
}

#[test]
fn an_intent_that_cannot_be_read_stops_everything_and_stays() {
    block_on(async {
        let scene = Scene::new().await;
        scene.store.write(INTENT, b"{", Precondition::None).await.unwrap();
        assert!(matches!(scene.apply().await, Err(OperationError::Store(_))));
        assert!(matches!(scene.restore().await, Err(OperationError::Store(_))));
        // Whoever plans is refused as an apply is; looking needs nothing of it.
        let planned = scene.session.plan(&Silent).await;
        assert!(matches!(planned.err(), Some(OperationError::Store(_))));
        let status = scene.session.status(&Silent).await.unwrap();
        assert_eq!(status.condition, Condition::Degraded);
        let told = &status.problems[0].problem;
        assert!(
            told.contains(INTENT) && told.ends_with("nothing can be changed until it is mended"),
            "{told}"
        );
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
