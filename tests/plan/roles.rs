//! Machines that stay and become something else, beside an upgrade.

use keelson::plan::{DesiredState, Plan};

use super::world::{World, assert_order, comes_before, desired, desired_on_hosts, outline};
use crate::simulation::specs::mix;

/// Three control planes, a worker, and two hosts of which the role is given.
fn cluster(kubernetes: &str, role: &str) -> DesiredState {
    let hosts = [
        ("a", "control-plane"),
        ("b", "control-plane"),
        ("c", "control-plane"),
        ("d", role),
        ("e", role),
        ("f", "worker"),
    ];
    desired_on_hosts(&hosts, &format!("  kubernetesVersion: {kubernetes}"))
}

#[test]
fn control_planes_that_become_workers_are_upgraded_after_all_api_servers() {
    let world = World::as_desired(&cluster("1.35.6", "control-plane"));
    let (plan, report) = world.plan(&cluster("1.36.2", "worker"));
    assert!(!report.is_blocked() && report.held.is_empty(), "{report:?}");
    let api_servers = [
        "update node-bundle/a",
        "update node-bundle/b",
        "update node-bundle/c",
        "delete control-plane/d",
        "delete control-plane/e",
    ];
    let kubelets = [
        "update node-bundle/d",
        "update node-bundle/e",
        "update node-bundle/f",
        "update addon/kube-proxy",
    ];
    assert_order(&plan, &api_servers, &kubelets);
}

#[test]
fn what_leaves_a_machine_that_stays_leaves_before_its_bundle_changes() {
    let world = World::as_desired(&cluster("1.36.2", "control-plane"));
    let (plan, _) = world.plan(&cluster("1.36.2", "worker"));
    let leaving = ["delete control-plane/d", "delete etcd-member/main:d"];
    assert_order(&plan, &leaving, &["update node-bundle/d"]);
}

#[test]
fn a_worker_waits_for_an_api_server_that_leaves_a_member_of_etcd() {
    let dedicated = |kubernetes: &str, role: &str| {
        let hosts = [
            ("a", "control-plane"),
            ("d", role),
            ("x", "etcd"),
            ("y", "etcd"),
            ("z", "etcd"),
            ("f", "worker"),
        ];
        desired_on_hosts(
            &hosts,
            &format!("  kubernetesVersion: {kubernetes}\n  etcd: {{ placement: {{ dedicated: {{}} }} }}"),
        )
    };
    let world = World::as_desired(&dedicated("1.35.6", "control-plane"));
    let (plan, report) = world.plan(&dedicated("1.36.2", "worker"));
    assert!(!report.is_blocked(), "{report:?}");
    let api_servers = ["update node-bundle/a", "delete control-plane/d"];
    assert_order(
        &plan,
        &api_servers,
        &["update node-bundle/d", "update node-bundle/f"],
    );
}

#[test]
fn api_servers_stay_within_a_minor_release_of_one_that_is_silent() {
    let of = |kubernetes: &str| {
        desired(&format!(
            "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: 5 }}"
        ))
    };
    let upgraded = World::as_desired(&of("1.36.2"));
    let silent = |world: World| {
        ["machine", "node-bundle", "control-plane", "etcd-member", "node"]
            .into_iter()
            .fold(world, |world, kind| match kind {
                "etcd-member" => world.unknown("etcd-member/main:control-plane-5"),
                kind => world.unknown(&format!("{kind}/control-plane-5")),
            })
    };
    let moved = |plan: &Plan| {
        outline(plan)
            .iter()
            .any(|step| step.starts_with("update node-bundle"))
    };
    let (plan, report) = silent(upgraded.clone()).plan(&of("1.37.0"));
    assert!(!moved(&plan), "it may be 1.35: {:?}", outline(&plan));
    assert!(!report.held.is_empty());
    let (plan, report) = silent(upgraded).plan(&of("1.36.3"));
    assert!(moved(&plan), "{report:?}");
}

#[test]
fn control_planes_that_join_are_not_newer_than_those_that_are_there() {
    let of = |kubernetes: &str, replicas: u32| {
        desired(&format!(
            "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: {replicas} }}"
        ))
    };
    let world = World::as_desired(&of("1.35.6", 3));
    let (plan, _) = world.plan(&of("1.36.2", 5));
    let turns = [
        "update node-bundle/control-plane-1",
        "update node-bundle/control-plane-3",
    ];
    assert_order(&plan, &turns, &["create etcd-member/main:control-plane-4"]);
    // Where no version moves they come before others restart.
    let mut wanted = of("1.35.6", 5);
    let settings =
        desired("  kubernetesVersion: 1.35.6\n  controlPlane: { replicas: 5 }\n  kubelet: { maxPods: 120 }");
    wanted.resources.extend(settings.resources);
    let (plan, _) = world.plan(&wanted);
    let joins = ["create etcd-member/main:control-plane-4"];
    assert_order(&plan, &joins, &["update node-bundle/control-plane-1"]);
}

#[test]
fn workers_leave_when_as_many_have_come() {
    let of = |groups: &str| {
        desired(&format!(
            "  controlPlane: {{ replicas: 1 }}\n  nodeGroups: [{groups}]"
        ))
    };
    let world = World::as_desired(&of("{ name: old, replicas: 3 }"));
    let (plan, _) = world.plan(&of("{ name: new, replicas: 2 }"));
    assert_order(&plan, &["create node/new-1"], &["delete node/old-1"]);
    let all = ["create node/new-2"];
    assert_order(&plan, &all, &["delete node/old-2", "delete node/old-3"]);
    assert!(!comes_before(&plan, "create node/new-2", "delete node/old-1"));
}

/// Hosts a, b and c are control planes and w is a worker; or d, e and f in their place.
fn exchanged(kubernetes: &str, names: [&str; 3]) -> DesiredState {
    let mut hosts: Vec<(&str, &str)> = names.iter().map(|name| (*name, "control-plane")).collect();
    hosts.push(("w", "worker"));
    desired_on_hosts(&hosts, &format!("  kubernetesVersion: {kubernetes}"))
}

#[test]
fn other_hosts_bring_no_version_that_the_old_ones_could_not() {
    let (old, new) = (["a", "b", "c"], ["d", "e", "f"]);
    let table = [
        ("1.36.2", "1.35.6", Some("goes back")),
        ("1.34.3", "1.36.2", Some("skips a minor release")),
        ("1.35.6", "1.36.2", None),
    ];
    for (from, to, expected) in table {
        let (plan, report) = World::as_desired(&exchanged(from, old)).plan(&exchanged(to, new));
        let told = format!("{:?}", report.blocked);
        if let Some(words) = expected {
            assert!(told.contains(words), "{from} -> {to}: {told}");
            continue;
        }
        assert!(!report.is_blocked(), "{told}");
        let snapshot = outline(&plan)
            .into_iter()
            .find(|step| step.contains("etcd-snapshot"));
        let snapshot = snapshot.unwrap_or_else(|| panic!("{:?}", outline(&plan)));
        assert_order(&plan, &[&snapshot], &["create node-bundle/d"]);
        assert_order(&plan, &["create control-plane/d"], &["delete control-plane/a"]);
    }
}

#[test]
fn a_member_s_machine_that_becomes_a_worker_waits_for_api_servers_that_leave() {
    let of = |kubernetes: &str, b: &str, members: [&str; 2], more: &[(&'static str, &'static str)]| {
        let mut hosts = vec![
            ("a", "control-plane"),
            (if b.is_empty() { "c" } else { "b" }, "control-plane"),
        ];
        hosts.push((members[0], "etcd"));
        hosts.extend(more.iter().copied());
        desired_on_hosts(
            &hosts,
            &format!("  kubernetesVersion: {kubernetes}\n  etcd: {{ placement: {{ dedicated: {{}} }} }}"),
        )
    };
    let before = of("1.35.6", "b", ["x", ""], &[("w", "worker")]);
    let after = of("1.36.2", "", ["y", ""], &[("w", "worker"), ("x", "worker")]);
    let (plan, report) = World::as_desired(&before).plan(&after);
    assert!(!report.is_blocked(), "{report:?}");
    assert_order(
        &plan,
        &["delete control-plane/b", "update node-bundle/a"],
        &["update node-bundle/x"],
    );
}

#[test]
fn an_only_api_server_that_is_made_anew_waits_for_those_that_join() {
    let of = |kubernetes: &str, replicas: u32, machine: &str| {
        desired(&format!(
            "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: {replicas}, machine: {{ type: {machine} }} }}\n  \
             etcd: {{ placement: {{ dedicated: {{}} }} }}"
        ))
    };
    let world = World::as_desired(&of("1.35.6", 1, "s-2vcpu-4gb"));
    let (plan, report) = world.plan(&of("1.36.2", 3, "s-4vcpu-8gb"));
    assert!(!report.is_blocked(), "{report:?}");
    let joins = [
        "create control-plane/control-plane-2",
        "create control-plane/control-plane-3",
    ];
    assert_order(&plan, &joins, &["delete control-plane/control-plane-1"]);
}

/// Roles of as many hosts as there are, drawn from `seed`: at least one control plane, one worker and an odd number for etcd.
fn drawn(seed: u64) -> Vec<(String, &'static str)> {
    let draw = |salt: u64, below: u64| mix(seed, salt) % below;
    let control_planes = [1, 2, 3][usize::try_from(draw(1, 3)).unwrap()];
    let members = [0, 1, 3][usize::try_from(draw(2, 3)).unwrap()];
    // Stacked etcd has a member on each control plane.
    let control_planes = if members == 0 {
        control_planes | 1
    } else {
        control_planes
    };
    let workers = 1 + usize::try_from(draw(3, 3)).unwrap();
    let mut roles = [
        vec!["control-plane"; control_planes],
        vec!["etcd"; members],
        vec!["worker"; workers],
    ]
    .concat();
    for place in (1..roles.len()).rev() {
        let other = usize::try_from(draw(4 + place as u64, place as u64 + 1)).unwrap();
        roles.swap(place, other);
    }
    let named = roles.into_iter().enumerate();
    named.map(|(number, role)| (format!("h{number}"), role)).collect()
}

#[test]
fn hosts_may_swap_their_roles_in_one_edit() {
    for seed in 0..300 {
        let cluster = |seed: u64, kubernetes: &str| {
            let drawn = drawn(seed);
            let hosts: Vec<(&str, &str)> = drawn.iter().map(|(name, role)| (name.as_str(), *role)).collect();
            let dedicated = hosts.iter().any(|(_, role)| *role == "etcd");
            let placement = if dedicated {
                "placement: { dedicated: {} }"
            } else {
                "placement: stacked"
            };
            let events = if mix(seed / 2, 99).is_multiple_of(2) {
                "separate"
            } else {
                "shared"
            };
            desired_on_hosts(
                &hosts,
                &format!("  kubernetesVersion: {kubernetes}\n  etcd: {{ events: {events}, {placement} }}"),
            )
        };
        let later = ["1.35.6", "1.36.2"][usize::try_from(mix(seed, 98) % 2).unwrap()];
        let world = World::as_desired(&cluster(2 * seed, "1.35.6"));
        // A circle, or an order that breaks a rule, is found there.
        world.plan(&cluster(2 * seed + 1, later));
    }
}
