//! What happens to hosts and to the operator in the middle of an apply, and between two.

use std::time::Duration;

use jiff::SignedDuration;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use rustix::process::{Pid, Signal, kill_process};

use super::desk::{Desk, Spec};

const HOSTS: [&str; 3] = ["a", "b", "c"];
/// Longer than it takes to notice that a cable is pulled, and shorter than a machine may be silent.
const CUT: Duration = Duration::from_secs(25);
/// Everything that an apply leaves on a host.
const EVERYTHING: &str = "systemctl stop etcd; systemctl disable etcd; rm -rf /var/lib/keelson /etc/keelson /etc/etcd \
                          /opt/keelson /var/lib/etcd /etc/systemd/system/etcd.service; systemctl daemon-reload";

#[test]
fn an_apply_gets_over_what_happens_meanwhile() {
    let test = "on_hosts::faults::an_apply_gets_over_what_happens_meanwhile";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    let spec = desk.spec_of(&HOSTS);
    desk.write(&spec);
    a_second_signal_ends_it_at_once(&desk);
    desk.expect(0, "apply --yes --accept-new-host-keys");

    with_keys(&desk, &spec, "rsa-2048");
    a_network_that_is_cut_and_comes_back(&desk);
    with_keys(&desk, &spec, "ecdsa-p256");
    one_host_that_is_off_keeps_nobody_else(&desk);
    hosts_that_are_all_installed_anew_are_not_taken_for_new_ones(&desk);
}

fn with_keys(desk: &Desk, spec: &Spec, algorithm: &str) {
    desk.write(&Spec {
        more: format!("  pki: {{ keyAlgorithm: {algorithm} }}\n"),
        ..spec.clone()
    });
}

fn a_second_signal_ends_it_at_once(desk: &Desk) {
    let (mut apply, mut events) = desk.apply_until_written("b");
    // Nothing that is in flight there comes to its end.
    desk.host("b").cut_network().unwrap();
    let process = Pid::from_child(&apply);
    kill_process(process, Signal::TERM).unwrap();
    // Signals of one kind that come too close together are one signal: the first has to be taken.
    let asked = events.find(|event| {
        event
            .as_ref()
            .is_ok_and(|event| event.contains("\"event\":\"stop-requested\""))
    });
    assert!(asked.is_some(), "it never heard of it");
    std::thread::sleep(Duration::from_millis(500));
    assert!(apply.try_wait().unwrap().is_none(), "it does not wait for b");
    let second = SystemClock.now();
    kill_process(process, Signal::TERM).unwrap();
    let rest: Vec<String> = events.map(Result::unwrap).collect();
    assert_eq!(apply.wait().unwrap().code(), Some(130), "{rest:#?}");
    let took = SystemClock.now().duration_since(second);
    println!("figure: the second signal ended it after {took:?}");
    assert!(took < SignedDuration::from_secs(3), "{took:?}");
    desk.host("b").heal_network().unwrap();
}

fn a_network_that_is_cut_and_comes_back(desk: &Desk) {
    let (mut apply, events) = desk.apply_until_written("b");
    desk.host("b").cut_network().unwrap();
    std::thread::sleep(CUT);
    desk.host("b").heal_network().unwrap();
    let rest: Vec<String> = events.map(Result::unwrap).collect();
    assert_eq!(apply.wait().unwrap().code(), Some(0), "{rest:#?}");
    desk.expect(0, "plan");
}

/// What does not need it is done on the others.
fn one_host_that_is_off_keeps_nobody_else(desk: &Desk) {
    let key = |name: &str| desk.host(name).console("cat /etc/etcd/pki/server.crt").unwrap();
    let before = HOSTS.map(key);
    desk.host("c").power_cut().unwrap();
    let blocked = desk.expect(3, "apply --yes");
    assert!(
        blocked.stderr.contains("machine/c: its state is unknown"),
        "{blocked:#?}"
    );
    assert_ne!([key("a"), key("b")], before[..2]);
    desk.host("c").start().unwrap();
    desk.host("c").wait_for_ssh().unwrap();
    assert_eq!(key("c"), before[2]);
    desk.expect(0, "apply --yes");
    assert_ne!(key("c"), before[2]);
}

/// An empty cluster in place of the one that had data would be taken for it.
fn hosts_that_are_all_installed_anew_are_not_taken_for_new_ones(desk: &Desk) {
    for name in HOSTS {
        desk.host(name).run(EVERYTHING).unwrap();
    }
    let refused = desk.expect(3, "apply --yes");
    println!("{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("has had data, and nothing of it is on any machine"),
        "{refused:#?}"
    );
    for name in HOSTS {
        desk.host(name).run("! test -e /var/lib/etcd/member").unwrap();
    }
}
