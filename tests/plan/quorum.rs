//! Members that are down, and members whose restart has to wait for others.

use std::collections::BTreeMap;

use keelson_provider_api::Resource;

use super::decisions::blocked;
use super::world::{THREE_AND_FOUR, World, comes_before, desired, outline};

/// The quorum of three is lost: 1 runs and waits, 2 and 3 are stopped.
fn two_are_stopped(world: World) -> World {
    world
        .stalled("etcd-member/main:control-plane-1")
        .stopped("etcd-member/main:control-plane-2")
        .stopped("etcd-member/main:control-plane-3")
}

#[test]
fn members_that_are_stopped_are_started_all_at_once() {
    let desired = desired(THREE_AND_FOUR);
    let (plan, report) = two_are_stopped(World::as_desired(&desired)).plan(&desired);
    let starts = [2, 3].map(|number| format!("update etcd-member/main:control-plane-{number}"));
    assert_eq!(outline(&plan), starts);
    assert!(!report.is_blocked(), "{report:?}");
    for step in plan.steps() {
        assert_eq!(step.change().reason, "it is not running: start it");
        assert!(step.after().is_empty() && !step.is_disruptive());
    }
}

#[test]
fn what_is_down_comes_first_and_what_runs_is_restarted_when_it_is_back() {
    let before = World::as_desired(&desired(THREE_AND_FOUR));
    let after = desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}"));
    let bundle = |number: u32| format!("update node-bundle/control-plane-{number}");
    let start = |number: u32| format!("update etcd-member/main:control-plane-{number}");
    let (plan, _) = two_are_stopped(before.clone()).plan(&after);
    for number in [2, 3] {
        assert!(comes_before(&plan, &bundle(number), &start(number)));
        assert!(comes_before(&plan, &start(number), &bundle(1)));
    }
    assert!(
        !comes_before(&plan, &start(2), &bundle(3)),
        "2 may need 3 to be ready: {:?}",
        outline(&plan)
    );
    let all = two_are_stopped(before).stopped("etcd-member/main:control-plane-1");
    let (plan, report) = all.plan(&after);
    assert!(!report.is_blocked() && plan.steps().len() > 6, "{report:?}");
}

#[test]
fn what_runs_without_a_quorum_is_left_alone_where_nothing_brings_it_back() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired)
        .stalled("etcd-member/main:control-plane-1")
        .sick("etcd-member/main:control-plane-2")
        .sick("etcd-member/main:control-plane-3");
    let other = |existing: &mut keelson_provider_api::Existing| match &mut existing.resource {
        Resource::NodeBundle(bundle) => {
            bundle.settings = keelson_provider_api::values::Digest::of_bytes(b"other");
        }
        other => panic!("{other:?}"),
    };
    let changed = world.clone().change("node-bundle/control-plane-1", other);
    let reasons = blocked(&changed, &desired);
    let [(key, reason)] = reasons.as_slice() else {
        panic!("{reasons:?}")
    };
    assert_eq!(key, "node-bundle/control-plane-1");
    assert!(
        reason.contains("has lost its quorum: 0 of 3 voting members answer"),
        "{reason}"
    );
    // With a quorum that a start brings back it waits for that.
    let (_, report) = changed.stopped("etcd-member/main:control-plane-2").plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
}

#[test]
fn lost_data_may_be_on_a_machine_that_is_silent() {
    let mut wanted = desired(THREE_AND_FOUR);
    wanted.etcd_with_data.insert("main".to_owned());
    let told = |world: &World| {
        let reasons = blocked(world, &wanted);
        let of_one = reasons
            .into_iter()
            .find(|(key, _)| key == "etcd-member/main:control-plane-1");
        of_one.expect("it is blocked").1
    };
    assert!(told(&World::empty()).contains("nothing of it is on any machine"));
    let silent = World::empty()
        .unknown("machine/control-plane-3")
        .unknown("etcd-member/main:control-plane-3");
    let told = told(&silent);
    assert!(
        told.ends_with("may be on machines that cannot be seen: control-plane-3"),
        "{told}"
    );
}

#[test]
fn no_restart_waits_for_a_machine_that_does_not_answer() {
    let before = World::as_desired(&desired(THREE_AND_FOUR));
    let after = desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}"));
    let silent = before
        .unknown("machine/control-plane-3")
        .unknown("node-bundle/control-plane-3")
        .unknown("etcd-member/main:control-plane-3");
    let reasons: BTreeMap<String, String> = blocked(&silent, &after).into_iter().collect();
    for number in [1, 2] {
        let reason = &reasons[&format!("node-bundle/control-plane-{number}")];
        assert!(
            reason.contains("would lose its quorum") && reason.contains("control-plane-3 cannot be seen"),
            "{reason}"
        );
    }
    let (plan, _) = silent.plan(&after);
    let steps = outline(&plan);
    assert!(
        steps.iter().any(|step| step.ends_with("node-bundle/workers-1")),
        "workers take no member down: {steps:?}"
    );
    // Its fellows may know of the member that it is away.
    let known = World::as_desired(&desired(THREE_AND_FOUR))
        .unknown("machine/control-plane-3")
        .unknown("node-bundle/control-plane-3")
        .sick("etcd-member/main:control-plane-3");
    let reasons: BTreeMap<String, String> = blocked(&known, &after).into_iter().collect();
    assert!(reasons["node-bundle/control-plane-1"].contains("would lose its quorum"));
    // Of five, one may be away.
    let five = THREE_AND_FOUR.replacen("replicas: 3", "replicas: 5", 1);
    let silent = World::as_desired(&desired(&five))
        .unknown("machine/control-plane-3")
        .unknown("node-bundle/control-plane-3")
        .unknown("etcd-member/main:control-plane-3");
    let after = desired(&format!("{five}\n  kubelet: {{ maxPods: 120 }}"));
    let (plan, _) = silent.plan(&after);
    assert!(outline(&plan).contains(&"update node-bundle/control-plane-1".to_owned()));
}

#[test]
fn a_member_that_is_down_is_mended_while_a_fellow_does_not_answer() {
    let before = World::as_desired(&desired(THREE_AND_FOUR));
    let after = desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}"));
    let world = before
        .unknown("machine/control-plane-3")
        .unknown("node-bundle/control-plane-3")
        .unknown("etcd-member/main:control-plane-3")
        .stopped("etcd-member/main:control-plane-1")
        .stalled("etcd-member/main:control-plane-2");
    let (plan, _) = world.plan(&after);
    let steps = outline(&plan);
    assert!(
        comes_before(
            &plan,
            "update node-bundle/control-plane-1",
            "update etcd-member/main:control-plane-1"
        ),
        "with it there is a quorum again: {steps:?}"
    );
    let reasons: BTreeMap<String, String> = blocked(&world, &after).into_iter().collect();
    assert!(
        reasons["node-bundle/control-plane-2"].contains("would lose its quorum"),
        "{reasons:?}"
    );
}
