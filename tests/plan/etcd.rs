//! What is decided of etcd: its members, its quorum, its data.

use keelson::plan::DesiredState;
use keelson_provider_api::Resource;
use keelson_provider_api::kinds::{EtcdSnapshot, MemberPhase};

use super::decisions::blocked;
use super::world::{THREE_AND_FOUR, World, comes_before, desired, key, outline};

#[test]
fn etcd_goes_up_one_minor_release_at_a_time() {
    let at = |version: &str| desired(&format!("  etcd: {{ version: {version} }}"));
    let table = [
        ("3.5.24", "3.6.8", None),
        ("3.6.8", "3.6.12", None),
        (
            "3.5.24",
            "3.7.0",
            Some("set etcd.version to a release of 3.6 first"),
        ),
        ("3.6.8", "3.5.24", Some("goes back")),
    ];
    for (from, to, expected) in table {
        let (_, report) = World::as_desired(&at(from)).plan(&at(to));
        let told = format!("{:?}", report.blocked);
        match expected {
            None => assert!(!report.is_blocked(), "{from} -> {to}: {told}"),
            Some(words) => assert!(told.contains(words), "{from} -> {to}: {told}"),
        }
    }
}

#[test]
fn a_new_member_is_not_older_than_all_that_run() {
    let at = |version: &str, count: u32| {
        desired(&format!(
            "  controlPlane: {{ replicas: {count} }}\n  etcd: {{ version: {version} }}"
        ))
    };
    let mut wanted = at("3.5.24", 3);
    let stays = |name: &str| !name.ends_with("control-plane-1");
    wanted.resources.retain(|key, _| stays(key.name()));
    let (plan, report) = World::as_desired(&at("3.6.8", 1)).plan(&wanted);
    let told = |name: &str| report.blocked.iter().find(|blocked| blocked.key == key(name));
    let bundle = told("node-bundle/control-plane-2").unwrap();
    assert_eq!(bundle.reason, "etcd 3.6.8 -> 3.5.24 goes back");
    let joins = |step: &String| step.contains("etcd-member");
    assert!(!outline(&plan).iter().any(joins), "{:?}", outline(&plan));
    // Beside one of its own release it may come.
    let (_, report) = World::as_desired(&at("3.5.24", 1)).plan(&wanted);
    let bundle = key("node-bundle/control-plane-2");
    assert!(
        !report.blocked.iter().any(|blocked| blocked.key == bundle),
        "{report:?}"
    );
}

#[test]
fn an_only_member_is_not_replaced() {
    let with = |machine: &str| {
        desired(&format!(
            "  controlPlane: {{ replicas: 1, machine: {{ type: {machine} }} }}"
        ))
    };
    let reasons = blocked(&World::as_desired(&with("s-2vcpu-4gb")), &with("s-4vcpu-8gb"));
    assert!(
        reasons.iter().any(|(key, _)| key == "machine/control-plane-1"),
        "{reasons:?}"
    );
    assert!(
        reasons
            .iter()
            .any(|(_, reason)| reason.contains("only voting member")),
        "{reasons:?}"
    );
}

#[test]
fn members_do_not_change_without_a_quorum() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired)
        .sick("etcd-member/main:control-plane-1")
        .sick("etcd-member/main:control-plane-2")
        .without("machine/control-plane-1")
        .without("node-bundle/control-plane-1");
    let reasons = blocked(&world, &desired);
    let member = reasons
        .iter()
        .find(|(key, _)| key == "etcd-member/main:control-plane-1")
        .unwrap();
    assert!(member.1.contains("1 of 3"), "{reasons:?}");
}

#[test]
fn snapshots_stay_while_the_cluster_lives_and_go_with_it() {
    let desired = desired(THREE_AND_FOUR);
    let mut with_snapshot = desired.clone();
    let snapshot = EtcdSnapshot {
        cluster: "main".to_owned(),
        purpose: "upgrade".to_owned(),
    };
    with_snapshot.add(key("etcd-snapshot/main:1"), Resource::from(snapshot));
    let world = World::as_desired(&with_snapshot);
    assert!(world.plan(&desired).0.is_empty());
    let (plan, _) = world.plan(&DesiredState::nothing());
    assert!(outline(&plan).contains(&"delete etcd-snapshot/main:1".to_owned()));
}

#[test]
fn an_even_number_of_voters_is_worth_knowing_wherever_a_plan_leads_to_one() {
    let of = |count: u32| desired(&THREE_AND_FOUR.replace("replicas: 3", &format!("replicas: {count}")));
    let warnings = |world: &World, desired: &DesiredState| -> Vec<String> {
        let (_, report) = world.plan(desired);
        let warnings = report.warnings.iter();
        warnings
            .map(|warning| format!("{} {}: {}", warning.machine, warning.name, warning.problem))
            .collect()
    };
    let three = World::as_desired(&of(3));
    let alone = DesiredState {
        only: Some("control-plane-4".to_owned()),
        ..of(5)
    };
    assert_eq!(
        warnings(&three, &alone),
        [
            "control-plane-4 even-voters: etcd cluster `main` will have 4 voting members, which can lose no more of them than 3 could"
        ]
    );
    assert_eq!(warnings(&three, &of(5)), [""; 0]);
    assert_eq!(warnings(&World::empty(), &of(3)), [""; 0]);
    assert_eq!(
        warnings(&World::as_desired(&of(5)), &of(5)),
        [""; 0],
        "nothing changes"
    );
    let back = DesiredState {
        only: Some("control-plane-5".to_owned()),
        ..of(3)
    };
    assert_eq!(warnings(&World::as_desired(&of(5)), &back).len(), 1);
    assert_eq!(warnings(&three, &DesiredState::nothing()), [""; 0]);
}

#[test]
fn a_cluster_is_not_destroyed_around_a_member_that_cannot_be_seen() {
    let nothing = DesiredState::nothing();
    let whole = World::as_desired(&desired(THREE_AND_FOUR));
    let silent = |name: &str| whole.clone().unknown(&format!("machine/{name}"));
    // The list of members still names it, or nothing is known of it at all.
    for world in [
        silent("control-plane-2").sick("etcd-member/main:control-plane-2"),
        silent("control-plane-2").unknown("etcd-member/main:control-plane-2"),
    ] {
        let (plan, report) = world.plan(&nothing);
        assert!(plan.is_empty(), "{:?}", outline(&plan));
        let of = |name: &str| report.blocked.iter().find(|blocked| blocked.key == key(name));
        let other = of("machine/control-plane-1").unwrap();
        assert!(other.reason.contains("machine/control-plane-2"), "{other:?}");
        let help = other.help.as_deref().unwrap();
        assert!(help.contains("keelson destroy --gone control-plane-2"), "{help}");
        let own = of("machine/control-plane-2").unwrap();
        assert!(own.reason.contains("unreachable"), "{own:?}");
        assert_eq!(own.help.as_deref(), Some(help));
    }
    // One that is known to be gone keeps nothing back, and neither does one without a member.
    let gone = whole
        .clone()
        .without("machine/control-plane-2")
        .sick("etcd-member/main:control-plane-2");
    assert!(!gone.plan(&nothing).1.is_blocked());
    let (plan, _) = silent("workers-1").plan(&nothing);
    assert!(outline(&plan).contains(&"delete machine/control-plane-1".to_owned()));
    // Where nothing else holds data any more, nothing is lost.
    let last = World::empty()
        .unknown("machine/control-plane-2")
        .unknown("etcd-member/main:control-plane-2");
    assert_eq!(blocked(&last, &nothing).len(), 2);
}

#[test]
fn an_interrupted_join_is_finished() {
    let desired = desired(THREE_AND_FOUR);
    let world = World::as_desired(&desired).change("etcd-member/main:control-plane-3", |existing| {
        if let Resource::EtcdMember(member) = &mut existing.resource {
            member.phase = MemberPhase::Learner;
        }
    });
    assert_eq!(
        outline(&world.plan(&desired).0),
        ["update etcd-member/main:control-plane-3"]
    );
}

#[test]
fn a_member_of_which_nothing_is_known_goes_with_a_machine_that_is_not_there() {
    let desired = desired(THREE_AND_FOUR);
    let unseen = World::as_desired(&desired).unknown("etcd-member/main:control-plane-1");
    let gone = unseen
        .clone()
        .without("machine/control-plane-1")
        .without("node-bundle/control-plane-1");
    let (plan, report) = gone.plan(&DesiredState::nothing());
    assert!(report.blocked.is_empty(), "{report:?}");
    assert!(!plan.is_empty());
    let silent = unseen.unknown("machine/control-plane-1");
    let (plan, report) = silent.plan(&DesiredState::nothing());
    assert!(plan.is_empty() && report.is_blocked(), "{:?}", outline(&plan));
}

#[test]
fn founders_begin_when_the_bundles_of_all_are_there() {
    let (plan, _) = World::empty().plan(&desired(THREE_AND_FOUR));
    for founder in [1, 2, 3] {
        let member = format!("create etcd-member/main:control-plane-{founder}");
        for fellow in [1, 2, 3] {
            let bundle = format!("create node-bundle/control-plane-{fellow}");
            assert!(comes_before(&plan, &bundle, &member), "{bundle} {member}");
        }
    }
}

#[test]
fn a_join_that_was_interrupted_goes_on_before_another_begins() {
    let wanted = desired("  controlPlane: { replicas: 5 }");
    let world = World::as_desired(&wanted)
        .without("etcd-member/main:control-plane-2")
        .change(
            "etcd-member/main:control-plane-5",
            |existing| match &mut existing.resource {
                Resource::EtcdMember(member) => member.phase = MemberPhase::Learner,
                other => panic!("{other:?}"),
            },
        );
    let (plan, _) = world.plan(&wanted);
    let (resumed, new) = (
        "update etcd-member/main:control-plane-5",
        "create etcd-member/main:control-plane-2",
    );
    assert!(comes_before(&plan, resumed, new), "{:?}", outline(&plan));
}
