//! Prunes by hand: what a restore needs stays, and nothing is read that need not be.

use keelson::backup::{BackupName, KeepReason, KeepRules};
use keelson::ops::OperationError;
use keelson_provider_api::{Precondition, Store};

use super::backup_scene::{INTENT, Scene};
use super::block_on;
use super::troubled::Trouble;

const LAST: KeepRules = KeepRules {
    last: 1,
    hourly: 0,
    daily: 0,
    weekly: 0,
};

/// The names of the snapshots, the newest first.
async fn names(scene: &Scene) -> Vec<BackupName> {
    let listed = scene.session.backups().await.unwrap().backups;
    listed.into_iter().map(|backup| backup.name).collect()
}

async fn prune(scene: &Scene) -> Vec<BackupName> {
    let planned = scene.session.plan_prune(Some(LAST)).await.unwrap();
    let pruned = scene.session.prune(planned).await.unwrap();
    pruned.deleted.into_iter().map(|pruned| pruned.name).collect()
}

/// A cluster that is being restored from its first snapshot, and has taken two more since.
async fn amid_a_restore() -> Scene {
    let scene = Scene::new().await;
    *scene.played.refuses.lock().unwrap() = Some("place");
    scene.restore().await.unwrap_err();
    *scene.played.refuses.lock().unwrap() = None;
    for _ in 0..2 {
        scene.save().await;
    }
    scene
}

#[test]
fn what_a_restore_has_begun_with_stays_until_that_has_come_to_its_end() {
    block_on(async {
        let scene = amid_a_restore().await;
        let [newest, second, first] = names(&scene).await.try_into().unwrap();
        let planned = scene.session.plan_prune(Some(LAST)).await.unwrap();
        assert_eq!(planned.report.kept[&first], [KeepReason::Restore].into());
        assert_eq!(prune(&scene).await, [second]);
        assert_eq!(names(&scene).await, [newest.clone(), first.clone()]);
        let intent = scene.intent().await.unwrap();
        scene.store.delete(INTENT, Precondition::None).await.unwrap();
        // It begins when the prune is planned, while somebody is asked.
        let planned = scene.session.plan_prune(Some(LAST)).await.unwrap();
        assert_eq!(planned.report.deleted.len(), 1);
        scene
            .store
            .write(INTENT, &intent, Precondition::None)
            .await
            .unwrap();
        let pruned = scene.session.prune(planned).await.unwrap();
        assert_eq!((pruned.deleted, pruned.kept.len()), (vec![], 2));
        assert_eq!(names(&scene).await, [newest.clone(), first.clone()]);
        scene.store.delete(INTENT, Precondition::None).await.unwrap();
        assert_eq!(prune(&scene).await, [first]);
    });
}

#[test]
fn where_it_cannot_be_seen_what_a_restore_needs_nothing_goes() {
    block_on(async {
        let scene = amid_a_restore().await;
        let before = names(&scene).await;
        scene.store.write(INTENT, b"{", Precondition::None).await.unwrap();
        let refused = scene.session.plan_prune(Some(LAST)).await;
        assert!(matches!(refused.err(), Some(OperationError::Store(_))));
        assert_eq!(names(&scene).await, before);
    });
}

#[test]
fn the_newest_is_read_only_where_something_goes() {
    block_on(async {
        let scene = Scene::new().await;
        scene.save().await;
        let [newest, older] = names(&scene).await.try_into().unwrap();
        let all = KeepRules { last: 2, ..LAST };
        scene.session.plan_prune(Some(all)).await.unwrap();
        assert_eq!(scene.way.opened(), [""; 0]);
        let path = format!("prod/backups/etcd/{newest}/snapshot");
        let planned = scene.session.plan_prune(Some(LAST)).await.unwrap();
        assert_eq!(planned.report.deleted.len(), 1);
        assert_eq!(scene.way.opened(), std::slice::from_ref(&path));
        // What the store says is damaged is damaged, as what is found to be: the one before it stays.
        scene.way.trouble(&path, Trouble::Torn);
        let planned = scene.session.plan_prune(Some(LAST)).await.unwrap();
        assert_eq!(planned.report.damaged[&newest], "it ends before its end");
        assert_eq!((planned.report.deleted, planned.report.kept.len()), (vec![], 1));
        assert_eq!(
            scene.way.opened(),
            [format!("prod/backups/etcd/{older}/snapshot")]
        );
    });
}
