//! What comes before what.

use keelson::plan::DesiredState;
use keelson_provider_api::kinds::{Machine, MemberStart};
use keelson_provider_api::{Action, Resource, ResourceKey};

use super::world::{THREE_AND_FOUR, World, comes_before, desired, now, outline};

fn upgraded() -> DesiredState {
    desired(&THREE_AND_FOUR.replace("1.36.2", "1.37.0"))
}

#[test]
fn an_upgrade_takes_a_snapshot_then_control_planes_one_by_one_then_workers_one_by_one() {
    let (plan, _) = World::as_desired(&desired(THREE_AND_FOUR)).plan(&upgraded());
    let snapshot = "create etcd-snapshot/main:20261101T120000Z";
    let order = [
        snapshot,
        "update node-bundle/control-plane-1",
        "update node-bundle/control-plane-2",
        "update node-bundle/control-plane-3",
        "update node-bundle/workers-1",
        "update node-bundle/workers-2",
        "update node-bundle/workers-3",
        "update node-bundle/workers-4",
    ];
    for pair in order.windows(2) {
        assert!(comes_before(&plan, pair[0], pair[1]), "{pair:?}");
    }
}

#[test]
fn an_upgrade_by_replacement_is_an_upgrade_too() {
    let with = |version: &str, machine: &str| {
        desired(&format!(
            "  kubernetesVersion: {version}\n  controlPlane: {{ replicas: 3, machine: {{ type: {machine} }} }}\n  \
             nodeGroups: [{{ name: workers, replicas: 2, machine: {{ type: {machine} }} }}]"
        ))
    };
    let (plan, _) = World::as_desired(&with("1.36.2", "s-2vcpu-4gb")).plan(&with("1.37.0", "s-4vcpu-8gb"));
    assert!(comes_before(
        &plan,
        "create etcd-snapshot/main:20261101T120000Z",
        "delete machine/control-plane-1"
    ));
    assert!(comes_before(
        &plan,
        "create node/control-plane-3",
        "create node-bundle/workers-1"
    ));
}

#[test]
fn an_interrupted_upgrade_does_not_take_its_snapshot_again() {
    let before = desired(THREE_AND_FOUR);
    let (first, _) = World::as_desired(&before).plan(&upgraded());
    let snapshot = first
        .steps()
        .iter()
        .find(|step| step.change().key.name().starts_with("main:2026"))
        .unwrap();
    let mut half = before.clone();
    half.add(
        snapshot.change().key.clone(),
        snapshot.change().resource().clone(),
    );
    let takes_one = |world: World| {
        let (plan, _) = world.plan(&upgraded());
        outline(&plan).iter().any(|step| step.contains("snapshot"))
    };
    let name = snapshot.change().key.to_string();
    let young = |hours: i64| now() - jiff::Span::new().hours(hours);
    let table = [
        ("a good one", World::as_desired(&half), false),
        (
            "one that is damaged",
            World::as_desired(&half)
                .change(&name, |existing| existing.created_at = young(1))
                .sick(&name),
            true,
        ),
        (
            "an old one",
            World::as_desired(&half).change(&name, |existing| existing.created_at = young(25)),
            true,
        ),
    ];
    for (what, world, again) in table {
        // Its name is the time at which it is taken, which does not pass here.
        let world = world.renamed(&name, "etcd-snapshot/main:20261101T100000Z");
        assert_eq!(takes_one(world), again, "{what}");
    }
}

#[test]
fn what_runs_in_the_cluster_by_its_version_follows_the_control_planes() {
    let (plan, _) = World::as_desired(&desired(THREE_AND_FOUR)).plan(&upgraded());
    assert!(comes_before(
        &plan,
        "update node-bundle/control-plane-3",
        "update addon/kube-proxy"
    ));
}

#[test]
fn a_dead_control_plane_and_a_dedicated_etcd_that_is_replaced_do_not_wait_for_each_other() {
    let with = |machine: &str| {
        desired(&format!(
            "  controlPlane: {{ replicas: 3, machine: {{ type: {machine} }} }}\n  \
             etcd: {{ placement: {{ dedicated: {{ replicas: 3, machine: {{ type: {machine} }} }} }} }}"
        ))
    };
    let world = World::as_desired(&with("s-2vcpu-4gb"))
        .without("machine/control-plane-2")
        .without("node-bundle/control-plane-2")
        .without("control-plane/control-plane-2")
        .without("load-balancer-target/control-plane-2")
        .sick("node/control-plane-2");
    let (plan, _) = world.plan(&with("s-4vcpu-8gb"));
    assert!(comes_before(
        &plan,
        "create control-plane/control-plane-2",
        "delete etcd-member/main:etcd-1"
    ));
}

#[test]
fn a_group_has_as_many_lanes_as_may_be_out_of_service() {
    let with = |lanes: u32, pods: u32| {
        desired(&format!(
            "  kubelet: {{ maxPods: {pods} }}\n  nodeGroups: [{{ name: workers, replicas: 5, rolling: {{ maxUnavailable: {lanes} }} }}]"
        ))
    };
    let (plan, _) = World::as_desired(&with(2, 110)).plan(&with(2, 120));
    let update = |number: u32| format!("update node-bundle/workers-{number}");
    for (earlier, later) in [(1, 3), (2, 4), (3, 5)] {
        assert!(
            comes_before(&plan, &update(earlier), &update(later)),
            "{earlier} {later}"
        );
    }
    assert!(!comes_before(&plan, &update(1), &update(2)));
}

#[test]
fn members_of_a_new_cluster_form_it_together_and_later_ones_join_one_by_one() {
    let one = desired("  controlPlane: { replicas: 1 }");
    let five = desired("  controlPlane: { replicas: 5 }");
    let starts = |world: &World| -> Vec<MemberStart> {
        let (plan, _) = world.plan(&five);
        let start = |step: &keelson::plan::Step| match (&step.change().action, step.change().resource()) {
            (Action::Create { .. }, Resource::EtcdMember(member)) => Some(member.start),
            _ => None,
        };
        plan.steps().iter().filter_map(start).collect()
    };
    assert_eq!(starts(&World::empty()), [MemberStart::Initial; 5]);
    assert_eq!(starts(&World::as_desired(&one)), [MemberStart::Join; 4]);
    let (plan, _) = World::as_desired(&one).plan(&five);
    let join = |number: u32| format!("create etcd-member/main:control-plane-{number}");
    for number in 2..5 {
        assert!(comes_before(&plan, &join(number), &join(number + 1)), "{number}");
    }
    let (plan, _) = World::empty().plan(&five);
    assert!(
        !comes_before(&plan, &join(1), &join(2)),
        "the founders wait for each other"
    );
}

#[test]
fn a_machine_is_replaced_from_the_top_down_and_built_from_the_ground_up() {
    let with = |kind: &str| {
        desired(&format!(
            "  controlPlane: {{ replicas: 3, machine: {{ type: {kind} }} }}"
        ))
    };
    let (plan, _) = World::as_desired(&with("s-2vcpu-4gb")).plan(&with("s-4vcpu-8gb"));
    for number in 1..=3 {
        let on = |verb: &str, kind: &str| match kind {
            "etcd-member" => format!("{verb} {kind}/main:control-plane-{number}"),
            _ => format!("{verb} {kind}/control-plane-{number}"),
        };
        let order = [
            on("delete", "node"),
            on("delete", "load-balancer-target"),
            on("delete", "control-plane"),
            on("delete", "etcd-member"),
            on("delete", "node-bundle"),
            on("delete", "machine"),
            on("create", "machine"),
            on("create", "node-bundle"),
            on("create", "etcd-member"),
            on("create", "control-plane"),
            on("create", "node"),
        ];
        for pair in order.windows(2) {
            assert!(comes_before(&plan, &pair[0], &pair[1]), "{pair:?}");
        }
    }
    assert!(comes_before(
        &plan,
        "create node/control-plane-1",
        "delete node/control-plane-2"
    ));
    assert!(comes_before(
        &plan,
        "create load-balancer-target/control-plane-2",
        "delete node/control-plane-3"
    ));
}

#[test]
fn the_dead_are_mended_before_the_living_are_touched() {
    let world = World::as_desired(&desired(THREE_AND_FOUR))
        .without("machine/control-plane-3")
        .without("node-bundle/control-plane-3")
        .without("control-plane/control-plane-3")
        .without("load-balancer-target/control-plane-3")
        .sick("etcd-member/main:control-plane-3")
        .sick("node/control-plane-3");
    let (plan, _) = world.plan(&upgraded());
    for step in [
        "create etcd-member/main:control-plane-3",
        "create control-plane/control-plane-3",
    ] {
        assert!(
            comes_before(&plan, step, "update node-bundle/control-plane-1"),
            "{step}"
        );
    }
}

/// etcd lets nobody join while a voter is missing; the lost machine's Node still looks Ready.
#[test]
fn a_lost_member_leaves_before_another_takes_its_place() {
    let mut wanted = desired(&THREE_AND_FOUR.replace("replicas: 3", "replicas: 5"));
    let is_elsewhere = |key: &ResourceKey| {
        ["3", "5"]
            .iter()
            .any(|number| key.name().ends_with(&format!("control-plane-{number}")))
    };
    wanted.resources.retain(|key, _| !is_elsewhere(key));
    let world = World::as_desired(&desired(THREE_AND_FOUR))
        .unknown("machine/control-plane-3")
        .unknown("node-bundle/control-plane-3")
        .sick("control-plane/control-plane-3")
        .sick("etcd-member/main:control-plane-3");
    let (plan, _) = world.plan(&wanted);
    let removal = "delete etcd-member/main:control-plane-3";
    assert!(comes_before(
        &plan,
        removal,
        "create etcd-member/main:control-plane-4"
    ));
    // One that votes goes after its successor has come.
    let (plan, _) = World::as_desired(&desired(THREE_AND_FOUR)).plan(&wanted);
    assert!(comes_before(
        &plan,
        "create etcd-member/main:control-plane-4",
        removal
    ));
}

#[test]
fn a_destroyed_cluster_is_not_drained_and_its_ground_goes_last() {
    let desired = desired(THREE_AND_FOUR);
    let (plan, report) = World::as_desired(&desired).plan(&DesiredState::nothing());
    let steps = outline(&plan);
    assert!(
        !steps
            .iter()
            .any(|step| step.contains("node/") || step.contains("etcd-member")),
        "{steps:?}"
    );
    assert!(comes_before(
        &plan,
        "delete machine/control-plane-1",
        "delete load-balancer/api"
    ));
    assert!(comes_before(
        &plan,
        "delete load-balancer/api",
        "delete network/main"
    ));
    assert!(report.goes_along.len() > 10);
}

#[test]
fn an_upgrade_waits_for_workers_that_are_not_there_yet_only_where_it_must() {
    let more = desired(
        &THREE_AND_FOUR
            .replace("1.36.2", "1.37.0")
            .replace("replicas: 4", "replicas: 5"),
    );
    let (plan, _) = World::as_desired(&desired(THREE_AND_FOUR)).plan(&more);
    assert!(
        comes_before(
            &plan,
            "update node-bundle/control-plane-3",
            "create node-bundle/workers-5"
        ),
        "skew"
    );
    assert!(!comes_before(
        &plan,
        "update node-bundle/control-plane-1",
        "create machine/workers-5"
    ));
    let is_machine =
        |step: &keelson::plan::Step| matches!(step.change().resource(), Resource::Machine(Machine { .. }));
    assert_eq!(plan.steps().iter().filter(|step| is_machine(step)).count(), 1);
}
