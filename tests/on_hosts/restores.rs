//! A real etcd is given the data of a snapshot: while it lives, when all its data is gone, and when keelson is killed on the way.

use std::io::{BufRead, BufReader};

use super::client::ETCDCTL;
use super::desk::{Desk, Said};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const SPEC: &str = "  preflight: { ignore: [time-sync] }\n";

/// What keelson says when it begins each step, the last ones of a restore.
const STEPS: [&str; 5] = [
    "stop control planes",
    "end the members of before",
    "give each member the snapshot's data",
    "start the members",
    "let control planes run again",
];

#[test]
fn an_etcd_is_given_the_data_of_a_snapshot_whatever_has_become_of_it() {
    let test = "on_hosts::restores::an_etcd_is_given_the_data_of_a_snapshot_whatever_has_become_of_it";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    desk.spec(&HOSTS, SPEC);
    let none = desk.expect(1, "etcd restore --yes");
    assert!(none.stderr.contains("there is no backup"), "{none:#?}");
    desk.expect(0, "apply --yes --accept-new-host-keys");
    put(&desk, "before", "1");
    desk.expect(0, "etcd snapshot save");
    while_it_lives(&desk);
    let first = set_aside(&desk);
    with_all_data_gone(&desk);
    with_a_host_that_is_off(&desk);
    killed_at_each_step(&desk);
    while_members_die(&desk);
    not_what_was_saved(&desk);
    what_is_refused(&desk);
    let all = set_aside(&desk);
    assert!(
        first.iter().all(|folder| all.contains(folder)),
        "{first:?} {all:?}"
    );
    desk.expect(0, "destroy --yes");
    assert_eq!(set_aside(&desk), Vec::<String>::new(), "it goes with the cluster");
}

/// What restores have moved aside, on each host.
fn set_aside(desk: &Desk) -> Vec<String> {
    let list = "find /var/lib -maxdepth 4 -path '*removed-*/member' -prune";
    let of = |host: &str| {
        let folders = desk.host(host).run(list).unwrap();
        let folders = folders.lines().map(|folder| format!("{host}: {folder}"));
        folders.collect::<Vec<_>>()
    };
    HOSTS.iter().flat_map(|host| of(host)).collect()
}

/// What etcd tells of the snapshot is not what stands in its manifest: nothing is touched, and nothing stays on the machines.
fn not_what_was_saved(desk: &Desk) {
    put(desk, "after", "2");
    let backups = desk.path("state/db.example.com/backups/etcd");
    let backup = std::fs::read_dir(&backups).unwrap().next().unwrap().unwrap();
    let manifest = backup.path().join("manifest.json");
    let whole = std::fs::read_to_string(&manifest).unwrap();
    let mut altered: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let hash = altered["contents"]["hash"].as_u64().unwrap();
    altered["contents"]["hash"] = (hash ^ 1).into();
    std::fs::write(&manifest, altered.to_string()).unwrap();
    let refused = desk.expect(1, "etcd restore --yes");
    let words = format!(": hash: it has {hash}, and {} was written down", hash ^ 1);
    for words in ["the snapshot is not what was saved", &words] {
        assert!(refused.stderr.contains(words), "{words}: {refused:#?}");
    }
    assert!(!desk.path("state/db.example.com/restore.json").exists());
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    let sum = altered["sha256"].as_str().unwrap();
    for host in HOSTS {
        let left = format!("ls /var/lib/keelson/assets | grep -c {sum}; true");
        assert_eq!(desk.host(host).run(&left).unwrap().trim(), "0");
    }
    std::fs::write(&manifest, whole).unwrap();
}

/// All machines of before are gone for good: others take their places in the spec, and are given the data.
#[test]
fn other_hosts_are_given_the_data_of_those_that_are_gone() {
    let test = "on_hosts::restores::other_hosts_are_given_the_data_of_those_that_are_gone";
    let Some(desk) = Desk::before(test, &["a", "b", "c", "d"]) else {
        return;
    };
    desk.spec(&["a"], SPEC);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    put(&desk, "before", "1");
    let digest = "get '' --prefix --print-value-only=false -w json | sed 's/.*\"kvs\"//' | sha256sum";
    let keys = ask_on(&desk, "a", digest);
    desk.expect(0, "etcd snapshot save");
    put(&desk, "after", "2");
    desk.host("a").power_cut().unwrap();
    desk.spec(&["b", "c", "d"], SPEC);
    let blocked = desk.expect(3, "plan");
    assert!(blocked.stdout.contains("keelson node forget a"), "{blocked:#?}");
    desk.expect(0, "node forget a");
    // Machines come and are given etcd; what it held nobody invents.
    let waits = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(waits.stderr.contains("keelson etcd restore"), "{waits:#?}");
    desk.expect(0, "etcd restore --yes");
    for host in ["b", "c", "d"] {
        assert_eq!(
            ask_on(&desk, host, digest),
            keys,
            "every key is there, through {host}"
        );
    }
    desk.expect(0, "plan");
    desk.expect(0, "destroy --yes");
}

/// What `command` prints on a host, with everything that it takes to ask etcd.
fn ask(desk: &Desk, command: &str) -> String {
    ask_on(desk, "a", command)
}

fn ask_on(desk: &Desk, host: &str, command: &str) -> String {
    let said = desk
        .host(host)
        .run(&format!("{ETCDCTL} --command-timeout=20s {command}"));
    said.unwrap().trim().to_owned()
}

fn put(desk: &Desk, key: &str, value: &str) {
    assert_eq!(ask(desk, &format!("put {key} {value}")), "OK");
}

fn get(desk: &Desk, key: &str) -> String {
    ask(desk, &format!("get --print-value-only {key}"))
}

fn status(desk: &Desk) -> serde_json::Value {
    let said = desk.expect(0, "etcd status -o json");
    serde_json::from_str(&said.stdout).unwrap()
}

fn revision(desk: &Desk) -> u64 {
    status(desk)["clusters"]["main"]["members"][0]["revision"]
        .as_u64()
        .unwrap()
}

/// All members are well, each with the same data, and nothing is left to do.
fn is_whole(desk: &Desk, restored: &Said) {
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    let status = status(desk);
    assert_eq!(status["healthy"], true, "{status:#}");
    assert_eq!(status["clusters"]["main"]["voters"], 3, "{status:#}");
    assert_eq!(get(desk, "before"), "1");
    assert_eq!(get(desk, "after"), "", "what was written later is gone");
    desk.expect(0, "plan");
    assert!(!desk.path("state/db.example.com/restore.json").exists());
}

fn while_it_lives(desk: &Desk) {
    put(desk, "after", "2");
    put(desk, "before", "3");
    let before = revision(desk);
    let restored = desk.expect(0, "etcd restore --yes");
    is_whole(desk, &restored);
    for words in ["What etcd main held before", "removed-20"] {
        assert!(restored.stderr.contains(words), "{restored:#?}");
    }
    assert!(revision(desk) > before, "no revision is given twice");
    // Whoever watches from a revision of before is told that it is compacted away.
    let watch = ask(
        desk,
        &format!("watch --rev={before} before 2>&1 | head -c 200; true"),
    );
    assert!(watch.contains("compacted"), "{watch}");
    for host in HOSTS {
        let aside =
            "find /var/lib -maxdepth 2 -name 'etcd.removed-*' -o -maxdepth 2 -name 'removed-*' | head -n 1";
        let aside = desk.host(host).run(aside).unwrap();
        assert!(!aside.trim().is_empty(), "the data of before is aside on {host}");
        let left = "find /var/lib/etcd/restoring /var/lib/keelson/held 2>/dev/null | wc -l";
        assert_eq!(desk.host(host).run(left).unwrap().trim(), "0");
    }
}

fn with_all_data_gone(desk: &Desk) {
    let before = revision(desk);
    for host in HOSTS {
        desk.host(host)
            .run("systemctl stop etcd; rm -rf /var/lib/etcd/member")
            .unwrap();
    }
    let restored = desk.expect(0, "etcd restore --yes");
    is_whole(desk, &restored);
    assert!(
        revision(desk) > before,
        "not the revisions of the restore before once more"
    );
}

fn with_a_host_that_is_off(desk: &Desk) {
    put(desk, "after", "2");
    desk.host("c").power_cut().unwrap();
    let refused = desk.expect(1, "etcd restore --yes");
    assert!(
        refused.stderr.contains("c does not answer") || refused.stderr.contains("c ("),
        "{refused:#?}"
    );
    assert!(
        !desk.path("state/db.example.com/restore.json").exists(),
        "it has not begun"
    );
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    desk.host("c").start().unwrap();
    desk.host("c").wait_for_ssh().unwrap();
    is_whole(desk, &desk.expect(0, "etcd restore --yes"));
}

fn killed_at_each_step(desk: &Desk) {
    for step in STEPS {
        put(desk, "after", "2");
        let mut restore = desk.command("etcd restore --yes").spawn().unwrap();
        let mut lines = BufReader::new(restore.stderr.take().unwrap()).lines();
        let begun = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(step)));
        assert!(begun.is_some(), "it never came to `{step}`");
        // Somewhere in its middle; the last one has none.
        if step != STEPS[4] {
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
        restore.kill().unwrap();
        restore.wait().unwrap();
        let apply = desk.expect(3, "apply --yes");
        assert!(apply.stderr.contains("is being restored"), "{apply:#?}");
        let defrag = desk.expect(3, "etcd defrag");
        assert!(defrag.stderr.contains("is being restored"), "{defrag:#?}");
        is_whole(desk, &desk.expect(0, "etcd restore --yes"));
    }
}

/// A machine loses its power while it is given the data, and a member dies while it starts: the restore goes on by itself.
fn while_members_die(desk: &Desk) {
    put(desk, "after", "2");
    let mut restore = desk.command("etcd restore --yes").spawn().unwrap();
    let mut lines = BufReader::new(restore.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let mut come_to = |step: &str, said: &mut String| {
        for line in lines.by_ref().map(Result::unwrap) {
            said.push_str(&line);
            said.push('\n');
            if line.starts_with(step) {
                return;
            }
        }
    };
    come_to(STEPS[2], &mut said);
    desk.host("c").power_cut().unwrap();
    desk.host("c").start().unwrap();
    come_to(STEPS[3], &mut said);
    desk.host("b")
        .run("for n in 1 2 3; do systemctl kill --signal=KILL etcd 2>/dev/null; sleep 0.3; done; true")
        .unwrap();
    come_to("nothing stands there, so all that is left is read", &mut said);
    let restored = Said {
        code: restore.wait().unwrap().code(),
        stdout: String::new(),
        stderr: said,
    };
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    is_whole(desk, &restored);
}

/// A file that nobody knows, one that is none, one of another cluster, and a backup that is damaged.
fn what_is_refused(desk: &Desk) {
    desk.expect(0, "etcd snapshot download --out whole.db");
    let unknown = desk.expect(2, "etcd restore --from whole.db --yes");
    assert!(unknown.stderr.contains("--of-another-cluster"), "{unknown:#?}");
    let mut bytes = std::fs::read(desk.path("whole.db")).unwrap();
    bytes[5000] ^= 1;
    std::fs::write(desk.path("damaged.db"), &bytes).unwrap();
    let refused = desk.expect(1, "etcd restore --from damaged.db --of-another-cluster --yes");
    assert!(refused.stderr.contains("SHA-256"), "{refused:#?}");
    put(desk, "after", "2");
    is_whole(
        desk,
        &desk.expect(0, "etcd restore --from whole.db --of-another-cluster --yes"),
    );
    let backups = desk.path("state/db.example.com/backups/etcd");
    let name = std::fs::read_dir(&backups)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    let manifest = backups.join(&name).join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let uid: serde_json::Value = serde_json::from_str(&text).unwrap();
    let uid = uid["clusterUid"].as_str().unwrap();
    std::fs::write(&manifest, text.replace(uid, "0123456789abcdef01234567")).unwrap();
    let none = desk.expect(1, "etcd restore --yes");
    assert!(none.stderr.contains("of this cluster"), "{none:#?}");
    let name = name.to_str().unwrap();
    let other = desk.expect(3, &format!("etcd restore {name} --yes"));
    assert!(
        other.stderr.contains("is of the cluster db.example.com"),
        "{other:#?}"
    );
    let snapshot = backups.join(name).join("snapshot");
    let mut object = std::fs::read(&snapshot).unwrap();
    let middle = object.len() / 2;
    object[middle] ^= 1;
    std::fs::write(&snapshot, object).unwrap();
    let damaged = desk.expect(1, &format!("etcd restore {name} --yes --of-another-cluster"));
    assert!(damaged.stderr.contains("is damaged"), "{damaged:#?}");
    assert_eq!(get(desk, "before"), "1", "nothing was touched");
}
