//! Snapshots that the machines of an etcd take by themselves: who takes them, which stay, where they are found, and what is said
//! when they do not come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::client::ETCDCTL;
use super::desk::Desk;

const NAMES: [&str; 3] = ["a", "b", "c"];
const SERVICE: &str = "keelson-etcd-snapshot.service";
const FOLDER: &str = "/var/lib/keelson/backups";
/// How many each machine keeps.
const LAST: usize = 3;
/// How long it is waited for something that comes with a few firings.
const POLLS: u32 = 90;
const POLL: Duration = Duration::from_secs(2);

fn spec(desk: &Desk, snapshots: &str) {
    let mut spec = desk.spec_of(&NAMES);
    "  preflight: { ignore: [time-sync] }\n".clone_into(&mut spec.more);
    let etcd = "placement: { dedicated: {} }";
    let text = spec.text();
    assert!(text.contains(etcd), "{text}");
    let text = text.replace(etcd, &format!("{etcd}{snapshots}"));
    fs::write(desk.path("cluster.yaml"), text).unwrap();
}

/// What was taken so far, by the names of machines, also what was deleted since.
fn taken(desk: &Desk) -> BTreeMap<&'static str, BTreeSet<String>> {
    let words = format!(
        "journalctl --unit {SERVICE} --output cat --no-pager | sed -n 's/^took \\([0-9TZ-]*\\):.*/\\1/p'"
    );
    let of = |name: &'static str| {
        let said = desk.host(name).run(&words).unwrap();
        (name, said.lines().map(str::to_owned).collect())
    };
    NAMES.into_iter().map(of).collect()
}

fn count(taken: &BTreeMap<&str, BTreeSet<String>>) -> usize {
    taken.values().map(BTreeSet::len).sum()
}

/// What lies on a machine of the etcd `main`.
fn kept(desk: &Desk, name: &str) -> BTreeSet<String> {
    let said = desk.host(name).run(&format!("ls {FOLDER}")).unwrap();
    let of_main = said.lines().filter(|name| !name.starts_with("events-"));
    of_main.map(str::to_owned).collect()
}

pub(super) fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    for _ in 0..POLLS {
        if is_there() {
            return;
        }
        std::thread::sleep(POLL);
    }
    panic!("{what} did not come");
}

pub(super) fn everywhere(desk: &Desk, command: &str) {
    for name in NAMES {
        desk.host(name).run(command).unwrap();
    }
}

fn listed(desk: &Desk) -> Vec<serde_json::Value> {
    let said = desk.expect(0, "etcd snapshot list -o json");
    let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    list["backups"].as_array().unwrap().clone()
}

fn is_of_main(backup: &serde_json::Value) -> bool {
    backup["manifest"]["etcdCluster"] == "main"
}

fn warnings(desk: &Desk) -> String {
    desk.status()["warnings"].to_string()
}

#[test]
fn snapshots_come_by_themselves_and_are_found_wherever_they_lie() {
    let test = "on_hosts::scheduled::snapshots_come_by_themselves_and_are_found_wherever_they_lie";
    let Some(desk) = Desk::before(test, &NAMES) else {
        return;
    };
    let begun = SystemClock.now();
    let passed = |what: &str| println!("{what} after {:#}", SystemClock.now().duration_since(begun));
    let keep = format!("keep: {{ last: {LAST}, hourly: 0, daily: 0 }}");
    spec(
        &desk,
        &format!(", events: separate, snapshots: {{ schedule: \"*:*:0/10\", to: hosts, {keep} }}"),
    );
    desk.expect(0, "apply --yes --accept-new-host-keys");
    passed("applied");
    assert_eq!(warnings(&desk), "[]", "a cluster that is young is not late");
    let put = format!("for n in $(seq 50); do {ETCDCTL} put key/$n value-$n >/dev/null; done");
    desk.host("a").run(&put).unwrap();
    one_takes_each_and_the_last_stay(&desk);
    passed("taken and pruned");
    one_member_less(&desk);
    passed("taken without one");
    everywhere(
        &desk,
        "systemctl stop 'keelson-etcd*.timer' && systemctl stop 'keelson-etcd*.service'",
    );
    found_and_read(&desk);
    passed("read");
    a_failure_is_told(&desk);
    // Who is silent keeps nobody from seeing what the others have and say.
    desk.host("c").power_cut().unwrap();
    let said = desk.expect(0, "etcd snapshot list");
    assert!(said.stdout.contains("what c keeps is not known"), "{said:#?}");
    wait_for("the warning that none comes", || {
        warnings(&desk).contains("although the schedule `*:*:0/10` asked for one")
    });
    passed("warned");
    desk.host("c").start().unwrap();
    desk.host("c").wait_for_ssh().unwrap();
    // What is stopped and altered is mended, and a snapshot that has failed is no matter. On a machine with much else to do a
    // firing every 10 s may come to nothing.
    spec(
        &desk,
        &format!(", events: separate, snapshots: {{ schedule: \"*:*:0/30\", to: hosts, {keep} }}"),
    );
    desk.expect(0, "apply --yes");
    wait_for("the end of warnings", || {
        let warnings = warnings(&desk);
        println!("{warnings}");
        warnings == "[]"
    });
    passed("mended");
    without_a_schedule(&desk);
    desk.expect(0, "destroy --yes");
    for name in NAMES {
        let left = "ls -A /var/lib/keelson /var/lib/systemd/timers/stamp-keelson* /run/keelson* 2>/dev/null";
        assert_eq!(
            desk.host(name).run(&format!("{left} || :")).unwrap(),
            "",
            "{name}"
        );
    }
    passed("destroyed");
}

/// Each firing is one member's, and of what it takes a machine keeps the last.
fn one_takes_each_and_the_last_stay(desk: &Desk) {
    wait_for("a machine that has taken more than it keeps", || {
        taken(desk).values().any(|names| names.len() > LAST)
    });
    let all = taken(desk);
    let mut firings: BTreeMap<String, &str> = BTreeMap::new();
    for (machine, names) in &all {
        for name in names {
            // Up to the tens of seconds.
            let firing = name.get(..14).unwrap().to_owned();
            if let Some(other) = firings.insert(firing, machine) {
                assert_eq!(other, *machine, "two have taken one at the same firing: {all:#?}");
            }
        }
    }
    println!("{} firings: {firings:?}", firings.len());
    for name in NAMES {
        let (taken, kept) = (taken(desk), kept(desk, name));
        let last: BTreeSet<String> = taken[name].iter().rev().take(LAST).cloned().collect();
        // One may have been taken between the two looks.
        assert!(kept.len() <= LAST, "{kept:?}");
        assert!(
            last.difference(&kept).count() <= 1,
            "{name}: {kept:?} of {taken:?}"
        );
    }
}

fn one_member_less(desk: &Desk) {
    let leader = desk.expect(0, "etcd status -o json");
    let leader: serde_json::Value = serde_json::from_str(&leader.stdout).unwrap();
    let leader = leader["clusters"]["main"]["leader"].as_str().unwrap().to_owned();
    let follower = NAMES.into_iter().find(|name| **name != leader).unwrap();
    desk.host(follower).run("systemctl stop etcd").unwrap();
    let before = count(&taken(desk));
    wait_for("a snapshot of those that are left", || {
        count(&taken(desk)) >= before + 2
    });
    desk.host(follower).run("systemctl start etcd").unwrap();
}

/// They are seen and read from here, and etcd restores what was downloaded.
fn found_and_read(desk: &Desk) {
    let list = listed(desk);
    let lying: BTreeSet<(String, String)> = NAMES
        .into_iter()
        .flat_map(|name| {
            kept(desk, name)
                .into_iter()
                .map(move |kept| (name.to_owned(), kept))
        })
        .collect();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    assert!(!list.iter().all(is_of_main), "events have their own");
    let seen: BTreeSet<(String, String)> = list
        .iter()
        .filter(|backup| is_of_main(backup))
        .map(|backup| (text(&backup["place"]["host"]), text(&backup["name"])))
        .collect();
    assert_eq!(seen, lying);
    for backup in &list {
        assert_eq!(backup["condition"], "whole", "{backup:#}");
        let manifest = &backup["manifest"];
        assert_eq!(manifest["machine"], backup["place"]["host"], "{backup:#}");
        assert_eq!(manifest["stored"]["packing"], "gzip", "{backup:#}");
        assert_eq!(manifest["purpose"], "schedule", "{backup:#}");
    }
    let verified = desk.expect(0, "etcd snapshot verify --all");
    assert_eq!(
        verified.stdout.matches("Good:").count(),
        list.len(),
        "{verified:#?}"
    );
    let newest = list.iter().find(|backup| is_of_main(backup)).unwrap();
    let (newest, place) = (text(&newest["name"]), text(&newest["place"]["host"]));
    desk.expect(0, &format!("etcd snapshot verify {newest} --place {place}"));
    let elsewhere = desk.expect(1, &format!("etcd snapshot verify {newest} --place state-store"));
    assert!(elsewhere.stderr.contains("there is no backup"), "{elsewhere:#?}");
    desk.expect(1, "etcd snapshot verify --place nowhere");
    desk.expect(0, "etcd snapshot download --out newest.db");
    let host = desk.host("a");
    let keys = "get --prefix key/ --limit=0 | sha256sum";
    let before = host.run(&format!("{ETCDCTL} {keys}")).unwrap();
    host.write_file("/root/newest.db", fs::read(desk.path("newest.db")).unwrap())
        .unwrap();
    let restore = "rm -rf /root/scratch; /opt/keelson/bin/etcdutl snapshot restore /root/newest.db --data-dir /root/scratch \
                   2>/dev/null; systemd-run --quiet --collect --unit scratch /opt/keelson/bin/etcd --data-dir /root/scratch \
                   --listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
                   --listen-peer-urls http://127.0.0.1:12380";
    host.run(restore).unwrap();
    let get = "env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --endpoints=http://127.0.0.1:12379 --dial-timeout=20s \
               --command-timeout=60s";
    let after = host.run(&format!("sleep 2; {get} {keys}")).unwrap();
    host.run("systemctl stop scratch; rm -rf /root/scratch /root/newest.db")
        .unwrap();
    assert_eq!(after, before, "every key has its value");
}

/// The newest of a machine is damaged, which is seen before anything is deleted.
fn a_failure_is_told(desk: &Desk) {
    let name = NAMES
        .into_iter()
        .max_by_key(|name| kept(desk, name).len())
        .unwrap();
    let before = kept(desk, name);
    let newest = before.last().unwrap();
    let host = desk.host(name);
    let damage = format!(
        "systemctl stop etcd && sed -i s/KEELSON_KEEP_LAST=.*/KEELSON_KEEP_LAST=1/ /etc/keelson/etcd-snapshots-main.env && \
         printf xyzxyz | dd of={FOLDER}/{newest}/snapshot bs=1 seek=100 conv=notrunc 2>/dev/null && ! systemctl start {SERVICE}"
    );
    host.run(&damage).unwrap();
    let left = kept(desk, name);
    let expected: BTreeSet<String> = before.iter().rev().take(2).cloned().collect();
    assert_eq!(left, expected, "it stays, and so does the newest good one");
    let warnings = warnings(desk);
    assert!(
        warnings.contains(&format!("on {name} failed")) && warnings.contains(newest),
        "{warnings}"
    );
    host.run("systemctl start etcd").unwrap();
    let verified = desk.run("etcd snapshot verify --all");
    assert!(verified.stdout.contains("Damaged:"), "{verified:#?}");
}

fn without_a_schedule(desk: &Desk) {
    spec(desk, ", events: separate");
    desk.expect(0, "apply --yes");
    let before = count(&taken(desk));
    for name in NAMES {
        let left = format!(
            "systemctl list-unit-files --no-legend 'keelson-etcd*'; systemctl list-timers --all --no-legend 'keelson*'; \
             ls /opt/keelson/bin/keelson-etcd-snapshot /etc/keelson/etcd-snapshots-main.env 2>/dev/null || :; \
             systemctl is-active {SERVICE} | grep -v inactive || :"
        );
        assert_eq!(desk.host(name).run(&left).unwrap(), "", "{name}");
    }
    assert_eq!(count(&taken(desk)), before, "nobody takes any more");
    assert!(!listed(desk).is_empty(), "what was taken stays");
}
