//! What waits for something that is blocked.

use keelson::plan::{DesiredState, PlanReport};
use keelson_provider_api::{Existing, Kind, Owner};

use super::world::{THREE_AND_FOUR, World, desired, key, outline};

fn held(report: &PlanReport) -> Vec<String> {
    let held = report.held.iter();
    held.map(|held| format!("{} {}", held.verb, held.key)).collect()
}

/// The desired state with other names for its control planes, which stand at the same addresses.
fn renamed(desired: &DesiredState) -> DesiredState {
    let text = |number: u32| (format!("control-plane-{number}"), format!("renamed-{number}"));
    let anew = |value: &mut String| {
        for (old, new) in [1, 2, 3].map(text) {
            *value = value.replace(&old, &new);
        }
    };
    let mut renamed = DesiredState::default();
    for (key, wanted) in &desired.resources {
        let mut name = key.to_string();
        let mut json = serde_json::to_string(&wanted.resource).unwrap();
        let mut after = wanted.after.clone();
        anew(&mut name);
        anew(&mut json);
        for need in &mut after {
            let mut name = need.to_string();
            anew(&mut name);
            *need = name.parse().unwrap();
        }
        let resource: keelson_provider_api::Resource = serde_json::from_str(&json).unwrap();
        renamed.add_after(name.parse().unwrap(), resource, after, Vec::new());
    }
    renamed
}

/// The machines with new names are seen, and bear the old ones.
fn at_the_same_addresses(world: World, wanted: &DesiredState) -> World {
    [1, 2, 3].into_iter().fold(world, |world, number| {
        let (old, new) = (
            format!("machine/control-plane-{number}"),
            format!("machine/renamed-{number}"),
        );
        let there = World::as_desired(wanted).change(&new, |existing: &mut Existing| {
            existing.id = format!("{old}#0");
            existing.owner = Owner::Other("this cluster, under another name".to_owned());
        });
        let world = world.with(&new, &there);
        world.unknown(&format!("etcd-member/main:renamed-{number}"))
    })
}

#[test]
fn what_makes_room_for_something_blocked_waits() {
    let before = desired("  controlPlane: { replicas: 3 }");
    let wanted = renamed(&before);
    let world = at_the_same_addresses(World::as_desired(&before), &wanted);
    let (plan, report) = world.plan(&wanted);
    assert!(
        !outline(&plan).iter().any(|step| step.starts_with("delete")),
        "{:?}",
        outline(&plan)
    );
    for kind in ["machine", "node-bundle", "control-plane", "node"] {
        let step = format!("delete {kind}/control-plane-1");
        assert!(held(&report).contains(&step), "{step}: {:?}", held(&report));
    }
    let member = key("etcd-member/main:control-plane-1");
    let waits = report.held.iter().find(|held| held.key == member).unwrap();
    assert!(waits.waits_for.name().contains("renamed"), "{waits:?}");
    for name in ["machine/renamed-1", "etcd-member/main:renamed-1"] {
        let blocked = report.blocked.iter().find(|blocked| blocked.key == key(name));
        let blocked = blocked.unwrap();
        assert_eq!(
            blocked.reason,
            "the machine at this address is `control-plane-1` of this cluster"
        );
        let help = blocked.help.as_deref().unwrap();
        assert!(help.contains("put the name `control-plane-1` back"), "{help}");
    }
    assert!(
        !plan.decisive().contains(&key("etcd-member/main:renamed-1")),
        "it is no member that could be missing"
    );
    // Whoever ends the cluster waits for none of them.
    let (plan, _) = world.plan(&DesiredState::nothing());
    assert!(outline(&plan).contains(&"delete machine/control-plane-1".to_owned()));
}

#[test]
fn a_member_is_given_up_only_when_its_fellows_can_come() {
    let of = |count: u32| desired(&format!("  controlPlane: {{ replicas: {count} }}"));
    let mut wanted = of(5);
    let leaves = |name: &str| name.ends_with("control-plane-1");
    wanted.resources.retain(|key, _| !leaves(key.name()));
    let world = World::as_desired(&of(3));
    let removal = "delete etcd-member/main:control-plane-1".to_owned();
    let (plan, _) = world.plan(&wanted);
    assert!(outline(&plan).contains(&removal), "{:?}", outline(&plan));
    let (plan, report) = world.clone().unknown("machine/control-plane-5").plan(&wanted);
    assert!(!outline(&plan).contains(&removal), "{:?}", outline(&plan));
    assert!(held(&report).contains(&removal), "{:?}", held(&report));
    assert!(
        outline(&plan).contains(&"create etcd-member/main:control-plane-4".to_owned()),
        "{:?}",
        outline(&plan)
    );
    let kinds = [Kind::Machine, Kind::Node, Kind::NodeBundle];
    let on_it = |step: &keelson::plan::Step| kinds.contains(&step.change().key.kind());
    let mut removals = plan.steps().iter().filter(|step| on_it(step));
    assert!(!removals.any(|step| step.change().to_string().starts_with("delete")));
}

#[test]
fn what_a_machine_is_given_waits_while_a_member_on_it_has_to_stay() {
    let of = |events: &str| desired(&format!("{THREE_AND_FOUR}\n  etcd: {{ events: {events} }}"));
    let (plan, report) = World::as_desired(&of("separate")).plan(&of("shared"));
    let on_control_planes = |step: &String| step.contains("node-bundle") || step.contains(" control-plane/");
    assert!(
        !outline(&plan).iter().any(on_control_planes),
        "{:?}",
        outline(&plan)
    );
    for number in [1, 2, 3] {
        let waits_for = key(&format!("etcd-member/events:control-plane-{number}"));
        let bundle = key(&format!("node-bundle/control-plane-{number}"));
        let waits = report.held.iter().find(|held| held.key == bundle);
        assert_eq!(waits.map(|held| &held.waits_for), Some(&waits_for));
    }
}

#[test]
fn api_servers_keep_an_etcd_cluster_that_has_to_stay_on_other_machines() {
    let of = |events: &str| {
        desired(&format!(
            "{THREE_AND_FOUR}\n  etcd: {{ events: {events}, placement: {{ dedicated: {{}} }} }}"
        ))
    };
    let (plan, report) = World::as_desired(&of("separate")).plan(&of("shared"));
    assert!(report.is_blocked());
    let on_control_planes = |step: &String| step.contains("/control-plane-");
    assert!(
        !outline(&plan).iter().any(on_control_planes),
        "{:?}",
        outline(&plan)
    );
}

#[test]
fn no_worker_moves_on_before_a_control_plane_whose_turn_waits() {
    let at = |kubernetes: &str, more: &str| {
        desired(
            &THREE_AND_FOUR
                .replace("1.36.2", kubernetes)
                .replace("replicas: 3", &format!("replicas: 3{more}")),
        )
    };
    let before = World::as_desired(&at("1.35.6", ""));
    let is_addon = |step: &String| step.starts_with("update addon");
    let of_workers = |step: &String| step.contains("node-bundle/workers-");
    let (plan, _) = before.plan(&at("1.36.2", ""));
    let moves = outline(&plan);
    assert_eq!(moves.iter().filter(|step| of_workers(step)).count(), 4);
    assert!(moves.iter().any(is_addon), "{moves:?}");
    // The bundle of one cannot be changed, as its machine is somebody else's by now.
    let foreign = before.change("machine/control-plane-2", |existing| {
        existing.owner = Owner::Other("somebody".to_owned());
    });
    let (plan, report) = foreign.plan(&at("1.36.2", ""));
    let moves = outline(&plan);
    let waiting = key("node-bundle/control-plane-2");
    assert!(
        !moves.iter().any(|step| of_workers(step) || is_addon(step)),
        "{moves:?}"
    );
    for worker in 1..=4 {
        let bundle = key(&format!("node-bundle/workers-{worker}"));
        let waits = report.held.iter().find(|held| held.key == bundle);
        assert_eq!(waits.map(|held| &held.waits_for), Some(&waiting), "{report:?}");
    }
    assert!(
        moves.contains(&"update node-bundle/control-plane-1".to_owned()),
        "{moves:?}"
    );
}

#[test]
fn no_etcd_is_begun_while_a_machine_that_may_have_a_member_is_silent() {
    let wanted = desired(THREE_AND_FOUR);
    let begins = |step: &String| step.starts_with("create etcd-member/");
    // One that the spec no longer has, and one that is no control plane any more.
    for silent in ["machine/former", "machine/workers-1"] {
        let (plan, report) = World::empty().unknown(silent).plan(&wanted);
        assert!(!outline(&plan).iter().any(begins), "{:?}", outline(&plan));
        let waits = report
            .held
            .iter()
            .filter(|held| held.key.kind() == Kind::EtcdMember);
        let waits_for: Vec<String> = waits.map(|held| held.waits_for.to_string()).collect();
        assert_eq!(waits_for, [silent; 3]);
    }
    // The living cluster knows its members.
    let grown = desired("  controlPlane: { replicas: 5 }");
    let world = World::as_desired(&desired("  controlPlane: { replicas: 3 }"));
    let (plan, _) = world.unknown("machine/former").plan(&grown);
    assert_eq!(outline(&plan).iter().filter(|step| begins(step)).count(), 2);
}

#[test]
fn no_node_comes_while_what_makes_its_network_cannot_be_seen() {
    let wanted = desired(THREE_AND_FOUR);
    let access = key("addon/cluster-access");
    let (plan, report) = World::empty().unknown("addon/cluster-access").plan(&wanted);
    let steps = outline(&plan);
    let is_there = |step: &str| steps.iter().any(|other| other == step);
    assert!(is_there("create control-plane/control-plane-1"), "{steps:?}");
    assert!(
        !steps.iter().any(|step| step.starts_with("create node/")),
        "{steps:?}"
    );
    let node = key("node/control-plane-1");
    let waits = report.held.iter().find(|held| held.key == node);
    assert_eq!(waits.map(|held| &held.waits_for), Some(&access));
}
