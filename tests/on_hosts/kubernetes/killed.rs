//! keelson is killed at counted points of a bring-up, from the first event to the last, and one apply converges.

use super::site::Site;
use crate::on_hosts::killed::killed_at;

const POINTS: usize = 30;
const APPLY: &str = "apply --yes --accept-new-host-keys --progress json";

/// Twenty times a control plane and a worker, and ten times three control planes that join each other.
const SHAPES: [Shape; 2] = [
    Shape {
        hosts: &[("a", "control-plane"), ("b", "worker")],
        points: POINTS - POINTS / 3,
    },
    Shape {
        hosts: &[
            ("a", "control-plane, worker"),
            ("b", "control-plane, worker"),
            ("c", "control-plane, worker"),
        ],
        points: POINTS / 3,
    },
];

struct Shape {
    hosts: &'static [(&'static str, &'static str)],
    points: usize,
}

#[test]
fn a_bring_up_that_is_killed_anywhere_is_gone_on_from() {
    let test = "on_hosts::kubernetes::killed::a_bring_up_that_is_killed_anywhere_is_gone_on_from";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c"]) else {
        return;
    };
    let provider = format!("      apiAddress: {}\n", site.api_address());
    for shape in &SHAPES {
        site.spec(shape.hosts, &provider, "");
        kill_and_go_on(&site, shape);
    }
}

/// Kills bring-ups at the shape's points, and goes on from each.
fn kill_and_go_on(site: &Site, shape: &Shape) {
    let desk = &site.desk;
    let undisturbed = desk.expect(0, APPLY);
    let events = undisturbed.stderr.lines().count();
    assert!(events > 2 * shape.points, "{undisturbed:#?}");
    desk.expect(0, "destroy --yes");

    // Steps run at the same time, so at one point it is not always the same that happens; a few events come and go.
    let last = events - 1;
    let mut killed = 0;
    for number in 0..shape.points {
        let point = 1 + number * (last - 1) / (shape.points - 1);
        let (event, by_signal) = killed_at(desk, point);
        killed += usize::from(by_signal);
        let how = if by_signal { "killed" } else { "over by itself" };
        println!("{how} at {point} of {events}: {event}");
        converge(site, shape, &format!("{how} at {point}, {event}"));
        desk.expect(0, "destroy --yes");
    }
    // The last point may be its end.
    assert!(killed + 1 >= shape.points, "only {killed} bring-ups were killed");
}

/// One apply makes the cluster whole, and then there is nothing to do.
fn converge(site: &Site, shape: &Shape, after: &str) {
    let desk = &site.desk;
    let said = desk.run("apply --yes --accept-new-host-keys");
    assert_eq!(said.code, Some(0), "{after}: {said:#?}");
    let waited = desk.run("status --wait --timeout 240s");
    assert_eq!(waited.code, Some(0), "{after}: {waited:#?}");
    let status = desk.status();
    assert_eq!(status["pendingChanges"], 0, "{after}: {status:#}");
    let nodes = site.kubectl("a", "get nodes -o name");
    let names: Vec<String> = shape
        .hosts
        .iter()
        .map(|(name, _)| format!("node/{name}"))
        .collect();
    assert_eq!(nodes.trim(), names.join("\n"), "{after}");
}
