//! Restores that end before they have begun, and ones that others have taken the place of: no snapshot is left on machines, and
//! nobody takes away what is another's.

use futures_util::FutureExt as _;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{
    OperationError, RestoreSource, RestoreTerms, RestoredEtcd, UnpackedSnapshot, WhichBackup,
};
use keelson_provider_api::{ErrorClass, Precondition, Progress, Store, StoreError};

use super::backup_scene::{INTENT, LOOKS, STEPS, Scene};
use super::block_on;

const BRINGS: &str = "bring the snapshot to the machines";
const RELEASES: &str = "let control planes run again";

async fn newest(scene: &Scene) -> UnpackedSnapshot {
    let source = RestoreSource::Backup {
        which: WhichBackup::Newest("main".to_owned()),
        place: None,
    };
    let interrupt = Interrupt::new();
    let unpacked = scene
        .session
        .unpack_snapshot(&source, scene.folder.path(), &interrupt);
    unpacked.await.unwrap()
}

/// Restores the newest snapshot, and does `deed` when `action` is told.
async fn restore_with(
    scene: &Scene,
    action: &str,
    deed: impl Fn() + Sync,
    interrupt: &Interrupt,
) -> Result<RestoredEtcd, OperationError> {
    restore_on_with(scene, RestoreTerms::default(), action, deed, interrupt).await
}

async fn restore_on_with(
    scene: &Scene,
    terms: RestoreTerms,
    action: &str,
    deed: impl Fn() + Sync,
    interrupt: &Interrupt,
) -> Result<RestoredEtcd, OperationError> {
    let told = |told: &str| {
        if told == action {
            deed();
        }
    };
    let snapshot = newest(scene).await;
    let progress = Progress::to(&told);
    let restored = scene
        .session
        .restore_etcd(&snapshot, terms, &progress, &Silent, interrupt);
    restored.await
}

/// Writes an intent, as another run does.
fn write_intent(scene: &Scene, content: &[u8]) {
    let written = scene.store.write(INTENT, content, Precondition::None);
    written.now_or_never().unwrap().unwrap();
}

fn forgotten(scene: &Scene) -> Vec<(String, Vec<String>)> {
    std::mem::take(&mut *scene.played.forgotten.lock().unwrap())
}

#[test]
fn machines_forget_a_snapshot_whose_restore_has_not_begun() {
    block_on(async {
        let scene = Scene::new().await;
        let sha256 = newest(&scene).await.sum.sha256;
        let interrupt = Interrupt::new();
        let stopped = restore_with(&scene, BRINGS, || interrupt.stop(), &interrupt).await;
        assert!(
            matches!(stopped, Err(OperationError::Interrupted(None))),
            "{stopped:?}"
        );
        let all = forgotten(&scene);
        assert_eq!((all.len(), &all[0].0, all[0].1.len()), (1, &sha256, 3));
        let others = restore_with(&scene, BRINGS, || write_intent(&scene, b"{}"), &Interrupt::new()).await;
        assert!(
            matches!(others, Err(OperationError::Store(StoreError::Conflict { .. }))),
            "{others:?}"
        );
        assert_eq!(forgotten(&scene), all);
        assert_eq!(scene.intent().await.unwrap(), b"{}");
        assert_eq!(scene.played.asked(), [&STEPS[..LOOKS], &STEPS[..LOOKS]].concat());
        scene.store.delete(INTENT, Precondition::None).await.unwrap();
        scene.restore().await.unwrap();
        // A machine that was cut off behind the last use of it has it still.
        assert_eq!(forgotten(&scene), all);
    });
}

#[test]
fn machines_forget_the_snapshot_of_a_restore_that_another_takes_the_place_of() {
    block_on(async {
        let anew = RestoreTerms {
            begins_anew: true,
            ..RestoreTerms::default()
        };
        let scene = Scene::new().await;
        let first = newest(&scene).await.sum.sha256;
        *scene.played.refuses.lock().unwrap() = Some("end");
        scene.restore().await.unwrap_err();
        // The same again: it is needed.
        scene.restore_on(anew).await.unwrap_err();
        assert!(forgotten(&scene).iter().all(|(_, machines)| machines.is_empty()));
        scene.save().await;
        scene.restore_on(anew).await.unwrap_err();
        let all = forgotten(&scene);
        assert_eq!((all.len(), &all[0].0, all[0].1.len()), (1, &first, 3));
    });
}

#[test]
fn whoever_has_slept_over_another_restore_takes_nothing_of_that_away() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.refuses.lock().unwrap() = Some("end");
        scene.restore().await.unwrap_err();
        *scene.played.refuses.lock().unwrap() = None;
        let own = String::from_utf8(scene.intent().await.unwrap()).unwrap();
        let other = own.replace("\"id\": \"", "\"id\": \"another");
        assert_ne!(own, other);
        let deed = || write_intent(&scene, other.as_bytes());
        let woken = restore_with(&scene, RELEASES, deed, &Interrupt::new()).await;
        assert!(
            matches!(woken, Err(OperationError::RestoreUnderWay { .. })),
            "{woken:?}"
        );
        assert_eq!(scene.intent().await.unwrap(), other.as_bytes());
        // One that was asked to stop meanwhile, since its lease is another's, does not even try.
        write_intent(&scene, own.as_bytes());
        let interrupt = Interrupt::new();
        let stopped = restore_with(&scene, RELEASES, || interrupt.stop(), &interrupt).await;
        assert!(
            matches!(stopped, Err(OperationError::StoppedAmid(_))),
            "{stopped:?}"
        );
        assert_eq!(scene.intent().await.unwrap(), own.as_bytes());
        scene.restore().await.unwrap();
        assert_eq!(scene.intent().await, None);
    });
}

#[test]
fn a_stop_of_one_that_has_begun_tells_that_it_stands() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.refuses.lock().unwrap() = Some("end");
        scene.restore().await.unwrap_err();
        *scene.played.refuses.lock().unwrap() = None;
        let intent = scene.intent().await;
        let words = format!("is being restored from {}", newest(&scene).await.source);
        for (step, begins_anew) in [
            ("check", false),
            ("bring", false),
            ("check", true),
            ("bring", true),
        ] {
            let terms = RestoreTerms {
                begins_anew,
                ..RestoreTerms::default()
            };
            let interrupt = Interrupt::new();
            *scene.played.fails.lock().unwrap() = Some((step, ErrorClass::Transient, u32::MAX));
            let again = format!("try again: cannot {step} now");
            let stopped = restore_on_with(&scene, terms, &again, || interrupt.stop(), &interrupt).await;
            assert!(
                matches!(&stopped, Err(OperationError::StoppedAmid(told)) if told.ends_with(&words)),
                "{step}: {stopped:?}"
            );
        }
        assert_eq!(scene.intent().await, intent);
        *scene.played.fails.lock().unwrap() = None;
        scene.restore().await.unwrap();
    });
}

#[test]
fn scripts_of_a_run_that_was_killed_are_waited_for_and_machines_that_are_off_are_not() {
    block_on(async {
        let scene = Scene::new().await;
        *scene.played.fails.lock().unwrap() = Some(("check", ErrorClass::Transient, 2));
        scene.restore().await.unwrap();
        assert_eq!(scene.played.asked()[..4], ["check", "check", "check", "bring"]);
        *scene.played.fails.lock().unwrap() = Some(("check", ErrorClass::Unreachable, 1));
        scene.restore().await.unwrap_err();
        assert_eq!(scene.played.asked(), ["check"]);
    });
}
