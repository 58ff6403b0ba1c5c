//! Connections: who speaks, what is kept, what happens when one is lost.

use keelson::cluster::Standing;
use keelson_provider_api::{Action, ErrorClass, Kind, Observed, Outcome};

use super::api_server::Fault;
use super::scene::{ACCESS, Scene, block_on};

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, namespace: default }\n";

/// How often a kept connection is asked for, and how many of those may be given another one. If none were kept, all would be.
const LOOKS: usize = 20;
const LATE: usize = LOOKS / 2;

async fn attempt(scene: &Scene) -> Outcome {
    let resource = Box::new(scene.wanted("maps", MAP).into());
    scene
        .attempt(
            "maps",
            Action::Create {
                resource,
                generation: 0,
            },
            Kind::Addon,
        )
        .await
}

#[test]
fn keelson_is_an_administrator_as_soon_as_administrators_have_rights() {
    block_on(async {
        let scene = Scene::new().await;
        scene.apply("cluster-access", ACCESS).await.unwrap();
        assert!(
            scene.standings().contains(&Standing::Founder),
            "before, nobody else may do anything"
        );
        let scene = scene.restarted();
        let before = scene.standings().len();
        scene.apply("maps", MAP).await.unwrap();
        assert_eq!(scene.standings()[before..], [Standing::Administrator]);
    });
}

#[test]
fn one_connection_serves_many_calls_and_a_lost_one_is_opened_again() {
    block_on(async {
        let scene = Scene::founded().await.restarted();
        let ways = scene.machines.ways();
        scene.apply("maps", MAP).await.unwrap();
        assert_eq!(scene.machines.ways(), ways + 1);
        let connections = scene.api.connections();
        for _ in 0..LOOKS {
            scene.find(Kind::Addon, "maps").await;
        }
        // Who asks again at once may come before the last answer's connection is put back, and gets another.
        assert!(scene.api.connections() <= connections + LATE, "it is kept");
        scene
            .api
            .fail(|number, _| (number == 0).then_some(Fault::DropBefore));
        assert!(
            matches!(scene.find(Kind::Addon, "maps").await, Observed::Present(_)),
            "a look is repeated"
        );
        assert_eq!(scene.machines.ways(), ways + 2);
    });
}

#[test]
fn what_may_have_had_an_effect_is_told_from_what_had_none() {
    block_on(async {
        let table = [
            (Fault::DropBefore, 0, ErrorClass::Transient, false),
            (Fault::Throttle, 0, ErrorClass::Throttled, false),
            (Fault::Internal, 0, ErrorClass::Transient, false),
            (Fault::DropAfter, 1, ErrorClass::Transient, true),
            (Fault::Internal, 1, ErrorClass::Transient, true),
            (Fault::Throttle, 1, ErrorClass::Throttled, false),
            (Fault::Throttle, 2, ErrorClass::Throttled, true),
        ];
        for (fault, after_writes, class, may_have_effect) in table {
            let scene = Scene::founded().await;
            let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            scene.api.fail(move |_, request| {
                let order = std::sync::atomic::Ordering::SeqCst;
                let number = if request.writes() {
                    seen.fetch_add(1, order) + 1
                } else {
                    0
                };
                let is_due = if after_writes == 0 {
                    !request.writes()
                } else {
                    number == after_writes
                };
                is_due.then_some(fault)
            });
            let outcome = attempt(&scene).await;
            let ((Outcome::Rejected(error), false) | (Outcome::Indeterminate(error), true)) =
                (&outcome, may_have_effect)
            else {
                panic!("{fault:?} {after_writes}: {outcome:?}")
            };
            assert_eq!(error.class, class, "{fault:?} {after_writes}: {error}");
        }
    });
}

#[test]
fn an_api_server_that_nobody_vouches_for_is_told_nothing() {
    block_on(async {
        let scene = Scene::founded().await;
        let other = Scene::founded().await;
        // The way leads to a server of another authority.
        let machines = super::machines::Machines::new(other.api.clone(), other.clock.clone());
        let scene = scene.through(machines);
        let Outcome::Rejected(error) = attempt(&scene).await else {
            panic!()
        };
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.message.contains("certificate"), "{error}");
        assert!(other.api.requests().is_empty());
    });
}
