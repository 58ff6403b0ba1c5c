//! The edge while calls are refused, answers are lost and runs are ended.

use super::*;

/// What makes something.
const CREATES: [&str; 5] = [
    "CreateLoadBalancer",
    "CreateTargetGroup",
    "CreateListener",
    "ChangeResourceRecordSets",
    "RegisterTargets",
];
/// What changes something of it, right after.
const CHANGES: [&str; 2] = ["ModifyLoadBalancerAttributes", "ModifyTargetGroupAttributes"];

async fn comes_to_the_same_end(scene: &Scene) {
    let wanted = wanted();
    scene.mend(&wanted).await;
    assert_eq!(seen(&scene.look().await), wanted);
    assert_eq!(scene.mend(&wanted).await, [""; 0]);
    let owned = scene.calls.elb.owned("one").await.unwrap();
    assert_eq!((owned.load_balancers.len(), owned.target_groups.len()), (1, 1));
}

#[tokio::test]
async fn answers_that_are_lost_make_nothing_twice() {
    let Some(scene) = Scene::start_or_skip("lost_answers_make_nothing_twice_at_the_edge").await else {
        return;
    };
    let before = scene.everything().await;
    for action in CREATES.iter().chain(&CHANGES) {
        scene.tell(
            "faults",
            &format!(r#"{{"kind": "lose", "action": "{action}", "times": 1, "reset": true}}"#),
        );
    }
    scene.make(&wanted()).await;
    comes_to_the_same_end(&scene).await;
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_run_that_ends_at_any_create_is_gone_on_with_and_what_it_left_is_deleted() {
    let Some(scene) = Scene::start_or_skip("a_run_that_ends_at_any_create_of_the_edge").await else {
        return;
    };
    goes_on_after(&scene, &[&CREATES[..], &CHANGES[..]].concat()).await;
}

/// A run that ends at each of `actions` is gone on with, and what it has left is taken away.
pub(super) async fn goes_on_after(scene: &Scene, actions: &[&str]) {
    let before = scene.everything().await;
    for action in actions {
        for is_gone_on_with in [true, false] {
            // The call is done, and nobody hears of it, nor tries again: the rest is never begun.
            scene.tell(
                "faults",
                &format!(r#"{{"kind": "lose", "action": "{action}", "code": "Ended", "status": 400}}"#),
            );
            let mut was_ended = false;
            for (key, resource) in &wanted() {
                if scene.once(&create(key, resource, 0)).await != Outcome::Done {
                    was_ended = true;
                    break;
                }
            }
            assert!(was_ended, "{action}");
            scene.no_more_trouble();
            if is_gone_on_with {
                comes_to_the_same_end(scene).await;
            }
            scene.take_away().await;
            assert_eq!(scene.everything().await, before, "{action} {is_gone_on_with}");
        }
    }
}

#[tokio::test]
async fn a_destroy_that_ends_at_any_delete_is_gone_on_with() {
    let Some(scene) = Scene::start_or_skip("a_destroy_that_ends_at_any_delete_of_the_edge").await else {
        return;
    };
    let deletes = [
        "DeregisterTargets",
        "ChangeResourceRecordSets",
        "DeleteLoadBalancer",
        "DeleteTargetGroup",
    ];
    goes_on_deleting_after(&scene, &deletes).await;
}

/// A destroy that ends at each of `deletes` is gone on with.
pub(super) async fn goes_on_deleting_after(scene: &Scene, deletes: &[&str]) {
    let before = scene.everything().await;
    for action in deletes {
        scene.make(&wanted()).await;
        let observation = scene.look().await;
        let mut owned: Vec<_> = observation.owned().collect();
        owned.reverse();
        scene.tell(
            "faults",
            &format!(r#"{{"kind": "lose", "action": "{action}", "code": "Ended", "status": 400}}"#),
        );
        for (key, existing) in owned {
            if scene.once(&delete(key, existing)).await != Outcome::Done {
                break;
            }
        }
        scene.no_more_trouble();
        scene.take_away().await;
        assert_eq!(scene.everything().await, before, "{action}");
    }
}

#[tokio::test]
async fn throttling_and_refusals_that_pass_are_got_over() {
    let Some(scene) = Scene::start_or_skip("throttling_of_the_edge_is_got_over").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("faults", r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    let wanted = wanted();
    scene.make(&wanted).await;
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}
