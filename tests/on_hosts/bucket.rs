//! Snapshots that the machines of an etcd take by themselves and keep in a bucket, which an emulator has.

use std::fs;
use std::net::IpAddr;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use keelson_test_hosts::Moto;

use super::desk::{Desk, Spec};
use super::keys::{self, Keys};
use super::scheduled::{at_rest, everywhere, wait_for};

const NAMES: [&str; 3] = ["a", "b", "c"];
const BUCKET: &str = "backups";
const SECRET: &str = "a+secret/with=signs";
/// How many stay.
const LAST: usize = 3;
/// Few enough for a snapshot every ten seconds.
const KEYS: Keys = Keys(10);

#[test]
fn snapshots_go_to_a_bucket_by_themselves_and_come_back_from_it() {
    let test = "on_hosts::bucket::snapshots_go_to_a_bucket_by_themselves_and_come_back_from_it";
    let Some(desk) = Desk::before(test, &NAMES) else {
        return;
    };
    let gateway = IpAddr::V4(desk.lab.gateway());
    let Some(moto) = Moto::start_or_skip(test, gateway, BUCKET, &[]).unwrap() else {
        return;
    };
    fs::write(desk.path("backups.key"), format!("{SECRET}\n")).unwrap();
    spec(&desk, &moto, "AKIAFIRST");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    KEYS.write(desk.host("a"));
    let before = listed(&desk);
    // The first may have been under way when the keys were written.
    wait_for("snapshots with the keys", || {
        let all = listed(&desk);
        all.iter().filter(|name| !before.contains(name)).count() >= 2
    });
    wait_for("a snapshot that went", || went(&desk));
    // None is under way, and none goes, while they are counted and restored.
    at_rest(&desk);
    pruned_and_good(&desk);
    restored(&desk);
    the_secret_stays_where_it_belongs(&desk);
    without_the_bucket(&desk, moto);
    desk.expect(0, "destroy --yes");
}

fn spec(desk: &Desk, moto: &Moto, key: &str) {
    let spec = Spec {
        more: "  preflight: { ignore: [time-sync] }\n".to_owned(),
        ..desk.spec_of(&NAMES)
    };
    let etcd = "placement: { dedicated: {} }";
    let snapshots = format!(
        "{etcd}, snapshots: {{ schedule: \"*:*:0/10\", keep: {{ last: {LAST}, hourly: 0, daily: 0 }}, to: {{ s3: {{ bucket: \
         {BUCKET}, prefix: some/where, endpoint: \"http://{}\", accessKeyId: {key}, secretAccessKey: ./backups.key }} }} }}",
        moto.address
    );
    let text = spec.text();
    assert!(text.contains(etcd), "{text}");
    fs::write(desk.path("cluster.yaml"), text.replace(etcd, &snapshots)).unwrap();
}

/// The names of what lies in the bucket.
fn listed(desk: &Desk) -> Vec<String> {
    let said = desk.expect(0, "etcd snapshot list -o json");
    let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let backups = list["backups"].as_array().unwrap().iter();
    backups
        .map(|backup| {
            assert_eq!(backup["place"], "bucket", "{backup:#}");
            backup["name"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// True when somebody has taken one away that no rule keeps.
fn went(desk: &Desk) -> bool {
    NAMES.iter().any(|name| {
        let words = "journalctl --unit keelson-etcd-snapshot.service --output cat --no-pager | grep -c 'deleted [1-9]' || :";
        desk.host(name).run(words).unwrap().trim() != "0"
    })
}

fn pruned_and_good(desk: &Desk) {
    let names = listed(desk);
    assert_eq!(names.len(), LAST, "{names:?}");
    let verified = desk.expect(0, "etcd snapshot verify --place bucket");
    assert!(
        verified.stdout.starts_with("Good:") && verified.stdout.contains("in the bucket"),
        "{verified:#?}"
    );
    for name in NAMES {
        let left = "find /var/lib/keelson/backups -mindepth 1 -name '20*'";
        assert_eq!(desk.host(name).run(left).unwrap(), "", "nothing stays on {name}");
    }
}

fn restored(desk: &Desk) {
    let drilled = desk.expect(0, "etcd drill --place bucket");
    assert!(drilled.stdout.starts_with("Good:"), "{drilled:#?}");
    keys::spoil(desk.host("a"));
    let names = listed(desk);
    // Those before it may be older than the keys.
    let newest = names.iter().max().unwrap();
    // That timers do not run only an apply mends, and nobody waits for it.
    let restored = desk.expect(1, &format!("etcd restore {newest} --place bucket --yes"));
    for words in [
        "Restored: etcd main",
        "an apply has yet to bring or mend node-bundle/",
    ] {
        assert!(restored.stderr.contains(words), "{words}: {restored:#?}");
    }
    KEYS.expect(&NAMES.map(|name| desk.host(name)));
    desk.expect(0, "apply --yes");
}

/// On machines in one file that root alone reads; in no other, in no process and in no log.
fn the_secret_stays_where_it_belongs(desk: &Desk) {
    let look = format!(
        "grep -rlF -- '{SECRET}' /etc /var/lib/keelson /run /opt/keelson 2>/dev/null; stat -c '%a %U' /etc/keelson/etcd-snapshots.key; \
         journalctl --no-pager | grep -cF -- '{SECRET}'; true"
    );
    let said = desk.host("a").run(&look).unwrap();
    assert_eq!(said, "/etc/keelson/etcd-snapshots.key\n600 root\n0\n");
}

/// The bucket's server is gone: whoever has its turn says so, and so does the status.
fn without_the_bucket(desk: &Desk, moto: Moto) {
    at_rest(desk);
    drop(moto);
    wait_for("the failure of a run", || {
        // All in the same minute, so that one of them has its turn.
        everywhere(desk, "systemctl start keelson-etcd-snapshot.service || :");
        let begun = SystemClock.now();
        let warnings = desk.status()["warnings"].to_string();
        println!("a status took {:#}", SystemClock.now().duration_since(begun));
        warnings.contains("s3: cannot")
    });
    let list = desk.expect(0, "etcd snapshot list");
    assert!(
        list.stdout.contains("what bucket keeps is not known"),
        "{list:#?}"
    );
}
