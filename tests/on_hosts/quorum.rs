//! Members that are stopped, and a quorum that is lost: an apply brings back what can be brought back, says what cannot, and
//! leaves alone what still runs.

use jiff::SignedDuration;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];
/// Less than the three minutes that a unit waits by itself to be ready.
const LIMIT: SignedDuration = SignedDuration::from_secs(170);

#[test]
fn a_quorum_that_is_lost_is_brought_back() {
    let test = "on_hosts::quorum::a_quorum_that_is_lost_is_brought_back";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    let spec = desk.spec_of(&HOSTS);
    desk.write(&spec);
    desk.expect(0, "apply --yes --accept-new-host-keys");

    members_that_are_stopped_are_started(&desk, &["c"]);
    members_that_are_stopped_are_started(&desk, &HOSTS);
    what_is_down_comes_before_what_runs(&desk, &spec);
    members_of_which_none_trusts_another_come_back(&desk);
    what_cannot_be_started_is_told(&desk);
}

fn on(desk: &Desk, names: &[&str], command: &str) {
    for name in names {
        desk.host(name).run(command).unwrap();
    }
}

fn members_that_are_stopped_are_started(desk: &Desk, names: &[&str]) {
    on(desk, names, "systemctl stop etcd");
    let plan = desk.expect(2, "plan");
    assert!(plan.stdout.contains("it is not running: start it"), "{plan:#?}");
    apply_in_time(desk);
}

/// Applies within what nobody has to wait for longer, and sees that all is well.
fn apply_in_time(desk: &Desk) {
    let began = SystemClock.now();
    desk.expect(0, "apply --yes");
    let took = SystemClock.now().duration_since(began);
    println!("figure: an apply that brings members back took {took:?}");
    assert!(took < LIMIT, "{took:?}");
    assert_eq!(desk.status()["condition"], "healthy");
    desk.expect(0, "plan");
}

/// A change of settings restarts every member; the one that still runs comes last, when the others are back.
fn what_is_down_comes_before_what_runs(desk: &Desk, spec: &Spec) {
    on(desk, &["b", "c"], "systemctl stop etcd");
    let slower = spec
        .text()
        .replace("placement:", "electionTimeout: 2s, placement:");
    std::fs::write(desk.path("cluster.yaml"), slower).unwrap();
    let plan = desk.expect(2, "plan");
    assert!(
        plan.stdout.contains("has lost its quorum") && !plan.stdout.contains("keeps its quorum"),
        "{plan:#?}"
    );
    apply_in_time(desk);
    let moment = |name: &str, of: &str| -> u64 {
        let moment = desk
            .host(name)
            .run(&format!("systemctl show -P {of} etcd"))
            .unwrap();
        moment.trim().parse().unwrap()
    };
    let a_went_down = moment("a", "ActiveExitTimestampMonotonic");
    for name in ["b", "c"] {
        assert!(
            moment(name, "ActiveEnterTimestampMonotonic") < a_went_down,
            "{name}"
        );
    }
}

/// Another authority's certificate is on every host, and every member has read it.
fn members_of_which_none_trusts_another_come_back(desk: &Desk) {
    let other = "cat /etc/etcd/pki/server.crt >/etc/etcd/pki/ca.crt && systemctl restart --no-block etcd";
    on(desk, &HOSTS, other);
    desk.expect(2, "plan");
    apply_in_time(desk);
}

fn what_cannot_be_started_is_told(desk: &Desk) {
    let broken = ["b", "c"];
    on(
        desk,
        &broken,
        "systemctl stop etcd && chown -R root:root /var/lib/etcd/member",
    );
    let failed = desk.expect(1, "apply --yes");
    println!("{}", failed.stderr);
    for words in [
        "etcd.service on c ends each time",
        "permission denied",
        "journalctl -u etcd.service",
    ] {
        assert!(failed.stderr.contains(words), "{words}: {failed:#?}");
    }
    // Nothing is left to do for a plan, and a cluster that does not work is no success.
    let plan = desk.expect(0, "plan");
    assert!(plan.stdout.contains("has lost its quorum"), "{plan:#?}");
    let applied = desk.expect(1, "apply --yes");
    assert!(applied.stderr.contains("does not work"), "{applied:#?}");
    on(
        desk,
        &broken,
        "chown -R etcd:etcd /var/lib/etcd/member && systemctl restart --no-block etcd",
    );
    apply_in_time(desk);
}
