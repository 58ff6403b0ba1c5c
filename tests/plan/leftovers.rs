//! What a cluster's own controllers made: nobody's business while the cluster lives, and gone with it.

use keelson::plan::DesiredState;
use keelson_provider_api::Owner;
use keelson_provider_api::kinds::{Leftover, LeftoverSort};

use super::world::{THREE_AND_FOUR, World, assert_order, desired_in_zones, key, outline};

const BALANCER: &str = "leftover/net/front/1";
const TARGETS: &str = "leftover/targetgroup/front/1";
const GROUP: &str = "leftover/sg-1";
const VOLUME: &str = "leftover/vol-1";
const SNAPSHOT: &str = "leftover/snap-1";
const ALL: [(&str, LeftoverSort); 5] = [
    (BALANCER, LeftoverSort::LoadBalancer),
    (TARGETS, LeftoverSort::TargetGroup),
    (GROUP, LeftoverSort::SecurityGroup),
    (VOLUME, LeftoverSort::Volume),
    (SNAPSHOT, LeftoverSort::Snapshot),
];

fn desired() -> DesiredState {
    desired_in_zones("", THREE_AND_FOUR)
}

fn leftover(sort: LeftoverSort) -> Leftover {
    Leftover {
        sort,
        made_for: None,
        size: None,
    }
}

/// All that is wanted, and what controllers have made.
fn used() -> World {
    let world = World::as_desired(&desired());
    ALL.iter()
        .fold(world, |world, (name, sort)| world.there(name, leftover(*sort)))
}

fn delete(name: &str) -> String {
    format!("delete {name}")
}

/// The steps that delete something of these kinds.
fn deletes(steps: &[String], kinds: &[&str]) -> Vec<String> {
    let is_of = |step: &&String| {
        kinds
            .iter()
            .any(|kind| step.starts_with(&format!("delete {kind}/")))
    };
    steps.iter().filter(is_of).cloned().collect()
}

fn texts(steps: &[String]) -> Vec<&str> {
    steps.iter().map(String::as_str).collect()
}

#[test]
fn they_are_left_alone_while_the_cluster_lives() {
    let (plan, report) = used().plan(&desired());
    assert_eq!(outline(&plan), Vec::<String>::new());
    assert!(!report.is_blocked(), "{report:?}");
    let (plan, _) = used().plan(&desired_in_zones("", "  controlPlane: { replicas: 3 }"));
    assert_eq!(deletes(&outline(&plan), &["leftover"]), Vec::<String>::new());
}

#[test]
fn they_go_after_machines_and_before_what_they_stand_in() {
    let (plan, report) = used().plan(&DesiredState::nothing());
    assert!(!report.is_blocked(), "{report:?}");
    let steps = outline(&plan);
    let users = deletes(&steps, &["machine", "node-group"]);
    let ground = deletes(
        &steps,
        &["network", "subnet", "nat-gateway", "way-out", "firewall"],
    );
    assert!(users.len() >= 4 && ground.len() >= 5, "{steps:?}");
    let leftovers = ALL.map(|(name, _)| delete(name));
    assert_order(&plan, &texts(&users), &texts(&leftovers));
    assert_order(&plan, &texts(&leftovers), &texts(&ground));
    let [balancer, targets, group, ..] = &leftovers;
    assert_order(&plan, &[balancer], &[targets, group]);
    assert_order(&plan, &[targets], &[group]);
}

#[test]
fn they_wait_for_a_machine_that_may_still_run() {
    for name in ["machine/control-plane-1", "node-group/workers"] {
        let (plan, report) = used().unknown(name).plan(&DesiredState::nothing());
        assert_eq!(
            deletes(&outline(&plan), &["leftover"]),
            Vec::<String>::new(),
            "{name}"
        );
        for (leftover, _) in ALL {
            let waits = report.held.iter().any(|held| held.key == key(leftover));
            let is_blocked = report.blocked.iter().any(|blocked| blocked.key == key(leftover));
            assert!(waits || is_blocked, "{leftover} does not wait for {name}");
        }
    }
}

#[test]
fn one_of_which_nobody_can_say_whose_it_is_keeps_what_it_may_stand_in() {
    let (plan, report) = used().unknown(BALANCER).plan(&DesiredState::nothing());
    let steps = outline(&plan);
    assert_eq!(
        deletes(
            &steps,
            &["network", "subnet", "nat-gateway", "way-out", "firewall"]
        ),
        Vec::<String>::new()
    );
    assert!(steps.contains(&delete(VOLUME)), "{steps:?}");
    let blocked: Vec<_> = report.blocked.iter().map(|blocked| &blocked.key).collect();
    assert_eq!(blocked, [&key(BALANCER)]);
    let help = report.blocked[0].help.as_deref().unwrap_or_default();
    assert!(help.contains("docs/aws.md"), "{help}");
}

#[test]
fn those_of_others_stay() {
    let world = used().change(VOLUME, |existing| {
        existing.owner = Owner::Other("cluster prod-2".to_owned());
    });
    let (plan, report) = world.plan(&DesiredState::nothing());
    assert!(!report.is_blocked(), "{report:?}");
    let steps = outline(&plan);
    assert!(!steps.contains(&delete(VOLUME)), "{steps:?}");
    assert_eq!(deletes(&steps, &["leftover"]).len(), 4);
}
