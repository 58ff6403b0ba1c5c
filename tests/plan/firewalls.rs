//! Firewalls open before what needs them, and close after what needed them.

use keelson::plan::{DesiredState, Plan};
use keelson_provider_api::kinds::FirewallRule;
use keelson_provider_api::{Action, Resource};

use super::world::{THREE_AND_FOUR, World, comes_before, desired, key, outline};

/// What `name` lets in for etcd, and who may come, after `plan` has been carried out as far as it goes.
fn of_etcd(plan: &Plan, name: &str) -> Vec<Vec<String>> {
    let mut steps = plan.steps().iter();
    let step = steps.find(|step| step.change().key == key(name));
    let step = step.unwrap_or_else(|| panic!("{name}: {:?}", outline(plan)));
    let (Action::Create { resource, .. } | Action::Update { resource, .. }) = &step.change().action else {
        panic!("{step:?}")
    };
    sources_of_etcd(resource)
}

fn sources_of_etcd(resource: &Resource) -> Vec<Vec<String>> {
    let Resource::Firewall(firewall) = resource else {
        panic!("{resource:?}")
    };
    let of_etcd = |rule: &&FirewallRule| rule.ports == (2379, 2380);
    firewall
        .rules
        .iter()
        .filter(of_etcd)
        .map(|rule| {
            let mut sources = rule.sources.clone();
            sources.sort();
            sources
        })
        .collect()
}

fn stacked() -> DesiredState {
    desired(THREE_AND_FOUR)
}

fn dedicated() -> DesiredState {
    desired(&format!(
        "{THREE_AND_FOUR}\n  etcd: {{ placement: {{ dedicated: {{}} }} }}"
    ))
}

fn both() -> Vec<Vec<String>> {
    vec![vec!["control-plane".to_owned(), "etcd".to_owned()]]
}

#[test]
fn members_hear_each_other_while_etcd_moves_to_machines_of_its_own() {
    let (plan, report) = World::as_desired(&stacked()).plan(&dedicated());
    assert!(!report.is_blocked());
    assert_eq!(of_etcd(&plan, "firewall/control-plane"), both());
    assert_eq!(of_etcd(&plan, "firewall/etcd"), both());
    for firewall in ["update firewall/control-plane", "create firewall/etcd"] {
        let join = "create etcd-member/main:etcd-1";
        assert!(comes_before(&plan, firewall, join), "{:?}", outline(&plan));
    }
    // As it is when that is done: the old rule goes, with nobody left who needs it.
    let between = carried_out(&plan, World::as_desired(&dedicated()), "firewall/control-plane");
    let between = carried_out(&plan, between, "firewall/etcd");
    assert!(
        report
            .held
            .iter()
            .any(|held| held.key == key("firewall/control-plane"))
    );
    let (plan, _) = between.plan(&dedicated());
    assert_eq!(outline(&plan), ["update firewall/control-plane"]);
    assert_eq!(of_etcd(&plan, "firewall/control-plane"), [[""; 0]; 0]);
}

/// `world` with what `plan` makes of `name`.
fn carried_out(plan: &Plan, world: World, name: &str) -> World {
    let mut steps = plan.steps().iter();
    let step = steps.find(|step| step.change().key == key(name)).unwrap();
    let made = step.change().resource().clone();
    world.change(name, |existing| existing.resource = made)
}

#[test]
fn members_hear_each_other_while_etcd_moves_back() {
    let (plan, _) = World::as_desired(&dedicated()).plan(&stacked());
    assert_eq!(of_etcd(&plan, "firewall/control-plane"), both());
    let removal = "delete firewall/etcd".to_owned();
    assert!(
        !outline(&plan).contains(&removal),
        "it is named by the other: {:?}",
        outline(&plan)
    );
    let between = carried_out(&plan, World::as_desired(&stacked()), "firewall/control-plane")
        .with("firewall/etcd", &World::as_desired(&dedicated()));
    let (plan, _) = between.plan(&stacked());
    assert_eq!(outline(&plan), ["update firewall/control-plane", &removal]);
}

#[test]
fn a_firewall_closes_after_all_else_and_not_while_something_is_blocked() {
    let events = |value: &str| desired(&format!("{THREE_AND_FOUR}\n  etcd: {{ events: {value} }}"));
    let (plan, report) = World::as_desired(&events("separate")).plan(&events("shared"));
    assert!(report.is_blocked());
    let closing = key("firewall/control-plane");
    assert!(
        report.held.iter().any(|held| held.key == closing),
        "{:?} {report:?}",
        outline(&plan)
    );
    // An interrupted move: the members that are left still need it.
    let world = World::as_desired(&dedicated())
        .with("firewall/control-plane", &World::as_desired(&stacked()))
        .with("etcd-member/main:control-plane-1", &World::as_desired(&stacked()));
    let (plan, _) = world.plan(&dedicated());
    let order = (
        "delete etcd-member/main:control-plane-1",
        "update firewall/control-plane",
    );
    assert!(comes_before(&plan, order.0, order.1), "{:?}", outline(&plan));
}

#[test]
fn who_comes_from_outside_is_shut_out_at_once() {
    let of = |more: &str| desired(&format!("{THREE_AND_FOUR}\n  api: {{ allowedCIDRs: [{more}] }}"));
    let open = World::as_desired(&of("192.0.2.0/24, 198.51.100.0/24"));
    let silent = open.unknown("machine/workers-1").unknown("node-bundle/workers-1");
    let (plan, report) = silent.plan(&of("192.0.2.0/24"));
    assert!(report.is_blocked());
    let closing = "update firewall/control-plane".to_owned();
    assert!(
        outline(&plan).contains(&closing),
        "{:?} {report:?}",
        outline(&plan)
    );
}
