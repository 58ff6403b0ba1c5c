//! An etcd whose cluster has its state in a bucket, which an emulator has, and whose machines write their snapshots to it.

use std::fs;
use std::net::IpAddr;

use keelson_test_hosts::Moto;

use super::client::ETCDCTL;
use super::desk::Desk;
use super::scheduled::{at_rest, wait_for};

const NAMES: [&str; 3] = ["a", "b", "c"];
const BUCKET: &str = "clusters";
/// What the machines have, and what the operator has.
const MACHINES: (&str, &str) = ("AKIAMACHINES", "m+secret/with=signs");
const OPERATOR: (&str, &str) = ("AKIAOPERATOR", "o+secret/with=signs");
const SELDOM: &str = "*-*-* *:00/15";
const OFTEN: &str = "*:*:0/10";
/// How many stay.
const LAST: usize = 3;

#[test]
fn a_cluster_lives_in_a_bucket_and_its_machines_keep_their_snapshots_there() {
    let test = "on_hosts::in_s3::a_cluster_lives_in_a_bucket_and_its_machines_keep_their_snapshots_there";
    let Some(mut desk) = Desk::before(test, &NAMES) else {
        return;
    };
    let gateway = IpAddr::V4(desk.lab.gateway());
    let Some(moto) = Moto::start_or_skip(test, gateway, BUCKET, &[]).unwrap() else {
        return;
    };
    nobody_asks(&desk, &moto);
    desk.environment = vec![
        ("AWS_ACCESS_KEY_ID", OPERATOR.0),
        ("AWS_SECRET_ACCESS_KEY", OPERATOR.1),
    ];
    fs::write(desk.path("machines.key"), format!("{}\n", MACHINES.1)).unwrap();
    let to = format!(
        "{{ stateStore: {{ accessKeyId: {}, secretAccessKey: ./machines.key }} }}",
        MACHINES.0
    );
    write_spec(&desk, &moto, SELDOM, &to);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    desk.expect(0, "plan");
    assert!(!desk.path("state").exists(), "nothing of the state is here");
    // What is not written is to be seen here, and not as a loss.
    let put = format!(
        "for n in $(seq 50); do {ETCDCTL} --command-timeout=20s put key/$n value-$n >/dev/null || exit 1; done"
    );
    desk.host("a").run(&put).unwrap();

    let by_hand = saved(&desk);
    desk.expect(0, "etcd snapshot verify --place state-store");
    scheduled(&desk, &moto, &to, &by_hand);
    every_secret_is_where_it_belongs(&desk);
    under_another_name(&desk, &moto);
    restored(&desk);
    desk.expect(0, "destroy --yes");
    let left = list(&desk);
    assert!(!left.is_empty(), "backups outlive their cluster");
    assert!(
        left.iter().all(|backup| backup["ofEarlierLife"] == true),
        "{left:#?}"
    );
}

fn write_spec(desk: &Desk, moto: &Moto, schedule: &str, to: &str) {
    let mut spec = desk.spec_of(&NAMES);
    "  preflight: { ignore: [time-sync] }\n".clone_into(&mut spec.more);
    let snapshots = format!(
        "placement: {{ dedicated: {{}} }}, snapshots: {{ schedule: \"{schedule}\", keep: {{ last: {LAST}, hourly: 0, daily: 0 }}, \
         to: {to} }}"
    );
    let store = format!(
        "s3://{BUCKET}/some/where?region=us-east-1&endpoint=http://{}",
        moto.address
    );
    let mut text = spec.text();
    for (from, to) in [
        ("placement: { dedicated: {} }", snapshots.as_str()),
        ("./state", &store),
    ] {
        assert!(text.contains(from), "{text}");
        text = text.replace(from, to);
    }
    fs::write(desk.path("cluster.yaml"), text).unwrap();
}

/// Without anybody who asks, nothing is done, and what to do is said.
fn nobody_asks(desk: &Desk, moto: &Moto) {
    write_spec(desk, moto, SELDOM, "hosts");
    let said = desk.expect(1, "apply --yes --accept-new-host-keys");
    assert!(said.stderr.contains("set AWS_PROFILE"), "{said:#?}");
}

/// The backups, all of which are whole and in the state store.
fn list(desk: &Desk) -> Vec<serde_json::Value> {
    let backups = list_meanwhile(desk);
    for backup in &backups {
        assert_eq!(backup["condition"], "whole", "{backup:#}");
    }
    backups
}

/// The same while machines take more of them: one may be under way.
fn list_meanwhile(desk: &Desk) -> Vec<serde_json::Value> {
    let said = desk.expect(0, "etcd snapshot list -o json");
    let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let locations = list["locations"].to_string();
    assert_eq!(
        locations.matches("s3://").count(),
        1,
        "the bucket is one place: {locations}"
    );
    let backups = list["backups"].as_array().unwrap().clone();
    for backup in &backups {
        assert_eq!(backup["place"], "state-store", "{backup:#}");
    }
    backups
}

/// Saves one by hand and gives its name.
fn saved(desk: &Desk) -> String {
    desk.expect(0, "etcd snapshot save --purpose by-hand");
    let listed = list(desk);
    let by_hand = listed
        .iter()
        .find(|backup| backup["manifest"]["purpose"] == "by-hand");
    let by_hand = by_hand.unwrap_or_else(|| panic!("{listed:#?}"));
    assert_eq!(by_hand["manifest"]["stored"]["packing"], "zstd");
    by_hand["name"].as_str().unwrap().to_owned()
}

/// Machines write beside what was saved by hand, and what no rule keeps goes, whoever has taken it.
fn scheduled(desk: &Desk, moto: &Moto, to: &str, by_hand: &str) {
    write_spec(desk, moto, OFTEN, to);
    desk.expect(0, "apply --yes");
    wait_for("the save by hand to go", || {
        list_meanwhile(desk)
            .iter()
            .all(|backup| backup["name"] != by_hand)
    });
    at_rest(desk);
    let listed = list(desk);
    assert_eq!(listed.len(), LAST, "{listed:#?}");
    for backup in &listed {
        assert_eq!(backup["manifest"]["purpose"], "schedule", "{backup:#}");
    }
    let status = desk.status();
    assert_eq!(status["lastSnapshot"]["name"], listed[0]["name"], "{status:#}");
    // By hand the same rules keep the same ones, and another save makes one too many.
    let pruned = desk.expect(0, "etcd snapshot prune --yes -o json");
    let pruned: serde_json::Value = serde_json::from_str(&pruned.stdout).unwrap();
    assert_eq!(pruned["deleted"].as_array().unwrap().len(), 0, "{pruned:#}");
    saved(desk);
    desk.expect(0, "etcd snapshot prune --yes");
    assert_eq!(list(desk).len(), LAST);
}

/// The machines' key is in one file on machines, and the operator's on none.
fn every_secret_is_where_it_belongs(desk: &Desk) {
    for name in NAMES {
        let look = format!(
            "grep -rlF -e '{}' -e '{}' -e '{}' /etc /var/lib/keelson /run /opt/keelson 2>/dev/null; stat -c '%a %U' \
             /etc/keelson/etcd-snapshots.key",
            MACHINES.1, OPERATOR.0, OPERATOR.1
        );
        let said = desk.host(name).run(&look).unwrap();
        assert_eq!(said, "/etc/keelson/etcd-snapshots.key\n600 root\n", "{name}");
    }
}

/// The same place with its own name in the spec is no second place.
fn under_another_name(desk: &Desk, moto: &Moto) {
    let to = format!(
        "{{ s3: {{ bucket: {BUCKET}, prefix: some/where/, endpoint: \"http://{}/\", accessKeyId: {}, secretAccessKey: \
         ./machines.key }} }}",
        moto.address, MACHINES.0
    );
    write_spec(desk, moto, SELDOM, &to);
    assert_eq!(list(desk).len(), LAST);
    let refused = desk.expect(1, "etcd snapshot verify --place bucket");
    assert!(
        refused.stderr.contains("its places are: state-store"),
        "{refused:#?}"
    );
    // Nothing of what is installed is another one but the schedule.
    desk.expect(0, "apply --yes");
}

fn restored(desk: &Desk) {
    desk.host("a")
        .run(&format!("{ETCDCTL} del --prefix key/"))
        .unwrap();
    desk.expect(0, "etcd restore --yes");
    let count = desk
        .host("a")
        .run(&format!("{ETCDCTL} get --prefix key/ --keys-only | grep -c key/"));
    assert_eq!(count.unwrap().trim(), "50");
    desk.expect(0, "apply --yes");
    desk.expect(0, "plan");
}
