//! What becomes of each resource.

use keelson::plan::DesiredState;
use keelson_provider_api::{Disruption, Existing, Kind, Owner, Resource};

use super::world::{THREE_AND_FOUR, World, desired, key, outline};

pub(super) fn blocked(world: &World, desired: &DesiredState) -> Vec<(String, String)> {
    let (_, report) = world.plan(desired);
    report
        .blocked
        .iter()
        .map(|blocked| (blocked.key.to_string(), blocked.reason.clone()))
        .collect()
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let desired = desired(THREE_AND_FOUR);
    let (plan, report) = World::as_desired(&desired).plan(&desired);
    assert!(plan.is_empty(), "{:?}", outline(&plan));
    assert_eq!(report.unchanged, desired.resources.len());
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let desired = desired(THREE_AND_FOUR);
    assert_eq!(World::empty().plan(&desired), World::empty().plan(&desired));
}

#[test]
fn what_belongs_to_others_is_neither_changed_nor_removed() {
    let desired = desired(THREE_AND_FOUR);
    let of_others = |existing: &mut Existing| existing.owner = Owner::Other("cluster foo".to_owned());
    let world = World::as_desired(&desired).change("machine/workers-1", of_others);
    let reasons = blocked(&world, &desired);
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].1.contains("cluster foo"), "{reasons:?}");
    let (plan, _) = world.plan(&DesiredState::nothing());
    assert!(
        !outline(&plan).contains(&"delete machine/workers-1".to_owned()),
        "{:?}",
        outline(&plan)
    );
}

#[test]
fn the_unknown_blocks_itself_and_what_needs_it_and_nothing_else() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired)
        .unknown("machine/workers-1")
        .without("node-bundle/workers-1")
        .without("node/workers-1")
        .without("node/workers-2");
    let (plan, report) = world.plan(&desired);
    assert_eq!(outline(&plan), ["create node/workers-2"]);
    assert_eq!(report.blocked.len(), 1, "{report:?}");
    let held: Vec<String> = report.held.iter().map(|held| held.key.to_string()).collect();
    assert_eq!(held, ["node-bundle/workers-1", "node/workers-1"]);
}

#[test]
fn what_could_not_be_looked_at_is_not_planned_for() {
    let desired = desired(THREE_AND_FOUR);
    let (plan, report) = World::empty().unknown_kind(Kind::Network).plan(&desired);
    assert!(report.is_blocked());
    assert!(
        plan.is_empty(),
        "everything stands on the network: {:?}",
        outline(&plan)
    );
}

#[test]
fn nothing_is_removed_that_something_unseen_may_stand_on() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired).unknown_kind(Kind::Machine);
    let (plan, report) = world.plan(&DesiredState::nothing());
    assert!(plan.is_empty(), "{:?}", outline(&plan));
    assert!(report.is_blocked());
    let everything = World::empty()
        .unknown_kind(Kind::Machine)
        .plan(&DesiredState::nothing());
    assert!(
        everything.1.is_blocked(),
        "to see nothing is not to know that nothing is there"
    );
}

#[test]
fn nothing_is_taken_from_under_what_is_blocked() {
    let nothing = DesiredState::nothing();
    let whole = World::as_desired(&desired(THREE_AND_FOUR));
    for unseen in [
        "node-bundle/control-plane-1",
        "etcd-member/main:control-plane-1",
        "node/control-plane-1",
    ] {
        let (plan, report) = whole.clone().unknown(unseen).plan(&nothing);
        let steps = outline(&plan);
        assert!(
            !steps.contains(&"delete machine/control-plane-1".to_owned()),
            "{unseen}: {steps:?}"
        );
        assert!(
            steps.contains(&"delete machine/workers-1".to_owned()),
            "{unseen}: {steps:?}"
        );
        assert!(
            !steps.contains(&"delete network/main".to_owned()),
            "{unseen}: {steps:?}"
        );
        let held = report
            .held
            .iter()
            .find(|held| held.key == key("machine/control-plane-1"));
        assert_eq!(held.unwrap().waits_for, key(unseen));
        // The machine answers: it is not gone.
        let advice = report.blocked[0].help.as_deref().unwrap();
        assert!(!advice.contains("--gone"), "{advice}");
    }
    // Nobody knows what a silent machine stands on.
    let (plan, report) = whole.unknown("machine/workers-1").plan(&nothing);
    let steps = outline(&plan);
    assert!(
        steps.contains(&"delete machine/workers-2".to_owned()),
        "{steps:?}"
    );
    assert!(!steps.contains(&"delete network/main".to_owned()), "{steps:?}");
    assert!(
        report.blocked[0]
            .help
            .as_deref()
            .unwrap()
            .contains("--gone workers-1"),
        "{report:?}"
    );
}

#[test]
fn no_version_changes_without_the_snapshot_that_comes_first() {
    let after = desired(&THREE_AND_FOUR.replace("1.36.2", "1.37.0"));
    for kind in [Kind::EtcdSnapshot, Kind::EtcdMember] {
        let (plan, report) = World::as_desired(&desired(THREE_AND_FOUR))
            .unknown_kind(kind)
            .plan(&after);
        assert!(
            !outline(&plan).iter().any(|step| step.contains("node-bundle")),
            "{kind}: {:?}",
            outline(&plan)
        );
        assert!(report.is_blocked(), "{kind}");
    }
}

#[test]
fn what_cannot_change_blocks_with_advice() {
    let before = desired(THREE_AND_FOUR);
    let after = desired(&format!(
        "{THREE_AND_FOUR}\n  network: {{ machineCIDR: 10.8.0.0/16 }}"
    ));
    let world = World::as_desired(&before);
    let (plan, report) = world.plan(&after);
    assert_eq!(report.blocked.len(), 1, "{report:?}");
    assert_eq!(report.blocked[0].key.to_string(), "network/main");
    assert!(report.blocked[0].reason.contains("cidr"), "{report:?}");
    assert!(report.blocked[0].help.is_some());
    assert!(plan.is_empty(), "{:?}", outline(&plan));
}

#[test]
fn versions_go_forward_and_one_minor_at_a_time() {
    let at = |version: &str| desired(&THREE_AND_FOUR.replace("1.36.2", version));
    let table = [
        ("1.35.1", "1.36.2", None),
        ("1.36.2", "1.36.3", None),
        ("1.34.3", "1.36.2", Some("skips a minor")),
        ("1.36.2", "1.35.1", Some("goes back")),
        ("1.36.2", "1.36.1", Some("goes back")),
    ];
    for (from, to, expected) in table {
        let reasons = blocked(&World::as_desired(&at(from)), &at(to));
        match expected {
            None => assert!(reasons.is_empty(), "{from} -> {to}: {reasons:?}"),
            Some(words) => {
                let on_control_planes = reasons
                    .iter()
                    .filter(|(_, reason)| reason.contains(words))
                    .count();
                assert!(on_control_planes >= 3, "{from} -> {to}: {reasons:?}");
            }
        }
    }
}

#[test]
fn a_control_plane_that_cannot_be_seen_holds_back_what_must_not_be_newer() {
    let before = desired(THREE_AND_FOUR);
    let after = desired(&THREE_AND_FOUR.replace("1.36.2", "1.37.0"));
    let unseen = |world: World| world.unknown("node-bundle/control-plane-3");
    let at_1_37 = |world: World, machine: &str| {
        world.change(&format!("node-bundle/{machine}"), |existing| {
            existing.resource = after.resources[&key(&format!("node-bundle/{machine}"))]
                .resource
                .clone();
        })
    };
    let worker = "node-bundle/workers-1";
    let proxy = "addon/kube-proxy";
    let is_held = |world: &World, name: &str| {
        let (_, report) = world.plan(&after);
        report
            .held
            .iter()
            .any(|held| held.key == key(name) && held.waits_for == key("node-bundle/control-plane-3"))
    };
    let world = unseen(World::as_desired(&before));
    assert!(is_held(&world, worker) && is_held(&world, proxy));
    assert!(is_held(&world.clone().without(worker), worker), "a new worker");
    // A kubelet that is at the new version was allowed to be: every API server was by then.
    let later = at_1_37(world, "workers-2");
    assert!(!is_held(&later, worker) && !is_held(&later, proxy));
    // What changes no version waits for nobody.
    let settings = desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}"));
    let reasons = blocked(&unseen(World::as_desired(&before)), &settings);
    assert!(reasons.iter().all(|(key, _)| key != worker), "{reasons:?}");
}

#[test]
fn what_follows_a_machine_that_cannot_be_seen_is_told_with_it() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired)
        .unknown("machine/control-plane-2")
        .unknown("etcd-member/main:control-plane-2")
        .unknown("node/workers-1");
    let (_, report) = world.plan(&desired);
    let follows = |name: &str| {
        let blocked = report.blocked.iter().find(|blocked| blocked.key == key(name));
        blocked.unwrap().follows.clone()
    };
    assert_eq!(follows("machine/control-plane-2"), None);
    assert_eq!(
        follows("etcd-member/main:control-plane-2"),
        Some(key("machine/control-plane-2"))
    );
    assert_eq!(follows("node/workers-1"), None, "its machine is seen");
}

#[test]
fn what_outlived_its_machine_is_made_anew_on_the_new_one() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired)
        .change("machine/workers-1", |existing| existing.id = "another".to_owned());
    let (plan, _) = world.plan(&desired);
    let steps = outline(&plan);
    for step in [
        "delete node-bundle/workers-1",
        "create node-bundle/workers-1",
        "delete node/workers-1",
        "create node/workers-1",
    ] {
        assert!(steps.contains(&step.to_owned()), "{step} is not in {steps:?}");
    }
    assert!(!steps.iter().any(|step| step.contains("machine/")), "{steps:?}");
}

#[test]
fn what_does_not_work_is_told_of_unless_the_plan_sees_to_it() {
    let desired = desired(THREE_AND_FOUR);
    let told = |world: &World, desired: &DesiredState| {
        let (_, report) = world.plan(desired);
        let problem = |problem: &keelson::plan::Problem| match &problem.resource {
            Some(key) => format!("{key}: {}", problem.problem),
            None => problem.problem.clone(),
        };
        report.problems.iter().map(problem).collect::<Vec<_>>()
    };
    let one = World::as_desired(&desired).sick("etcd-member/main:control-plane-1");
    assert_eq!(
        told(&one, &desired),
        ["etcd-member/main:control-plane-1: it does not answer"]
    );
    let two = one.clone().sick("etcd-member/main:control-plane-2");
    assert_eq!(
        told(&two, &desired)[0],
        "etcd cluster `main` shows no quorum from here: 1 of 3 voting members answer"
    );
    let without_api = ["1", "2", "3"]
        .iter()
        .fold(World::as_desired(&desired), |world, number| {
            world.sick(&format!("control-plane/control-plane-{number}"))
        });
    assert_eq!(told(&without_api, &desired)[0], "no API server answers");

    let seen_to = World::as_desired(&desired)
        .sick("node/workers-1")
        .sick("node/workers-2")
        .without("node-bundle/workers-1");
    assert_eq!(told(&seen_to, &desired), ["node/workers-2: it does not answer"]);
    assert!(told(&two, &DesiredState::nothing()).is_empty(), "it goes");
    assert!(told(&World::empty(), &desired).is_empty(), "nothing is there yet");
}

#[test]
fn what_is_attached_to_a_thing_that_is_new_stays() {
    let desired_state = desired(THREE_AND_FOUR);
    let (plan, _) = World::as_desired(&desired_state)
        .without("firewall/nodes")
        .plan(&desired_state);
    assert_eq!(outline(&plan), ["create firewall/nodes"]);
}

#[test]
fn what_was_done_to_a_bundle_on_its_machine_is_mended() {
    let desired = desired(THREE_AND_FOUR);
    let cases = [
        (
            &["/etc/etcd/etcd.conf"][..],
            &[][..],
            "its files were changed on the machine: put them back",
            Disruption::Restart,
        ),
        (
            &[],
            &["kubelet.service"],
            "it does not run on the machine: start it",
            Disruption::None,
        ),
        (
            &["/etc/etcd/etcd.conf"],
            &["kubelet.service"],
            "it was changed and stopped on the machine: put it back and start it",
            Disruption::Restart,
        ),
    ];
    for (altered, stopped, reason, disruption) in cases {
        let damage = |existing: &mut Existing| {
            let Resource::NodeBundle(bundle) = &mut existing.resource else {
                panic!("{existing:?}")
            };
            bundle.altered_files = altered.iter().map(|&path| path.to_owned()).collect();
            bundle.stopped_units = stopped.iter().map(|&unit| unit.to_owned()).collect();
        };
        let world = World::as_desired(&desired).change("node-bundle/control-plane-1", damage);
        let (plan, report) = world.plan(&desired);
        assert_eq!(outline(&plan), ["update node-bundle/control-plane-1"], "{reason}");
        let change = plan.steps()[0].change();
        assert_eq!((change.reason.as_str(), change.disruption), (reason, disruption));
        assert!(!report.is_blocked(), "{report:?}");
    }
}
