//! Groups of workers that the cloud keeps at their size, and the machines that they make.

use std::collections::BTreeSet;

use keelson::plan::{DesiredState, Plan, PlanReport, safety};
use keelson_provider_api::kinds::{GroupMachine, Node, NodeGroup};
use keelson_provider_api::{Change, Disruption, Kind, Resource};

use super::safety::find;
use super::world::{THREE_AND_FOUR, World, assert_order, comes_before, desired_in_zones, key, outline};

const GROUP: &str = "node-group/workers";

fn four() -> DesiredState {
    desired_in_zones("", THREE_AND_FOUR)
}

fn with(rolling: &str, fields: &str) -> DesiredState {
    let group = format!("replicas: 4, rolling: {{ {rolling} }}{fields}");
    desired_in_zones("", &THREE_AND_FOUR.replace("replicas: 4", &group))
}

fn group(desired: &DesiredState) -> &NodeGroup {
    match &desired.resources[&key(GROUP)].resource {
        Resource::NodeGroup(group) => group,
        other => panic!("{other:?}"),
    }
}

fn machine(desired: &DesiredState, number: u32) -> GroupMachine {
    GroupMachine {
        group: "workers".to_owned(),
        template: group(desired).template(),
        node: format!("ip-10-0-0-{number}"),
        detached: false,
    }
}

fn node(number: u32) -> Node {
    Node {
        machine: format!("ip-10-0-0-{number}"),
        group: "workers".to_owned(),
        labels: std::collections::BTreeMap::new(),
        taints: Vec::new(),
    }
}

/// All that `desired` asks for, with four machines of its group.
fn whole(desired: &DesiredState) -> World {
    (1..=4).fold(World::as_desired(desired), |world, number| {
        world
            .there(&format!("group-machine/i-{number}"), machine(desired, number))
            .there(&format!("node/ip-10-0-0-{number}"), node(number))
    })
}

fn detach(existing: &mut keelson_provider_api::Existing) {
    if let Resource::GroupMachine(machine) = &mut existing.resource {
        machine.detached = true;
    }
}

fn of_groups(plan: &Plan) -> Vec<String> {
    let kinds = [Kind::NodeGroup, Kind::GroupMachine, Kind::Node];
    let steps = plan.steps().iter().map(keelson::plan::Step::change);
    steps
        .filter(|change| kinds.contains(&change.key.kind()))
        .map(ToString::to_string)
        .collect()
}

fn goes_along(report: &PlanReport) -> Vec<String> {
    let along = report
        .goes_along
        .iter()
        .filter(|key| matches!(key.kind(), Kind::GroupMachine) || key.name().starts_with("ip-10-0-0-"));
    along.map(ToString::to_string).collect()
}

#[test]
fn nobody_asks_for_a_machine_of_a_group_by_name() {
    let desired = four();
    let asked = |kind: Kind| desired.resources.keys().filter(|key| key.kind() == kind).count();
    assert_eq!(
        (asked(Kind::Machine), asked(Kind::Node), asked(Kind::NodeGroup)),
        (3, 3, 1)
    );
    let (plan, report) = whole(&desired).plan(&desired);
    assert_eq!(outline(&plan), [""; 0]);
    assert!(!report.is_blocked(), "{report:?}");
}

#[test]
fn a_group_begins_when_its_machines_can_join() {
    let (plan, _) = World::empty().plan(&four());
    let earlier = [
        "create role/node",
        "create firewall/nodes",
        "create way-out/zone-a",
        "create load-balancer-target/control-plane-1",
        "create addon/cluster-access",
    ];
    assert_order(&plan, &earlier, &["create node-group/workers"]);
}

#[test]
fn outdated_machines_are_drained_after_their_group_is_up_to_date_so_many_at_a_time() {
    let before = four();
    for (rolling, lanes) in [("maxUnavailable: 1", 1), ("maxUnavailable: 2", 2)] {
        let after = with(rolling, ", labels: { stage: two }");
        let (plan, _) = whole(&before).plan(&after);
        let removals: Vec<String> = (1..=4)
            .map(|number| format!("delete group-machine/i-{number}"))
            .collect();
        let expected: Vec<String> = [format!("update {GROUP}")]
            .into_iter()
            .chain(removals.clone())
            .collect();
        assert_eq!(of_groups(&plan), expected, "{rolling}");
        for (index, later) in removals.iter().enumerate() {
            assert_order(&plan, &[&format!("update {GROUP}")], &[later]);
            assert_eq!(find(&plan, later).disruption, Disruption::Drain);
            for (position, earlier) in removals[..index].iter().enumerate() {
                let waits = comes_before(&plan, earlier, later);
                assert_eq!(
                    waits,
                    (index - position) % lanes == 0,
                    "{rolling}: {earlier}, {later}"
                );
            }
        }
    }
}

#[test]
fn where_there_is_a_surge_machines_are_let_go_first() {
    let after = with("maxSurge: 3", ", labels: { stage: two }");
    let world = whole(&four()).change("group-machine/i-4", detach);
    let (plan, _) = world.plan(&after);
    let steps = of_groups(&plan);
    assert_eq!(steps.len(), 8, "{steps:?}");
    assert!(
        !steps.contains(&"update group-machine/i-4".to_owned()),
        "{steps:?}"
    );
    for number in 1..=3 {
        let let_go = format!("update group-machine/i-{number}");
        assert_order(&plan, &[&format!("update {GROUP}")], &[&let_go]);
        assert_order(&plan, &[&let_go], &[&format!("delete group-machine/i-{number}")]);
        assert_eq!(find(&plan, &let_go).disruption, Disruption::None);
    }
    // The one that is let go already is the first of three at once.
    assert_order(
        &plan,
        &["delete group-machine/i-4"],
        &["update group-machine/i-3"],
    );
    assert!(!comes_before(
        &plan,
        "delete group-machine/i-4",
        "update group-machine/i-2"
    ));
}

#[test]
fn what_serves_least_goes_first_and_what_is_up_to_date_stays() {
    let before = four();
    let after = with("maxUnavailable: 1", ", labels: { stage: two }");
    let new = machine(&after, 2);
    let updated = World::as_desired(&after);
    let world = whole(&before)
        .with(GROUP, &updated)
        .change("group-machine/i-2", |existing| existing.resource = new.into())
        .sick("node/ip-10-0-0-3")
        .change("group-machine/i-4", detach);
    let (plan, _) = world.plan(&after);
    let expected = ["i-4", "i-3", "i-1"].map(|name| format!("delete group-machine/{name}"));
    assert_eq!(of_groups(&plan), expected);
}

#[test]
fn a_group_that_something_scales_is_let_so_and_one_that_is_fixed_is_put_right() {
    let scaled = desired_in_zones(
        "",
        &THREE_AND_FOUR.replace("replicas: 4", "replicas: 4, min: 2, max: 6"),
    );
    let holds = |desired: &DesiredState, replicas: u32| {
        let world = whole(desired).change(GROUP, |existing| {
            if let Resource::NodeGroup(group) = &mut existing.resource {
                group.replicas = replicas;
            }
        });
        outline(&world.plan(desired).0)
    };
    let update = [format!("update {GROUP}")];
    assert_eq!(holds(&scaled, 6), [""; 0]);
    assert_eq!(holds(&scaled, 7), update);
    assert_eq!(holds(&four(), 3), update);
}

#[test]
fn a_lost_machine_is_its_groups_affair_and_its_node_is_cleared_away() {
    let desired = four();
    let lost = || whole(&desired).without("group-machine/i-1");
    let (plan, _) = lost().plan(&desired);
    assert_eq!(outline(&plan), [""; 0], "a node that is well has a machine");
    let (plan, _) = lost().sick("node/ip-10-0-0-1").plan(&desired);
    assert_eq!(outline(&plan), ["delete node/ip-10-0-0-1"]);
    let (plan, report) = lost()
        .sick("node/ip-10-0-0-1")
        .unknown_kind(Kind::GroupMachine)
        .plan(&desired);
    assert_eq!(outline(&plan), [""; 0]);
    assert!(report.is_blocked());
}

#[test]
fn machines_and_their_nodes_go_along_with_their_group() {
    let before = four();
    let renamed = desired_in_zones("", &THREE_AND_FOUR.replace("name: workers", "name: others"));
    let along: Vec<String> = ["group-machine/i-", "node/ip-10-0-0-"]
        .iter()
        .flat_map(|stem| (1..=4).map(move |number| format!("{stem}{number}")))
        .collect();
    let (plan, report) = whole(&before).plan(&renamed);
    assert_eq!(
        of_groups(&plan),
        ["create node-group/others", "delete node-group/workers"]
    );
    assert_order(
        &plan,
        &["create node-group/others"],
        &["delete node-group/workers"],
    );
    assert_eq!(goes_along(&report), along);

    let (plan, report) = whole(&before).plan(&DesiredState::nothing());
    assert_eq!(goes_along(&report), along);
    let ground = [
        "delete firewall/nodes",
        "delete role/node",
        "delete subnet/zone-a-private",
        "delete network/main",
    ];
    assert_order(&plan, &["delete node-group/workers"], &ground);
    let let_go = whole(&before).change("group-machine/i-1", detach);
    let (plan, _) = let_go.plan(&DesiredState::nothing());
    assert_order(
        &plan,
        &["delete group-machine/i-1"],
        &["delete node-group/workers"],
    );
    assert_eq!(
        find(&plan, "delete group-machine/i-1").disruption,
        Disruption::Removal
    );
}

#[test]
fn a_group_follows_the_api_servers_and_waits_for_what_is_blocked() {
    let before = four();
    let after = desired_in_zones("", &THREE_AND_FOUR.replace("1.36.2", "1.37.0"));
    let (plan, _) = whole(&before).plan(&after);
    let api_servers = (1..=3).map(|number| format!("update node-bundle/control-plane-{number}"));
    let api_servers: Vec<String> = api_servers.collect();
    let api_servers: Vec<&str> = api_servers.iter().map(String::as_str).collect();
    assert_order(
        &plan,
        &api_servers,
        &["update node-group/workers", "delete group-machine/i-1"],
    );

    let silent = whole(&before)
        .unknown("machine/control-plane-2")
        .unknown("node-bundle/control-plane-2");
    let (plan, report) = silent.plan(&after);
    assert_eq!(of_groups(&plan), [""; 0]);
    assert!(
        report.held.iter().any(|held| held.key == key(GROUP)),
        "{report:?}"
    );

    let surging = with("maxSurge: 1", "");
    for back in [&before, &surging] {
        let (plan, report) = whole(&after).plan(back);
        assert_eq!(of_groups(&plan), [""; 0]);
        assert!(
            report.blocked.iter().any(|blocked| blocked.key == key(GROUP)),
            "{report:?}"
        );
    }
}

#[test]
fn a_machine_leaves_only_while_enough_others_serve() {
    let before = four();
    let table = [
        (
            "maxUnavailable: 1",
            "all well",
            whole as fn(&DesiredState) -> World,
            None,
        ),
        (
            "maxUnavailable: 1",
            "another is not well",
            |of| whole(of).sick("node/ip-10-0-0-2"),
            Some("1 other nodes"),
        ),
        (
            "maxUnavailable: 1",
            "another has not come yet",
            |of| whole(of).without("node/ip-10-0-0-2").without("group-machine/i-2"),
            Some("1 other nodes"),
        ),
        (
            "maxUnavailable: 2",
            "two may be",
            |of| whole(of).sick("node/ip-10-0-0-2"),
            None,
        ),
        (
            "maxSurge: 2",
            "two may be let go",
            |of| whole(of).sick("node/ip-10-0-0-2"),
            None,
        ),
        (
            "maxUnavailable: 1",
            "it does not serve itself",
            |of| whole(of).sick("node/ip-10-0-0-1").sick("node/ip-10-0-0-2"),
            None,
        ),
        (
            "maxUnavailable: 1",
            "its group cannot be seen",
            |of| whole(of).unknown(GROUP),
            Some("cannot be seen"),
        ),
    ];
    for (rolling, what, world, refusal) in table {
        let after = with(rolling, ", labels: { stage: two }");
        let (plan, _) = whole(&before).plan(&after);
        let change: &Change = find(&plan, "delete group-machine/i-1");
        let permit = safety::permit(&plan, change, &world(&before).observation(), &BTreeSet::new());
        match (permit, refusal) {
            (Ok(permit), None) => assert_eq!(*permit.key(), change.key),
            (Err(refused), Some(words)) => assert!(refused.to_string().contains(words), "{what}: {refused}"),
            (other, _) => panic!("{rolling}, {what}: {other:?}"),
        }
    }
    let after = with("maxUnavailable: 1", ", labels: { stage: two }");
    let (plan, _) = whole(&before).plan(&after);
    let going = BTreeSet::from(["ip-10-0-0-2".to_owned()]);
    let change = find(&plan, "delete group-machine/i-1");
    assert!(safety::permit(&plan, change, &whole(&before).observation(), &going).is_err());
}
