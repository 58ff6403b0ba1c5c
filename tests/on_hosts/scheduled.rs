//! Snapshots that the machines of an etcd take by themselves: who takes them, which stay, where they are found and restored from,
//! and what is said when they do not come.

mod failures;
mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use jiff::SignedDuration;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::desk::Desk;
use super::keys::Keys;

const NAMES: [&str; 3] = ["a", "b", "c"];
const SERVICE: &str = "keelson-etcd-snapshot.service";
const FOLDER: &str = "/var/lib/keelson/backups";
const TIMERS_START: &str = "systemctl start keelson-etcd-snapshot.timer keelson-etcd-events-snapshot.timer";
/// How many each machine keeps.
const LAST: usize = 3;
/// Few enough for a snapshot every ten seconds.
const KEYS: Keys = Keys(10);
/// How long it is waited for something that comes with a few firings. A turn lasts a minute, and whose it is comes by chance.
const POLLS: u32 = 180;
const POLL: Duration = Duration::from_secs(2);
/// Nobody misses a snapshot of a younger cluster: two firings have to have passed, and half a minute.
const YOUNG: SignedDuration = SignedDuration::from_secs(40);

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
    // The journal may have a line later than the unit that wrote it has ended.
    let words = format!(
        "journalctl --sync; journalctl --unit {SERVICE} --output cat --no-pager | \
         sed -n 's/^took \\([0-9TZ-]*\\):.*/\\1/p'"
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

/// No timer fires any more, and the last run has come to its end by itself: one that is killed leaves half of what it deletes.
pub(super) fn at_rest(desk: &Desk) {
    everywhere(desk, "systemctl stop 'keelson-etcd*.timer'");
    let running = "systemctl list-units --no-legend --state=activating 'keelson-etcd*.service'";
    wait_for("the end of the last run", || {
        NAMES
            .iter()
            .all(|name| desk.host(name).run(running).unwrap().is_empty())
    });
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
    // Where machines have much else to do, it may not be that young any more.
    if SystemClock.now().duration_since(begun) < YOUNG {
        assert_eq!(warnings(&desk), "[]", "a cluster that is young is not late");
    }
    KEYS.write(desk.host("a"));
    one_takes_each_and_the_last_stay(&desk);
    passed("taken and pruned");
    one_member_less(&desk);
    passed("taken without one");
    at_rest(&desk);
    let (newest, place) = found::read(&desk);
    passed("read");
    found::restored(&desk, &newest, &place);
    passed("restored");
    failures::no_room(&desk);
    failures::a_damaged_one(&desk);
    passed("failed");
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
    at_rest(desk);
    let all = taken(desk);
    let mut firings: BTreeMap<String, &str> = BTreeMap::new();
    let mut twice = 0;
    for (machine, names) in &all {
        for name in names {
            // Up to the tens of seconds.
            let firing = name.get(..14).unwrap().to_owned();
            if let Some(other) = firings.insert(firing, machine) {
                twice += usize::from(other != *machine);
            }
        }
    }
    println!("{} firings: {firings:?}", firings.len());
    // A run that is late counts at the next firing, which may be another's. If all took one, these were twice as many as firings.
    assert!(
        twice * 4 <= firings.len(),
        "members take one at the same firing: {all:#?}"
    );
    for name in NAMES {
        let last: BTreeSet<String> = all[name].iter().rev().take(LAST).cloned().collect();
        assert_eq!(kept(desk, name), last, "{name}: {all:#?}");
    }
    everywhere(desk, TIMERS_START);
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
