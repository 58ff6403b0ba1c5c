//! One after the other: what was changed and is not well keeps others from the same.

use std::collections::BTreeSet;

use keelson::plan::safety;

use super::decisions::blocked;
use super::safety::{check, find};
use super::world::{THREE_AND_FOUR, World, comes_before, desired, key};

#[test]
fn what_was_changed_and_is_not_well_keeps_others_from_the_same() {
    let with = |pods: u32| desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: {pods} }}"));
    let healthy = World::as_desired(&with(110));
    let (plan, _) = healthy.plan(&with(120));
    let control_plane = "update node-bundle/control-plane-1";
    let worker = "update node-bundle/workers-1";
    let table = [
        (
            "another control plane is out, and a third answers",
            control_plane,
            healthy.clone().sick("control-plane/control-plane-2"),
            Some("control-plane/control-plane-2 is out of service, and one control plane may be at a time"),
        ),
        (
            "it is out itself",
            control_plane,
            healthy
                .clone()
                .sick("control-plane/control-plane-1")
                .sick("control-plane/control-plane-2"),
            None,
        ),
        (
            "another node of the group is out",
            worker,
            healthy.clone().sick("node/workers-2"),
            Some("out of service"),
        ),
        (
            "another node of the group cannot be seen: nothing moves off a kubelet that restarts",
            worker,
            healthy.clone().unknown("node/workers-2"),
            None,
        ),
    ];
    check(&plan, table);
    let restarts = BTreeSet::from(["workers-2".to_owned(), "workers-3".to_owned()]);
    let permit = safety::permit(&plan, find(&plan, worker), &healthy.observation(), &restarts);
    assert!(permit.is_ok(), "kubelets that restart take no pods along");
}

#[test]
fn what_is_out_of_service_is_changed_first() {
    let with = |pods: u32| desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: {pods} }}"));
    for unwell in ["control-plane/control-plane-3", "node/control-plane-2"] {
        let (plan, _) = World::as_desired(&with(110)).sick(unwell).plan(&with(120));
        let machine = key(unwell).name().to_owned();
        let first = format!("update node-bundle/{machine}");
        for number in 1..=3 {
            let other = format!("update node-bundle/control-plane-{number}");
            assert!(other == first || comes_before(&plan, &first, &other), "{unwell}");
        }
    }
}

#[test]
fn what_nothing_mends_keeps_its_fellows_as_they_are() {
    let with = |pods: u32| desired(&format!("{THREE_AND_FOUR}\n  kubelet: {{ maxPods: {pods} }}"));
    let after = with(120);
    // They were given what the others are to get.
    let given = |machine: &str| {
        let bundle = format!("node-bundle/{machine}");
        World::as_desired(&with(110)).with(&bundle, &World::as_desired(&after))
    };
    let keys = |world: &World| -> Vec<String> {
        let blocked = blocked(world, &after).into_iter();
        blocked
            .filter(|(_, reason)| reason.contains("nothing of this plan mends it: it does not answer"))
            .map(|(key, _)| key)
            .collect()
    };
    let control_plane = given("control-plane-2");
    assert!(keys(&control_plane).is_empty(), "it is well");
    assert_eq!(
        keys(&control_plane.sick("control-plane/control-plane-2")),
        ["node-bundle/control-plane-1", "node-bundle/control-plane-3"]
    );
    assert_eq!(
        keys(&given("workers-2").sick("node/workers-2")),
        [
            "node-bundle/workers-1",
            "node-bundle/workers-3",
            "node-bundle/workers-4"
        ]
    );
    // What is given something else may be mended by that.
    let other = World::as_desired(&with(110)).sick("control-plane/control-plane-2");
    assert!(keys(&other).is_empty());
}
