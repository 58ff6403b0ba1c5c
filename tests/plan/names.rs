//! The names and addresses by which machines reach the API.

use keelson::plan::{DesiredState, Plan};

use super::world::{
    World, assert_order, desired_in_domain, desired_on_hosts, desired_on_hosts_at, key, outline,
};

fn of(domain: &str, more: &str) -> DesiredState {
    let machine = "s-2vcpu-4gb";
    desired_in_domain(
        domain,
        &format!(
            "  controlPlane: {{ replicas: 3 }}\n  nodeGroups: [{{ name: w, replicas: 2, machine: {{ type: {machine} }} }}]{more}"
        ),
    )
}

/// The step that does `verb` to the name in `domain`.
fn step(plan: &Plan, verb: &str, domain: &str) -> String {
    let steps = outline(plan);
    let mut steps_of = steps
        .iter()
        .filter(|step| step.starts_with(&format!("{verb} dns-record")));
    let step = steps_of.find(|step| step.contains(domain));
    step.unwrap_or_else(|| panic!("{verb} {domain}: {steps:?}"))
        .clone()
}

#[test]
fn a_name_leads_to_the_api_before_anyone_is_told_of_it_and_until_nobody_uses_it() {
    let world = World::as_desired(&of("a.example.com", ""));
    let larger = of("b.example.com", "").resources;
    for is_replaced in [false, true] {
        let mut wanted = of("b.example.com", "");
        if is_replaced {
            let other = desired_in_domain(
                "b.example.com",
                "  controlPlane: { replicas: 3 }\n  nodeGroups: [{ name: w, replicas: 2, machine: { type: s-4vcpu-8gb } }]",
            );
            wanted.resources.extend(other.resources);
        } else {
            wanted.resources.extend(larger.clone());
        }
        let (plan, _) = world.plan(&wanted);
        let servers = [
            "update control-plane/control-plane-1",
            "update control-plane/control-plane-3",
        ];
        let others = [
            if is_replaced {
                "create node-bundle/w-1"
            } else {
                "update node-bundle/w-1"
            },
            "update addon/kube-proxy",
        ];
        let (made, removed) = (
            step(&plan, "create", "b.example.com"),
            step(&plan, "delete", "a.example.com"),
        );
        assert_order(&plan, &[&made], &servers);
        assert_order(&plan, &servers, &others);
        assert_order(&plan, &others, &[&removed]);
        assert_order(&plan, &servers, &[&removed]);
    }
}

#[test]
fn an_old_name_stays_while_someone_cannot_be_told_of_the_new_one() {
    let world = World::as_desired(&of("a.example.com", "")).unknown("node-bundle/control-plane-2");
    let (plan, report) = world.plan(&of("b.example.com", ""));
    assert!(report.is_blocked());
    let steps = outline(&plan);
    assert!(
        !steps.iter().any(|step| step.starts_with("delete dns-record")),
        "{steps:?}"
    );
    assert!(
        !steps.iter().any(|step| step.contains("node-bundle/w-")),
        "{steps:?}"
    );
}

#[test]
fn a_name_whose_balancer_was_lost_is_made_anew_beside_other_changes() {
    let world = World::as_desired(&of("a.example.com", "")).without("load-balancer/api");
    let (plan, report) = world.plan(&of("a.example.com", "\n  kubelet: { maxPods: 120 }"));
    assert!(!report.is_blocked(), "{report:?}");
    let made = step(&plan, "create", "a.example.com");
    assert_order(&plan, &[&made], &["update node-bundle/w-1"]);
}

#[test]
fn an_address_that_is_given_up_is_there_until_all_were_told() {
    let hosts = [
        ("a", "control-plane"),
        ("b", "control-plane"),
        ("c", "control-plane"),
        ("w", "worker"),
    ];
    let before = desired_on_hosts(&hosts, "");
    let mut wanted = before.clone();
    let address = key("virtual-address/api");
    wanted.resources.remove(&address);
    let with_settings = desired_on_hosts(&hosts, "  kubelet: { maxPods: 120 }");
    wanted.resources.extend(
        with_settings
            .resources
            .into_iter()
            .filter(|(key, _)| *key != address),
    );
    let (plan, _) = World::as_desired(&before).plan(&wanted);
    let told = ["update node-bundle/a", "update node-bundle/w"];
    assert_order(&plan, &told, &["delete virtual-address/api"]);
}

#[test]
fn an_address_that_is_a_hosts_own_or_balanced_elsewhere_is_not_moved() {
    let one = [("a", "control-plane"), ("w", "worker")];
    let three = [
        ("a", "control-plane"),
        ("b", "control-plane"),
        ("c", "control-plane"),
        ("w", "worker"),
    ];
    let address = key("virtual-address/api");
    for (hosts, api, is_moved) in [
        (&one[..], "apiAddress: 10.0.0.11", false),
        (&one, "apiAddress: 10.0.0.100", true),
        (&three, "apiAddress: 10.0.0.100, keepalived: true", true),
        (&three, "apiAddress: 10.0.0.100, keepalived: false", false),
        (&three, "apiAddress: api.example.com", false),
    ] {
        let desired = desired_on_hosts_at(api, hosts, "");
        assert_eq!(desired.resources.contains_key(&address), is_moved, "{api}");
        let (plan, report) = World::empty().plan(&desired);
        assert!(!report.is_blocked(), "{api}: {report:?}");
        // Workers wait for the way to the API, whichever it is.
        let way = if is_moved {
            "create virtual-address/api"
        } else {
            "create control-plane/a"
        };
        assert_order(&plan, &[way], &["create node/w"]);
    }
}
