//! Upkeep of etcd, with machines that are played.

use keelson::execute::{Interrupt, Silent};
use keelson::ops::DefragmentRequest;
use keelson_provider_api::Progress;

use super::backup_scene::Scene;
use super::block_on;

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
