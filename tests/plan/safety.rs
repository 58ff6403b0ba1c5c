//! Who may be taken down now.

use std::collections::BTreeSet;

use keelson::plan::{DesiredState, Plan, safety};
use keelson_provider_api::{Change, Kind, Owner};

use super::world::{THREE_AND_FOUR, World, desired, key};

pub(super) fn find<'a>(plan: &'a Plan, step: &str) -> &'a Change {
    plan.steps()
        .iter()
        .map(keelson::plan::Step::change)
        .find(|change| change.to_string() == step)
        .unwrap()
}

#[test]
fn permits_depend_on_how_the_others_are() {
    let before = desired(THREE_AND_FOUR);
    let after =
        desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}").replace("1.36.2", "1.37.0"));
    let healthy = World::as_desired(&before);
    let (plan, _) = healthy.plan(&after);
    let control_plane = "update node-bundle/control-plane-1";
    let worker = "update node-bundle/workers-1";
    let table: [(&str, &str, World, Option<&str>); 9] = [
        ("all well", control_plane, healthy.clone(), None),
        (
            "one other member is gone",
            control_plane,
            healthy.clone().sick("etcd-member/main:control-plane-2"),
            Some("quorum"),
        ),
        (
            "it is itself the sick member",
            control_plane,
            healthy.clone().sick("etcd-member/main:control-plane-1"),
            None,
        ),
        (
            "it runs, and the others are down",
            control_plane,
            healthy
                .clone()
                .stalled("etcd-member/main:control-plane-1")
                .sick("etcd-member/main:control-plane-2")
                .sick("etcd-member/main:control-plane-3"),
            Some("has lost its quorum: 0 of 3"),
        ),
        (
            "no other API server answers",
            control_plane,
            healthy
                .clone()
                .sick("control-plane/control-plane-2")
                .sick("control-plane/control-plane-3"),
            Some("no other API server"),
        ),
        (
            "another node of the group is out",
            worker,
            healthy.clone().sick("node/workers-2"),
            Some("out of service"),
        ),
        (
            "a node of another group is out",
            worker,
            healthy.clone().sick("node/control-plane-1"),
            None,
        ),
        (
            "it is out itself",
            worker,
            healthy.clone().sick("node/workers-1").sick("node/workers-2"),
            None,
        ),
        (
            "members cannot be seen",
            worker,
            healthy.clone().unknown_kind(Kind::EtcdMember),
            Some("unknown"),
        ),
    ];
    check(&plan, table);
}

/// Asks for a permit for each step in each world: it is given, or refused with these words.
pub(super) fn check<const N: usize>(plan: &Plan, table: [(&str, &str, World, Option<&str>); N]) {
    for (situation, step, world, refusal) in table {
        let result = safety::permit(plan, find(plan, step), &world.observation(), &BTreeSet::new());
        match (result, refusal) {
            (Ok(permit), None) => assert_eq!(permit.key(), &find(plan, step).key),
            (Err(refused), Some(words)) => {
                assert!(refused.to_string().contains(words), "{situation}: {refused}");
            }
            (result, _) => panic!("{situation}: {result:?}"),
        }
    }
}

#[test]
fn a_member_that_has_trouble_and_votes_counts_as_one_that_answers() {
    let before = desired(THREE_AND_FOUR);
    let healthy = World::as_desired(&before);
    let (plan, _) = healthy.plan(&desired(&format!(
        "{THREE_AND_FOUR}\n  kubelet: {{ maxPods: 120 }}"
    )));
    let control_plane = "update node-bundle/control-plane-1";
    let table = [
        (
            "it has trouble and serves, and another is gone",
            control_plane,
            healthy
                .clone()
                .impaired("etcd-member/main:control-plane-1")
                .sick("etcd-member/main:control-plane-2"),
            Some("quorum"),
        ),
        (
            "all have trouble and serve",
            control_plane,
            [1, 2, 3].iter().fold(healthy.clone(), |world, number| {
                world.impaired(&format!("etcd-member/main:control-plane-{number}"))
            }),
            None,
        ),
    ];
    check(&plan, table);
}

#[test]
fn what_cannot_be_seen_counts_as_there_and_out_of_service() {
    let before = desired(THREE_AND_FOUR);
    let healthy = World::as_desired(&before);
    let (plan, _) = healthy.plan(&desired(&THREE_AND_FOUR.replace("1.36.2", "1.37.0")));
    let control_plane = "update node-bundle/control-plane-1";
    let worker = "update node-bundle/workers-1";
    let table = [
        (
            "the others' machines do not answer",
            control_plane,
            healthy
                .clone()
                .unknown("control-plane/control-plane-2")
                .unknown("control-plane/control-plane-3"),
            Some("no other API server"),
        ),
        (
            "one of the others answers",
            control_plane,
            healthy.clone().unknown("control-plane/control-plane-2"),
            None,
        ),
        (
            "one other member cannot be seen",
            control_plane,
            healthy.clone().unknown("etcd-member/main:control-plane-2"),
            Some("quorum"),
        ),
        (
            "no member can be seen, its own neither",
            control_plane,
            healthy
                .clone()
                .unknown("etcd-member/main:control-plane-1")
                .unknown("etcd-member/main:control-plane-2")
                .unknown("etcd-member/main:control-plane-3"),
            Some("quorum"),
        ),
        (
            "another node cannot be seen",
            worker,
            healthy.clone().unknown("node/workers-2"),
            Some("out of service"),
        ),
    ];
    check(&plan, table);
}

#[test]
fn what_is_being_taken_down_counts_as_down() {
    let before = format!("{THREE_AND_FOUR}\n  etcd: {{ events: shared }}")
        .replace("replicas: 4", "replicas: 4, rolling: { maxUnavailable: 2 }");
    let healthy = World::as_desired(&desired(&before));
    let (plan, _) = healthy.plan(&desired(&before.replace("1.36.2", "1.37.0")));
    let table: [(&str, &[&str], Option<&str>); 5] = [
        ("workers-1", &["workers-2"], None),
        ("workers-1", &["workers-2", "workers-3"], Some("out of service")),
        ("workers-1", &["workers-1", "workers-2", "control-plane-1"], None),
        ("control-plane-1", &["control-plane-2"], Some("quorum")),
        ("control-plane-1", &["control-plane-1", "workers-1"], None),
    ];
    for (machine, going_down, refusal) in table {
        let change = find(&plan, &format!("update node-bundle/{machine}"));
        let going_down: BTreeSet<String> = going_down.iter().map(ToString::to_string).collect();
        let result = safety::permit(&plan, change, &healthy.observation(), &going_down);
        let refused = result.err().map(|refused| refused.to_string());
        match refusal {
            None => assert_eq!(refused, None, "{machine} {going_down:?}"),
            Some(words) => assert!(
                refused.is_some_and(|refused| refused.contains(words)),
                "{machine} {going_down:?}"
            ),
        }
    }
}

#[test]
fn a_plan_names_what_decides_about_its_permits() {
    let wanted = desired(THREE_AND_FOUR);
    let world = World::as_desired(&wanted)
        .without("node/workers-4")
        .unknown("node/workers-3")
        .change("node/workers-2", |node| {
            node.owner = Owner::Other("someone".to_owned());
        })
        .unknown_kind(Kind::ControlPlane);
    let (plan, _) = world.plan(&wanted);
    let named = |text: &str| plan.decisive().contains(&key(text));
    let ours = ["etcd-member/main:control-plane-1", "node/workers-1"];
    let unseen = ["node/workers-3", "control-plane/control-plane-2"];
    let nothing_of_ours = ["node/workers-2", "node/workers-4", "machine/workers-1"];
    assert!(ours.into_iter().chain(unseen).all(named), "{:?}", plan.decisive());
    assert!(!nothing_of_ours.into_iter().any(named), "{:?}", plan.decisive());
}

#[test]
fn an_only_control_plane_may_restart() {
    let with = |pods: u32| desired(&format!("  kubelet: {{ maxPods: {pods} }}"));
    let world = World::as_desired(&with(110));
    let (plan, _) = world.plan(&with(120));
    assert!(
        safety::permit(
            &plan,
            find(&plan, "update node-bundle/control-plane-1"),
            &world.observation(),
            &BTreeSet::new()
        )
        .is_ok()
    );
}

#[test]
fn one_of_two_members_may_restart_while_both_answer() {
    let with = |pods: u32| desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: {pods} }}"));
    // The third is still to come.
    let two = World::as_desired(&with(110))
        .without("etcd-member/main:control-plane-3")
        .without("node-bundle/control-plane-3");
    let (plan, _) = two.plan(&with(120));
    let restart = "update node-bundle/control-plane-1";
    let other = "etcd-member/main:control-plane-2";
    let table = [
        ("both answer", restart, two.clone(), None),
        (
            "the other does not",
            restart,
            two.clone().sick(other),
            Some("quorum"),
        ),
        (
            "the other cannot be seen",
            restart,
            two.clone().unknown(other),
            Some("quorum"),
        ),
    ];
    check(&plan, table);
}

#[test]
fn a_cluster_that_ends_needs_no_quorum() {
    let world = World::as_desired(&desired(THREE_AND_FOUR)).sick("etcd-member/main:control-plane-1");
    let (plan, _) = world.plan(&DesiredState::nothing());
    let delete = find(&plan, "delete machine/control-plane-2");
    assert!(safety::permit(&plan, delete, &world.observation(), &BTreeSet::new()).is_ok());
}

#[test]
fn a_last_api_server_leaves_only_where_another_answers() {
    let of = |replicas: u32| {
        desired(&format!(
            "  controlPlane: {{ replicas: {replicas} }}\n  etcd: {{ placement: {{ dedicated: {{}} }} }}"
        ))
    };
    let world = World::as_desired(&of(3));
    let (plan, _) = world.plan(&of(1));
    let removal = find(&plan, "delete control-plane/control-plane-3");
    let permit = |world: &World| safety::permit(&plan, removal, &world.observation(), &BTreeSet::new());
    assert!(permit(&world).is_ok());
    // The one that was to stay has gone meanwhile, and the other has left.
    let alone = world
        .without("control-plane/control-plane-1")
        .without("control-plane/control-plane-2");
    let refused = permit(&alone).err().map(|refused| refused.to_string());
    assert_eq!(refused.as_deref(), Some("no other API server answers"));
}

#[test]
fn a_machine_with_a_member_is_not_made_anew_while_a_fellow_is_silent() {
    let of = |machine: &str| {
        desired(&format!(
            "  etcd: {{ placement: {{ dedicated: {{ replicas: 3, machine: {{ type: {machine} }} }} }} }}"
        ))
    };
    let world = World::as_desired(&of("s-2vcpu-4gb"))
        .unknown("machine/etcd-3")
        .unknown("node-bundle/etcd-3")
        .unknown("etcd-member/main:etcd-3");
    let (plan, report) = world.plan(&of("s-4vcpu-8gb"));
    assert!(report.is_blocked());
    let steps: Vec<String> = plan
        .steps()
        .iter()
        .map(|step| step.change().to_string())
        .collect();
    assert!(!steps.iter().any(|step| step.contains("etcd-1")), "{steps:?}");
}
