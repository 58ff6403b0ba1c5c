//! keelson is killed at counted points of a bring-up, from the first event to the last, and one apply converges.

use super::site::Site;
use crate::on_hosts::killed::kill_at;

const POINTS: usize = 30;
const APPLY: &str = "apply --yes --accept-new-host-keys --progress json";

#[test]
fn a_bring_up_that_is_killed_anywhere_is_gone_on_from() {
    let test = "on_hosts::kubernetes::killed::a_bring_up_that_is_killed_anywhere_is_gone_on_from";
    let Some(site) = Site::with_hosts(test, &["a", "b"]) else {
        return;
    };
    let provider = format!("      apiAddress: {}\n", site.api_address());
    site.spec(&[("a", "control-plane"), ("b", "worker")], &provider, "");
    let desk = &site.desk;
    let undisturbed = desk.expect(0, APPLY);
    let events = undisturbed.stderr.lines().count();
    assert!(events > 2 * POINTS, "{undisturbed:#?}");
    desk.expect(0, "destroy --yes");

    // Steps run at the same time, so at one point it is not always the same that happens; a few events come and go.
    let last = events - 1;
    for number in 0..POINTS {
        let point = 1 + number * (last - 1) / (POINTS - 1);
        let event = kill_at(desk, point);
        println!("killed at {point} of {events}: {event}");
        let after = format!("killed at {point}, {event}");
        let said = desk.run("apply --yes --accept-new-host-keys");
        assert_eq!(said.code, Some(0), "{after}: {said:#?}");
        let waited = desk.run("status --wait --timeout 90s");
        assert_eq!(waited.code, Some(0), "{after}: {waited:#?}");
        let status = desk.status();
        assert_eq!(status["pendingChanges"], 0, "{after}: {status:#}");
        let nodes = site.kubectl("a", "get nodes -o name");
        assert_eq!(nodes.trim(), "node/a\nnode/b", "{after}");
        desk.expect(0, "destroy --yes");
    }
}
