//! What leaves for good, and what has to come before it or after it.

use keelson::plan::PlanReport;
use keelson_provider_api::Resource;
use keelson_provider_api::kinds::MemberPhase;

use super::world::{World, comes_before, desired, key, outline};

#[test]
fn an_only_member_goes_when_its_fellows_have_come() {
    let stacked = desired("  controlPlane: { replicas: 1 }");
    let dedicated =
        desired("  controlPlane: { replicas: 1 }\n  etcd: { placement: { dedicated: { replicas: 3 } } }");
    let world = World::as_desired(&stacked);
    let (plan, report) = world.plan(&dedicated);
    assert!(!report.is_blocked(), "{report:?}");
    assert_eq!(report.warnings, [], "three are left");
    let removal = "delete etcd-member/main:control-plane-1";
    for number in [1, 2, 3] {
        let join = format!("create etcd-member/main:etcd-{number}");
        assert!(comes_before(&plan, &join, removal), "{:?}", outline(&plan));
    }
    // What a machine has to have no longer is no upgrade.
    assert!(
        !outline(&plan).iter().any(|step| step.contains("snapshot")),
        "{:?}",
        outline(&plan)
    );
    let silent = world.unknown("machine/etcd-2");
    let (plan, report) = silent.plan(&dedicated);
    assert!(
        !outline(&plan).contains(&removal.to_owned()),
        "{:?}",
        outline(&plan)
    );
    assert!(
        report
            .held
            .iter()
            .any(|held| held.key == key("etcd-member/main:control-plane-1")),
        "{report:?}"
    );
}

#[test]
fn an_only_member_goes_when_an_interrupted_join_was_gone_on_with() {
    let stacked = desired("  controlPlane: { replicas: 1 }");
    let dedicated =
        desired("  controlPlane: { replicas: 1 }\n  etcd: { placement: { dedicated: { replicas: 1 } } }");
    let world = World::as_desired(&dedicated)
        .with("etcd-member/main:control-plane-1", &World::as_desired(&stacked))
        .with("node-bundle/control-plane-1", &World::as_desired(&stacked))
        .change("etcd-member/main:etcd-1", |existing| {
            match &mut existing.resource {
                Resource::EtcdMember(member) => member.phase = MemberPhase::Learner,
                other => panic!("{other:?}"),
            }
        });
    let (plan, report) = world.plan(&dedicated);
    assert!(!report.is_blocked(), "{report:?}");
    let (join, removal) = (
        "update etcd-member/main:etcd-1",
        "delete etcd-member/main:control-plane-1",
    );
    assert!(comes_before(&plan, join, removal), "{:?}", outline(&plan));
    // Where the join cannot go on, the only voter stays.
    let (plan, report) = world
        .unknown("machine/etcd-1")
        .unknown("node-bundle/etcd-1")
        .plan(&dedicated);
    assert!(
        !outline(&plan).iter().any(|step| step == removal),
        "{:?} {report:?}",
        outline(&plan)
    );
}

/// Three control planes; `etcd` and the type of their machines.
fn with_etcd(etcd: &str, machine: &str) -> keelson::plan::DesiredState {
    desired(&format!(
        "  controlPlane: {{ replicas: 3, machine: {{ type: {machine} }} }}\n  etcd: {{ {etcd} }}"
    ))
}

#[test]
fn members_leave_when_their_fellows_have_come_also_where_those_restart_another() {
    let dedicated = "placement: { dedicated: { replicas: 3 } }";
    let both = format!("events: separate, {dedicated}");
    // The main etcd has moved already, that of events is still on the control planes.
    let before = with_etcd("events: separate", "s-2vcpu-4gb");
    let main = World::as_desired(&with_etcd(dedicated, "s-2vcpu-4gb"));
    let world = (1..=3).fold(main, |world, number| {
        world.with(
            &format!("etcd-member/events:control-plane-{number}"),
            &World::as_desired(&before),
        )
    });
    for machine in ["s-2vcpu-4gb", "s-4vcpu-8gb"] {
        let (plan, report) = world.plan(&with_etcd(&both, machine));
        assert!(!report.is_blocked(), "{report:?}");
        for (coming, leaving) in [(1, 1), (2, 1), (3, 1), (1, 3), (3, 2)] {
            let join = format!("create etcd-member/events:etcd-{coming}");
            let removal = format!("delete etcd-member/events:control-plane-{leaving}");
            assert!(comes_before(&plan, &join, &removal), "{:?}", outline(&plan));
        }
    }
}

/// What `name` waits for.
fn waits_for(report: &PlanReport, name: &str) -> Option<String> {
    let mut held = report.held.iter();
    // The removal of what is replaced waits for its build.
    let held = held.find(|held| held.key == key(name) && held.waits_for != key(name))?;
    Some(held.waits_for.to_string())
}

/// So many control planes and two workers.
fn cluster(replicas: u32, kubernetes: &str, machine: &str) -> keelson::plan::DesiredState {
    desired(&format!(
        "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: {replicas} }}\n  \
         nodeGroups: [{{ name: workers, replicas: 2, machine: {{ type: {machine} }}, rolling: {{ maxUnavailable: 2 }} }}]"
    ))
}

#[test]
fn no_kubelet_moves_on_before_an_older_api_server_has_left() {
    let world = World::as_desired(&cluster(5, "1.35.6", "s-2vcpu-4gb"));
    let departure = "delete control-plane/control-plane-5";
    for machine in ["s-2vcpu-4gb", "s-4vcpu-8gb"] {
        let (plan, _) = world.plan(&cluster(1, "1.36.2", machine));
        for worker in [1, 2] {
            let (verb, kind) = if machine == "s-2vcpu-4gb" {
                ("update", "node-bundle")
            } else {
                ("delete", "machine")
            };
            let moves = format!("{verb} {kind}/workers-{worker}");
            assert!(comes_before(&plan, departure, &moves), "{:?}", outline(&plan));
        }
    }
    // One that is as new as they are keeps nobody waiting.
    let (plan, _) = world.plan(&cluster(3, "1.35.6", "s-4vcpu-8gb"));
    assert!(
        !comes_before(&plan, departure, "delete machine/workers-1"),
        "{:?}",
        outline(&plan)
    );
}

#[test]
fn no_worker_moves_on_while_an_only_control_plane_has_to_stay() {
    let of = |kubernetes: &str, machine: &str| {
        desired(&format!(
            "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: 1, machine: {{ type: {machine} }} }}\n  \
             nodeGroups: [{{ name: workers, replicas: 2 }}]"
        ))
    };
    let world = World::as_desired(&of("1.35.6", "s-2vcpu-4gb"));
    let (plan, report) = world.plan(&of("1.36.2", "s-4vcpu-8gb"));
    assert_eq!(outline(&plan), [""; 0]);
    let waits_for = waits_for(&report, "node-bundle/workers-1");
    assert_eq!(
        waits_for.as_deref(),
        Some("machine/control-plane-1"),
        "{report:?}"
    );
}

#[test]
fn api_servers_stay_within_a_minor_release_of_one_that_has_to_wait() {
    let of = |kubernetes: &str, machine: &str| {
        desired(&format!(
            "  kubernetesVersion: {kubernetes}\n  controlPlane: {{ replicas: 3, machine: {{ type: {machine} }} }}"
        ))
    };
    // An upgrade ended after the first control plane; the next was asked for before it was gone on with.
    let upgraded = World::as_desired(&of("1.36.2", "s-2vcpu-4gb"));
    let world =
        World::as_desired(&of("1.35.6", "s-2vcpu-4gb")).with("node-bundle/control-plane-1", &upgraded);
    for machine in ["s-2vcpu-4gb", "s-4vcpu-8gb"] {
        let (plan, report) = world.plan(&of("1.37.0", machine));
        let waits_for = waits_for(&report, "node-bundle/control-plane-1");
        assert_eq!(
            waits_for.as_deref(),
            Some("node-bundle/control-plane-2"),
            "{report:?}"
        );
        assert!(
            !outline(&plan).iter().any(|step| step.contains("control-plane-1")),
            "{:?}",
            outline(&plan)
        );
    }
}

#[test]
fn an_only_member_stays_where_one_machine_alone_is_seen_to() {
    let stacked = desired("  controlPlane: { replicas: 1 }");
    let mut wanted =
        desired("  controlPlane: { replicas: 1 }\n  etcd: { placement: { dedicated: { replicas: 3 } } }");
    wanted.only = Some("control-plane-1".to_owned());
    let (plan, _) = World::as_desired(&stacked).plan(&wanted);
    let removal = "delete etcd-member/main:control-plane-1".to_owned();
    assert!(!outline(&plan).contains(&removal), "{:?}", outline(&plan));
}

#[test]
fn api_servers_wait_for_an_older_one_that_leaves() {
    let upgraded = World::as_desired(&cluster(3, "1.36.2", "s-2vcpu-4gb"));
    let world = [1, 2, 3].into_iter().fold(
        World::as_desired(&cluster(5, "1.35.6", "s-2vcpu-4gb")),
        |world, number| world.with(&format!("node-bundle/control-plane-{number}"), &upgraded),
    );
    let (plan, report) = world.plan(&cluster(3, "1.37.0", "s-2vcpu-4gb"));
    let waits_for = waits_for(&report, "node-bundle/control-plane-1");
    assert_eq!(
        waits_for.as_deref(),
        Some("control-plane/control-plane-4"),
        "{report:?}"
    );
    assert!(
        outline(&plan).contains(&"delete control-plane/control-plane-4".to_owned()),
        "{:?}",
        outline(&plan)
    );
}
