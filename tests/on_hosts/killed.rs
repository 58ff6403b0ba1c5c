//! keelson is killed, at counted points from the first event of an apply to its last.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt as _;

use keelson_test_hosts::{FileServer, serve_directory};
use serde_json::Value;

use super::client::ETCDCTL;
use super::desk::{Desk, Spec};

/// Three clusters, so that one is busy while another waits.
const CLUSTERS: [[&str; 3]; 3] = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]];
/// So many points, dealt out to the clusters.
const POINTS: usize = 30;
const APPLY: &str = "apply --yes --accept-new-host-keys --progress json";

#[test]
fn an_apply_that_is_killed_anywhere_is_gone_on_from() {
    let test = "on_hosts::killed::an_apply_that_is_killed_anywhere_is_gone_on_from";
    let Some(desk) = Desk::before(test, CLUSTERS.as_flattened()) else {
        return;
    };
    let assets = keelson_test_hosts::assets().unwrap();
    let mirror = serve_directory(assets.folder, desk.lab.gateway()).unwrap();
    std::thread::scope(|scope| {
        for (cluster, names) in CLUSTERS.iter().enumerate() {
            let (desk, mirror) = (&desk, &mirror);
            scope.spawn(move || kill_and_go_on(&desk.beside(), mirror, cluster, names));
        }
    });
}

/// Kills applies of one of the clusters at every third point, and goes on from each.
fn kill_and_go_on(desk: &Desk, mirror: &FileServer, cluster: usize, names: &[&str]) {
    desk.write(&Spec {
        assets: mirror.url(),
        ..desk.spec_of(names)
    });
    let undisturbed = desk.expect(0, APPLY);
    let events = undisturbed.stderr.lines().count();
    assert!(events > 2 * POINTS, "{undisturbed:#?}");
    desk.expect(0, "destroy --yes");

    // Hosts work at the same time, so at one point it is not always the same that happens; a few events come and go.
    let last = events - 1;
    let mut killed = 0;
    for number in (cluster..POINTS).step_by(CLUSTERS.len()) {
        let point = 1 + number * (last - 1) / (POINTS - 1);
        let (event, by_signal) = killed_at(desk, point);
        killed += usize::from(by_signal);
        let how = if by_signal { "killed" } else { "over by itself" };
        println!("{how} at {point} of {events}: {event}");
        converge(desk, names, &format!("{how} at {point}, {event}"));
        desk.expect(0, "destroy --yes");
    }
    // The last point may be its end.
    assert!(
        killed + 1 >= POINTS / CLUSTERS.len(),
        "only {killed} applies of {names:?} were killed"
    );
}

/// Starts an apply and kills it as soon as it has told of `point` events; says which was the last, and whether it was the signal
/// that ended it. Near its end it may have a few events less than the one before, and be done.
pub(super) fn killed_at(desk: &Desk, point: usize) -> (String, bool) {
    let mut apply = desk.command(APPLY).spawn().unwrap();
    let mut events = BufReader::new(apply.stderr.take().unwrap()).lines();
    let event = events.nth(point - 1);
    apply.kill().unwrap();
    let status = apply.wait().unwrap();
    let Some(event) = event else {
        assert!(status.success(), "it ended before {point}: {status}");
        return ("its end".to_owned(), false);
    };
    let event = event.unwrap();
    assert!(
        status.code().is_none() || status.success(),
        "it failed by itself at {point}: {event}"
    );
    let event: Value = serde_json::from_str(&event).unwrap();
    let word = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    let event = format!("{} {} {}", word("event"), word("key"), word("action"));
    (event, status.signal().is_some())
}

/// One apply makes the cluster whole, and then there is nothing to do.
fn converge(desk: &Desk, names: &[&str], after: &str) {
    let said = desk.run("apply --yes --accept-new-host-keys");
    assert_eq!(said.code, Some(0), "{after}: {said:#?}");
    let status = desk.status();
    assert_eq!(status["condition"], "healthy", "{after}: {status:#}");
    assert_eq!(status["pendingChanges"], 0, "{after}: {status:#}");
    let members = desk
        .host(names[0])
        .run(&format!("{ETCDCTL} member list"))
        .unwrap();
    assert_eq!(members.lines().count(), names.len(), "{after}: {members}");
    assert!(
        members.lines().all(|member| member.contains("started")),
        "{after}: {members}"
    );
}
