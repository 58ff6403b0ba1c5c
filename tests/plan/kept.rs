//! What is kept for a machine while machines of its name come and go, and what a network in a cloud with zones stands on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keelson::plan::{DesiredState, Plan, PlanReport};
use keelson_provider_api::kinds::Through;
use keelson_provider_api::{Kind, Resource};

use super::world::{THREE_AND_FOUR, World, assert_order, comes_before, desired_in_zones, key, outline};

fn three_and_four() -> DesiredState {
    desired_in_zones("", THREE_AND_FOUR)
}

fn three_and_four_of(version: &str) -> DesiredState {
    desired_in_zones("", &THREE_AND_FOUR.replace("1.36.2", version))
}

fn fields(control_planes: u32, more: &str) -> String {
    let replaced = format!("controlPlane: {{ replicas: {control_planes}{more} }}");
    THREE_AND_FOUR.replace("controlPlane: { replicas: 3 }", &replaced)
}

fn touches(plan: &Plan, kinds: &[Kind]) -> Vec<String> {
    let steps = plan.steps().iter().map(keelson::plan::Step::change);
    steps
        .filter(|change| kinds.contains(&change.key.kind()))
        .map(ToString::to_string)
        .collect()
}

const KEPT: &[Kind] = &[Kind::Volume, Kind::NetworkInterface];

#[test]
fn a_machine_that_is_replaced_leaves_its_volume_and_its_interface_to_the_next_one() {
    let larger = desired_in_zones("", &fields(3, ", machine: { type: m6i.4xlarge }"));
    let (plan, report) = World::as_desired(&three_and_four()).plan(&larger);
    assert!(!report.is_blocked());
    assert_eq!(touches(&plan, KEPT), Vec::<String>::new());
    for number in 1..=3 {
        let name = format!("machine/control-plane-{number}");
        let member = format!("delete etcd-member/main:control-plane-{number}");
        assert_order(&plan, &[&member], &[&format!("delete {name}")]);
        assert_order(&plan, &[&format!("delete {name}")], &[&format!("create {name}")]);
    }
}

#[test]
fn a_machine_that_is_lost_is_made_anew_on_what_was_kept_for_it() {
    let desired = three_and_four();
    let world = World::as_desired(&desired).without("machine/control-plane-2");
    let (plan, report) = world.plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
    assert_eq!(touches(&plan, KEPT), Vec::<String>::new());
    assert!(outline(&plan).contains(&"create machine/control-plane-2".to_owned()));
}

/// What is left where the machines of these numbers are gone with all that was on them; `told` by its fellows, or not.
fn lost(desired: &DesiredState, numbers: &[u32], told: bool) -> World {
    numbers.iter().fold(World::as_desired(desired), |world, number| {
        let member = format!("etcd-member/main:control-plane-{number}");
        let world = world
            .without(&format!("machine/control-plane-{number}"))
            .without(&format!("node-bundle/control-plane-{number}"))
            .without(&format!("control-plane/control-plane-{number}"));
        let world = world.sick(&format!("node/control-plane-{number}"));
        if told {
            world.sick(&member)
        } else {
            world.unknown(&member)
        }
    })
}

fn waits(report: &PlanReport, key: &str) -> Option<String> {
    let mut held = report.held.iter();
    let of_key = held.find(|held| held.key.to_string() == key)?;
    Some(of_key.waits_for.to_string())
}

const MEMBERS: &[Kind] = &[Kind::EtcdMember];

/// Its data is on its volume: nobody takes it out of its cluster, and what stands on it waits until it is seen again.
#[test]
fn a_member_comes_back_with_the_machine_that_its_data_is_kept_for() {
    let desired = three_and_four();
    let (plan, report) = lost(&desired, &[2], true).plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
    assert_eq!(touches(&plan, MEMBERS), Vec::<String>::new());
    let steps = outline(&plan);
    for step in [
        "create machine/control-plane-2",
        "create node-bundle/control-plane-2",
    ] {
        assert!(steps.contains(&step.to_owned()), "{steps:?}");
    }
    let member = "etcd-member/main:control-plane-2";
    assert_eq!(waits(&report, member).as_deref(), Some("machine/control-plane-2"));
    assert_eq!(
        waits(&report, "control-plane/control-plane-2").as_deref(),
        Some(member)
    );
    assert!(
        !steps
            .iter()
            .any(|step| step.ends_with(" control-plane/control-plane-2")),
        "{steps:?}"
    );
    // What is seen on the new machine decides: here it has its data, and there it has none.
    let there = World::as_desired(&desired).change(member, |member| {
        member.host_id = Some("machine/control-plane-2#1".to_owned());
    });
    let there = there.change("machine/control-plane-2", |machine| {
        machine.id = "machine/control-plane-2#1".to_owned();
    });
    let on_new = |world: World| {
        ["node-bundle", "control-plane", "node"]
            .iter()
            .fold(world, |world, kind| {
                world.change(&format!("{kind}/control-plane-2"), |existing| {
                    existing.host_id = Some("machine/control-plane-2#1".to_owned());
                })
            })
    };
    let (plan, _) = on_new(there.clone()).plan(&desired);
    assert_eq!(touches(&plan, MEMBERS), Vec::<String>::new());
    let elsewhere = there.sick(member).change(member, |member| {
        member.host_id = Some("gone".to_owned());
    });
    let (plan, _) = on_new(elsewhere).plan(&desired);
    assert_eq!(touches(&plan, MEMBERS).len(), 2, "{:?}", outline(&plan));
}

#[test]
fn machines_are_made_anew_also_where_the_quorum_went_with_them() {
    let mut desired = three_and_four();
    desired.etcd_with_data.insert("main".to_owned());
    for (numbers, told) in [(&[1, 3][..], true), (&[1, 3][..], false), (&[1, 2, 3][..], false)] {
        let world = lost(&desired, numbers, told);
        let world = match numbers {
            [1, 3] => world.stalled("etcd-member/main:control-plane-2"),
            _ => world,
        };
        let (plan, report) = world.plan(&desired);
        assert!(!report.is_blocked(), "{numbers:?}: {report:?}");
        assert_eq!(touches(&plan, MEMBERS), Vec::<String>::new());
        for number in numbers {
            let steps = outline(&plan);
            assert!(
                steps.contains(&format!("create node-bundle/control-plane-{number}")),
                "{steps:?}"
            );
        }
    }
    // Also where nobody is left that could know of them.
    let none = (1..=3).fold(lost(&desired, &[1, 2, 3], false), |world, number| {
        world.without(&format!("etcd-member/main:control-plane-{number}"))
    });
    let (plan, report) = none.clone().plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
    assert_eq!(touches(&plan, MEMBERS), Vec::<String>::new());
    // And where its volume is gone as well it is as ever.
    let (plan, report) = none.without("volume/control-plane-1").plan(&desired);
    assert!(report.is_blocked());
    assert_eq!(touches(&plan, MEMBERS), Vec::<String>::new());
}

#[test]
fn a_member_whose_volume_is_gone_too_is_replaced() {
    let desired = three_and_four();
    let world = lost(&desired, &[2], true).without("volume/control-plane-2");
    let (plan, report) = world.plan(&desired);
    assert!(!report.is_blocked(), "{report:?}");
    let member = "etcd-member/main:control-plane-2";
    assert_eq!(
        touches(&plan, MEMBERS),
        [format!("delete {member}"), format!("create {member}")]
    );
}

/// New versions come to its fellows first, and these wait for nobody.
#[test]
fn a_member_is_replaced_where_its_machine_brings_another_version() {
    let newer = three_and_four_of("1.37.0");
    let (plan, report) = lost(&three_and_four(), &[2], true).plan(&newer);
    assert!(!report.is_blocked(), "{report:?}");
    let member = "etcd-member/main:control-plane-2";
    assert!(
        touches(&plan, MEMBERS).contains(&format!("delete {member}")),
        "{:?}",
        outline(&plan)
    );
}

/// Nothing more goes down, and nobody joins, while one is away that comes back.
#[test]
fn its_fellows_stay_as_they_are_until_a_member_is_back() {
    let desired = desired_in_zones("", &fields(5, ""));
    let changed = format!("{}\n  kubelet: {{ maxPods: 120 }}", fields(5, ""));
    let changed = desired_in_zones("", &changed);
    let world = lost(&desired, &[2], true)
        .without("machine/control-plane-5")
        .without("etcd-member/main:control-plane-5")
        .without("node-bundle/control-plane-5");
    let (plan, report) = world.plan(&changed);
    assert!(!report.is_blocked(), "{report:?}");
    let steps = outline(&plan);
    let member = "etcd-member/main:control-plane-2";
    assert_eq!(
        waits(&report, "node-bundle/control-plane-1").as_deref(),
        Some(member)
    );
    assert_eq!(
        waits(&report, "etcd-member/main:control-plane-5").as_deref(),
        Some(member)
    );
    for step in ["update node-group/workers", "create node-bundle/control-plane-5"] {
        assert!(steps.contains(&step.to_owned()), "{steps:?}");
    }
}

#[test]
fn a_control_plane_that_is_not_wanted_takes_its_volume_and_its_interface_along_after_its_member_has_left() {
    let (five, three) = (desired_in_zones("", &fields(5, "")), three_and_four());
    let kept = [
        "delete volume/control-plane-5",
        "delete network-interface/control-plane-5",
    ];
    let member = "delete etcd-member/main:control-plane-5";
    let (plan, _) = World::as_desired(&five).plan(&three);
    assert_order(&plan, &[member, "delete machine/control-plane-5"], &kept);
    // Also where the machine is gone already, and only its member is still counted.
    let world = World::as_desired(&five).without("machine/control-plane-5");
    let (plan, _) = world.plan(&three);
    assert_order(&plan, &[member], &kept[..1]);
    assert_eq!(touches(&plan, KEPT).len(), 4, "{:?}", outline(&plan));
}

#[test]
fn nothing_of_a_machine_that_cannot_be_seen_is_taken_away() {
    let (five, three) = (desired_in_zones("", &fields(5, "")), three_and_four());
    let world = World::as_desired(&five).unknown("machine/control-plane-5");
    let (plan, report) = world.plan(&three);
    assert!(report.is_blocked());
    let of_it = touches(&plan, KEPT);
    assert!(of_it.iter().all(|step| !step.ends_with("-5")), "{of_it:?}");
}

#[test]
fn a_destroy_takes_everything_that_stands_by_itself_from_the_top_down() {
    let desired = three_and_four();
    let (plan, _) = World::as_desired(&desired).plan(&DesiredState::nothing());
    let gone: BTreeSet<String> = outline(&plan).into_iter().collect();
    for kind in [
        Kind::NatGateway,
        Kind::WayOut,
        Kind::Role,
        Kind::Volume,
        Kind::NetworkInterface,
        Kind::Subnet,
        Kind::Network,
    ] {
        for name in desired.resources.keys().filter(|key| key.kind() == kind) {
            assert!(gone.contains(&format!("delete {name}")), "{name}");
        }
    }
    let machine = "delete machine/control-plane-1";
    assert_order(
        &plan,
        &[machine],
        &[
            "delete volume/control-plane-1",
            "delete network-interface/control-plane-1",
            "delete role/control-plane",
        ],
    );
    assert_order(
        &plan,
        &[
            "delete network-interface/control-plane-1",
            "delete way-out/zone-a",
        ],
        &["delete subnet/zone-a-private", "delete network/main"],
    );
    assert_order(
        &plan,
        &["delete way-out/zone-a"],
        &["delete nat-gateway/zone-a", "delete subnet/zone-a-public"],
    );
    assert_order(&plan, &["delete load-balancer/api"], &["delete firewall/api"]);
}

#[test]
fn one_nat_gateway_takes_over_from_three_before_they_go() {
    let single = desired_in_zones(", nat: single", THREE_AND_FOUR);
    let (plan, _) = World::as_desired(&three_and_four()).plan(&single);
    assert_eq!(
        touches(&plan, &[Kind::NatGateway]),
        ["delete nat-gateway/zone-b", "delete nat-gateway/zone-c"]
    );
    for zone in ["zone-b", "zone-c"] {
        assert!(comes_before(
            &plan,
            &format!("delete way-out/{zone}"),
            &format!("delete nat-gateway/{zone}")
        ));
    }
    let machines = touches(&plan, &[Kind::Machine, Kind::NetworkInterface]);
    assert_eq!(machines, Vec::<String>::new());
}

fn addresses(desired: &DesiredState) -> BTreeMap<String, IpAddr> {
    let interface = |resource: &Resource| match resource {
        Resource::NetworkInterface(interface) => Some((interface.machine.clone(), interface.address)),
        _ => None,
    };
    desired
        .resources
        .values()
        .filter_map(|wanted| interface(&wanted.resource))
        .collect()
}

#[test]
fn an_address_stays_with_its_number_however_many_machines_there_are() {
    let dedicated = format!(
        "{}\n  etcd: {{ placement: {{ dedicated: {{ replicas: 5 }} }} }}",
        fields(7, "")
    );
    let many = addresses(&desired_in_zones("", &dedicated));
    let few = addresses(&three_and_four());
    assert_eq!((few.len(), many.len()), (3, 12));
    assert_eq!(few["control-plane-1"], IpAddr::from([10, 0, 0, 4]));
    assert_eq!(few["control-plane-2"], IpAddr::from([10, 0, 16, 5]));
    assert_eq!(many["etcd-1"], IpAddr::from([10, 0, 0, 16]));
    assert!(few.iter().all(|(machine, address)| many[machine] == *address));
    let apart: BTreeSet<&IpAddr> = many.values().collect();
    assert_eq!(apart.len(), many.len());
}

#[test]
fn only_the_bastion_lets_in_whoever_may_log_in_and_only_the_balancer_the_world() {
    let ssh = "\n  ssh: { publicKeys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVZkFVOlHv4wCqVRjqYbL2pjtIPGYcvXH9mV8qkGkqI me\"], \
               allowedCIDRs: [203.0.113.0/24], bastion: true }";
    let desired = desired_in_zones("", &format!("{THREE_AND_FOUR}{ssh}"));
    let sources = |firewall: &str, purpose: &str| -> Vec<String> {
        let Resource::Firewall(firewall) = &desired.resources[&key(&format!("firewall/{firewall}"))].resource
        else {
            panic!("{firewall}");
        };
        let rules = firewall
            .rules
            .iter()
            .filter(|rule| rule.purpose.starts_with(purpose));
        rules.flat_map(|rule| rule.sources.clone()).collect()
    };
    assert_eq!(sources("bastion", "ssh"), ["203.0.113.0/24"]);
    assert_eq!(sources("control-plane", "ssh"), ["bastion"]);
    assert_eq!(sources("nodes", "ssh"), ["bastion"]);
    assert_eq!(
        sources("control-plane", "Kubernetes API"),
        ["control-plane", "api", "nodes"]
    );
    assert_eq!(
        sources("api", "Kubernetes API for clients"),
        ["0.0.0.0/0", "::/0"]
    );
    let Resource::Machine(bastion) = &desired.resources[&key("machine/bastion-1")].resource else {
        panic!("no bastion");
    };
    assert_eq!(bastion.subnet.as_deref(), Some("zone-a-public"));
    assert!(!desired.resources.contains_key(&key("node-bundle/bastion-1")));
    let Resource::WayOut(private) = &desired.resources[&key("way-out/zone-b")].resource else {
        panic!("no way out");
    };
    assert_eq!(private.through, Through::NatGateway("zone-b".to_owned()));
}
