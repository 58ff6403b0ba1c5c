//! What is kept while calls are refused, answers are lost and runs are ended.

use super::*;

/// Every write by which something is made.
const CREATES: [&str; 9] = [
    "CreateRole",
    "PutRolePolicy",
    "AttachRolePolicy",
    "CreateInstanceProfile",
    "AddRoleToInstanceProfile",
    "CreateVolume",
    "CreateNetworkInterface",
    "AllocateAddress",
    "AssociateAddress",
];

impl Scene {
    /// How many of each there are: roles, profiles, volumes, interfaces, addresses.
    async fn counts(&self) -> [usize; 5] {
        let path = keelson_aws_calls::iam::path_of("one");
        let ours = &Filters::of_cluster("one");
        let (ec2, iam) = (&self.calls.ec2, &self.calls.iam);
        [
            iam.roles(&path).await.unwrap().len(),
            iam.instance_profiles(&path).await.unwrap().len(),
            ec2.list_volumes(ours).await.unwrap().len(),
            ec2.list_interfaces(ours).await.unwrap().len(),
            ec2.list_addresses(ours).await.unwrap().len(),
        ]
    }
}

#[tokio::test]
async fn answers_that_are_lost_make_nothing_twice() {
    let Some(scene) = Scene::start_or_skip("answers_that_are_lost_keep_nothing_twice").await else {
        return;
    };
    let before = scene.everything().await;
    for action in CREATES {
        let rule = json!({ "kind": "lose", "action": action, "times": 1, "reset": true });
        scene.tell("faults", &rule.to_string());
    }
    let wanted = wanted();
    scene.make(&wanted).await;
    assert_eq!(scene.counts().await, [2, 2, 2, 2, 1]);
    assert_eq!(scene.seen().await, wanted);
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_shows_late_is_made_once() {
    let Some(scene) = Scene::start_or_skip("what_shows_late_is_kept_once").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    scene.tell("settings", r#"{"late": 4, "delay": 5}"#);
    scene.make(&wanted).await;
    // Later than what is waited for: another volume is made meanwhile, and goes when the first one shows.
    scene.tell("settings", r#"{"late": 8}"#);
    let late = (key(Kind::Volume, "c"), Resource::from(volume("c", 20, None)));
    scene.make(&vec![late]).await;
    scene.tell("settings", r#"{"late": 0, "advance": 20}"#);
    assert_eq!(scene.counts().await, [2, 2, 3, 2, 1]);
    scene.take_away().await;
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn a_run_that_ends_at_any_create_is_gone_on_with_and_what_it_left_is_deleted() {
    let Some(scene) = Scene::start_or_skip("a_run_that_ends_at_any_create_of_what_is_kept").await else {
        return;
    };
    let before = scene.everything().await;
    let wanted = wanted();
    for (generation, action) in (0..).zip(CREATES) {
        for is_gone_on_with in [true, false] {
            // The call is done, and nobody hears of it: one attempt is made of each step, and the rest is never begun.
            let rule = json!({ "kind": "lose", "action": action, "times": 9, "reset": true });
            scene.tell("faults", &rule.to_string());
            for (key, resource) in &wanted {
                if scene.once(&create(key, resource, generation)).await != Outcome::Done {
                    break;
                }
            }
            scene.no_more_trouble();
            if is_gone_on_with {
                // What was begun is there, and differs unless it is whole; the rest is absent.
                let observation = scene.look().await;
                let (there, absent): (Wanted, Wanted) = wanted
                    .iter()
                    .cloned()
                    .partition(|(key, _)| observation.present(key).is_some());
                scene.put_right(&there).await;
                scene.make_generation(&absent, generation).await;
                assert_eq!(scene.seen().await, wanted, "{action}");
            }
            scene.take_away().await;
            assert_eq!(scene.everything().await, before, "{action} {is_gone_on_with}");
        }
    }
}

#[tokio::test]
async fn throttling_and_refusals_that_pass_are_got_over() {
    let Some(scene) = Scene::start_or_skip("throttling_is_got_over_by_what_is_kept").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("faults", r#"{"kind": "throttle", "share": 0.3, "seed": 7}"#);
    for (action, code) in [
        ("PutRolePolicy", "NoSuchEntity"),
        ("DeleteRole", "DeleteConflict"),
    ] {
        let rule = json!({ "kind": "fail", "action": action, "code": code, "status": 409, "times": 2 });
        scene.tell("faults", &rule.to_string());
    }
    scene.make(&wanted()).await;
    scene.take_away().await;
    scene.no_more_trouble();
    assert_eq!(scene.everything().await, before);
}
