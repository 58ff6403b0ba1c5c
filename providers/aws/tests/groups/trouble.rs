//! Groups while calls are refused, answers are lost, runs are ended, and things take their time.

use super::*;

/// The calls that a group is made, changed and ended by.
const MAKING: [&str; 2] = ["CreateLaunchTemplate", "CreateAutoScalingGroup"];
const CHANGING: [&str; 5] = [
    "CreateLaunchTemplateVersion",
    "UpdateAutoScalingGroup",
    "CreateOrUpdateTags",
    "ModifyLaunchTemplate",
    "DeleteLaunchTemplateVersions",
];
const ENDING: [&str; 2] = ["DeleteAutoScalingGroup", "DeleteLaunchTemplate"];

impl Scene {
    /// Carries `change` out by a run that ends at the call `action`, of which nobody hears, whether it is done or not.
    async fn ended_at(&self, action: &str, is_done: bool, change: &Change) {
        let kind = if is_done { "lose" } else { "fail" };
        self.tell(
            "faults",
            &format!(r#"{{"kind": "{kind}", "action": "{action}", "times": 99, "reset": true}}"#),
        );
        let ended = self.once(change).await;
        assert!(
            matches!(ended, Outcome::Indeterminate(_)),
            "{action} {is_done}: {ended:?}"
        );
        self.no_more_trouble();
    }

    /// Brings the group to `group` as the next run does, which looks first.
    async fn go_on(&self, group: &NodeGroup) {
        let key = key(Kind::NodeGroup, "workers");
        if self.look().await.present(&key).is_some() {
            self.bring("workers", group).await;
        } else {
            self.make("workers", group).await;
        }
        assert_eq!(self.seen("workers").await, *group);
        assert_eq!(self.health("workers").await, Health::Healthy);
        let (template, versions) = self.template().await;
        assert_eq!(
            (template.default_version, versions.len()),
            (template.latest_version, 1)
        );
    }
}

#[tokio::test]
async fn a_run_that_ends_at_any_call_is_gone_on_with_and_what_it_left_is_deleted() {
    let Some(scene) = Scene::prepare_or_skip("groups::a_run_that_ends_at_any_call").await else {
        return;
    };
    let before = scene.everything().await;
    let key = key(Kind::NodeGroup, "workers");
    let wanted = workers();
    for action in MAKING {
        for is_done in [true, false] {
            for is_gone_on_with in [true, false] {
                let change = create(&key, &wanted.clone().into(), 0);
                scene.ended_at(action, is_done, &change).await;
                if is_gone_on_with {
                    scene.go_on(&wanted).await;
                }
                if scene.look().await.present(&key).is_some() {
                    scene.end(&key).await;
                }
                let case = format!("{action} {is_done} {is_gone_on_with}");
                assert_eq!(scene.everything().await, before, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_that_ends_at_any_call_is_gone_on_with() {
    let Some(scene) = Scene::prepare_or_skip("groups::a_change_that_ends_at_any_call").await else {
        return;
    };
    let key = key(Kind::NodeGroup, "workers");
    let mut wanted = workers();
    scene.make("workers", &wanted).await;
    for action in CHANGING {
        for is_done in [true, false] {
            wanted.kubernetes_version.patch += 1;
            wanted.min += 1;
            wanted.max += 1;
            wanted.replicas += 1;
            let resource = wanted.clone().into();
            let update = scene.update_of(&key, &resource).await.unwrap();
            scene.ended_at(action, is_done, &update).await;
            scene.carry_out(&update).await;
            scene.go_on(&wanted).await;
        }
    }
}

#[tokio::test]
async fn an_end_that_was_begun_is_gone_on_with() {
    let Some(scene) = Scene::prepare_or_skip("groups::an_end_that_was_begun").await else {
        return;
    };
    let before = scene.everything().await;
    let key = key(Kind::NodeGroup, "workers");
    scene.tell("settings", r#"{"delay": 5}"#);
    for action in ENDING {
        for is_done in [true, false] {
            scene.make("workers", &workers()).await;
            let ended = delete(&key, &scene.existing(&key).await);
            scene.ended_at(action, is_done, &ended).await;
            scene.carry_out(&ended).await;
            assert_eq!(scene.everything().await, before, "{action} {is_done}");
        }
    }
    // One that is wanted again while it goes is made when it is gone.
    scene.make("workers", &workers()).await;
    let name = scene.group().await.name;
    scene.calls.scaling.delete_group(&name, true).await.unwrap();
    let seen = scene.existing(&key).await;
    assert_eq!(seen.health, Health::Unhealthy("it is being deleted".to_owned()));
    scene.go_on(&workers()).await;
}

#[tokio::test]
async fn the_end_of_a_machine_is_gone_on_with() {
    let Some(scene) = Scene::prepare_or_skip("groups::the_end_of_a_machine").await else {
        return;
    };
    scene.tell("settings", r#"{"delay": 5}"#);
    scene.make("workers", &workers()).await;
    for is_done in [true, false] {
        let id = scene.machines().await.remove(0).0;
        let let_go = scene.let_go(&id).await;
        scene.ended_at("DetachInstances", is_done, &let_go).await;
        scene.carry_out(&let_go).await;
        let machine = key(Kind::GroupMachine, &id);
        let ended = delete(&machine, &scene.existing(&machine).await);
        scene.ended_at("TerminateInstances", is_done, &ended).await;
        scene.carry_out(&ended).await;
        assert_eq!(scene.machines().await.len(), 2);

        let id = scene.machines().await.remove(0).0;
        let machine = key(Kind::GroupMachine, &id);
        let ended = delete(&machine, &scene.existing(&machine).await);
        scene
            .ended_at("TerminateInstanceInAutoScalingGroup", is_done, &ended)
            .await;
        scene.carry_out(&ended).await;
        let machines = scene.machines().await;
        assert_eq!(machines.len(), 2);
        assert!(
            machines
                .iter()
                .all(|(other, machine)| *other != id && !machine.detached)
        );
        assert_eq!(scene.group().await.sizes.desired, Some(2));
    }
}

#[tokio::test]
async fn answers_that_are_lost_and_throttling_make_nothing_twice() {
    let Some(scene) = Scene::prepare_or_skip("groups::answers_that_are_lost").await else {
        return;
    };
    let before = scene.everything().await;
    for action in MAKING.iter().chain(&CHANGING).chain(&ENDING) {
        scene.tell(
            "faults",
            &format!(r#"{{"kind": "lose", "action": "{action}", "times": 1, "reset": true}}"#),
        );
    }
    scene.tell("faults", r#"{"kind": "throttle", "share": 0.2, "seed": 7}"#);
    let group = NodeGroup {
        max_surge: 1,
        ..workers()
    };
    scene.make("workers", &group).await;
    let key = key(Kind::NodeGroup, "workers");
    let wanted: Resource = upgraded(group).into();
    let update = scene.update_of(&key, &wanted).await.unwrap();
    scene.carry_out(&update).await;
    assert_eq!(scene.group().await.members.len(), 2);
    let id = scene.machines().await.remove(0).0;
    scene.carry_out(&scene.let_go(&id).await).await;
    scene.end(&super::key(Kind::GroupMachine, &id)).await;
    assert_eq!(scene.machines().await.len(), 2);
    scene.end(&key).await;
    scene.no_more_trouble();
    assert_eq!(scene.everything().await, before);
}

#[tokio::test]
async fn what_takes_its_time_is_waited_for() {
    let Some(scene) = Scene::prepare_or_skip("groups::what_takes_its_time").await else {
        return;
    };
    let before = scene.everything().await;
    scene.tell("settings", r#"{"delay": 60, "advance": 3600, "late": 30}"#);
    let (key, wanted) = (key(Kind::NodeGroup, "workers"), workers());
    let change = create(&key, &wanted.clone().into(), 0);
    assert_eq!(scene.once(&change).await, Outcome::Done);
    assert_eq!(scene.health("workers").await, Health::Healthy);
    let id = scene.machines().await.remove(0).0;
    let let_go = scene.let_go(&id).await;
    assert_eq!(scene.once(&let_go).await, Outcome::Done);
    let machine = super::key(Kind::GroupMachine, &id);
    let ended = delete(&machine, &scene.existing(&machine).await);
    assert_eq!(scene.once(&ended).await, Outcome::Done);
    let ended = delete(&key, &scene.existing(&key).await);
    assert_eq!(scene.once(&ended).await, Outcome::Done);
    scene.tell("settings", r#"{"late": 0}"#);
    assert_eq!(scene.everything().await, before);
}
