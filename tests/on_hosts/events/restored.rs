//! One of two etcds is given the data of a snapshot, and then both.

use serde_json::Value;

use super::{EVENTS, LATER, MAIN, NAMES, ctl, digest, json};
use crate::on_hosts::desk::Desk;

/// Events are what they were when the snapshot was taken; to the other etcd nothing was done at all.
pub(super) fn events_go_back_alone(desk: &Desk) {
    let host = desk.host("a");
    let before = digest(host, EVENTS.0);
    desk.expect(0, "etcd snapshot save --etcd events");
    let change = |port: u16| {
        let ctl = ctl(port);
        let change =
            format!("{{ {ctl} put after 1; {ctl} del events/7; {ctl} put events/8 other; }} >/dev/null");
        host.run(&change).unwrap();
        digest(host, port)
    };
    let main = change(MAIN.0);
    assert_ne!(change(EVENTS.0), before);
    let revisions = || {
        let report = json(desk, "etcd status");
        let members = report["clusters"]["main"]["members"].as_array().unwrap();
        let revisions: Vec<Value> = members.iter().map(|member| member["revision"].clone()).collect();
        revisions
    };
    let processes = || NAMES.map(|name| desk.host(name).run("systemctl show -p MainPID etcd").unwrap());
    // A follower may be behind. These reads are linearizable: by then each member has applied all of it.
    for name in NAMES {
        digest(desk.host(name), MAIN.0);
    }
    let (written, running) = (revisions(), processes());
    let restored = desk.expect(0, "etcd restore --etcd events --yes");
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    assert_eq!(revisions(), written, "main was written to by nobody");
    assert_eq!(processes(), running, "members of main run on");
    for name in NAMES {
        assert_eq!(digest(desk.host(name), EVENTS.0), before, "through {name}");
        assert_eq!(digest(desk.host(name), MAIN.0), main, "through {name}");
    }
    let report = json(desk, "etcd status");
    assert_eq!(report["healthy"], true, "{report:#}");
    desk.expect(0, "plan");
}

/// All data of both is gone. Whoever restores one is told that the other waits, and nothing is waited for; each gets its own back.
pub(super) fn both_were_lost(desk: &Desk) {
    let ports = [MAIN.0, EVENTS.0];
    let before = ports.map(|port| digest(desk.host("a"), port));
    desk.expect(0, "etcd snapshot save");
    for name in LATER {
        let lose = "systemctl stop etcd etcd-events; rm -rf /var/lib/etcd/* /var/lib/etcd-events/*";
        desk.host(name).run(lose).unwrap();
    }
    let one = desk.expect(1, "etcd restore --yes");
    for words in ["Restored:", "keelson etcd restore --etcd events"] {
        assert!(one.stderr.contains(words), "{one:#?}");
    }
    let other = desk.expect(0, "etcd restore --etcd events --yes");
    assert!(other.stderr.contains("Restored:"), "{other:#?}");
    for name in LATER {
        assert_eq!(
            ports.map(|port| digest(desk.host(name), port)),
            before,
            "through {name}"
        );
    }
    let report = json(desk, "etcd status");
    assert_eq!(report["healthy"], true, "{report:#}");
    desk.expect(0, "plan");
}
