//! A real etcd is given the data of a snapshot: while it lives, when all its data is gone, when keelson is killed on the way,
//! when disks are full, and when other hosts have taken the places of those before. Each time every key is there with its value,
//! through every member.

mod anew;
mod full_disks;
mod interrupted;
mod kept;
mod other_hosts;
mod refused;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use keelson_test_hosts::Host;

use super::client::ETCDCTL;
use super::desk::{Desk, Said};
use super::keys::{self, MANY};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const SPEC: &str = "  preflight: { ignore: [time-sync] }\n";

#[test]
fn an_etcd_is_given_the_data_of_a_snapshot_whatever_has_become_of_it() {
    let test = "on_hosts::restores::an_etcd_is_given_the_data_of_a_snapshot_whatever_has_become_of_it";
    let Some(desk) = Desk::before(test, &HOSTS) else {
        return;
    };
    desk.spec(&HOSTS, SPEC);
    let none = desk.expect(1, "etcd restore --yes");
    assert!(none.stderr.contains("there is no backup"), "{none:#?}");
    saved(&desk);
    in_turn(
        &desk,
        &[
            ("while it lives", while_it_lives),
            ("with all data gone", with_all_data_gone),
            ("with a host that is off", with_a_host_that_is_off),
            ("not what was saved", kept::not_what_was_saved),
            ("refused", refused::what_is_refused),
        ],
    );
    desk.expect(0, "destroy --yes");
    assert_eq!(
        kept::set_aside(&desk),
        Vec::<String>::new(),
        "it goes with the cluster"
    );
}

/// An etcd with all keys, and a snapshot of it.
fn saved(desk: &Desk) {
    desk.expect(0, "apply --yes --accept-new-host-keys");
    put(desk, "before", "1");
    MANY.write(desk.host("a"));
    desk.expect(0, "etcd snapshot save");
}

/// What is done to the etcd on the hosts, and in words when.
type Part = (&'static str, fn(&Desk));

/// Does one after the other, and says how long each took.
fn in_turn(desk: &Desk, parts: &[Part]) {
    for (what, part) in parts {
        let begun = SystemClock.now();
        part(desk);
        println!("{what}: {:#}", SystemClock.now().duration_since(begun));
    }
}

/// What `command` prints on a host, with everything that it takes to ask etcd.
fn ask(desk: &Desk, command: &str) -> String {
    let said = desk
        .host("a")
        .run(&format!("{ETCDCTL} --command-timeout=20s {command}"));
    said.unwrap().trim().to_owned()
}

fn put(desk: &Desk, key: &str, value: &str) {
    assert_eq!(ask(desk, &format!("put {key} {value}")), "OK");
}

fn get(desk: &Desk, key: &str) -> String {
    ask(desk, &format!("get --print-value-only {key}"))
}

/// Alters what no restore may leave.
fn alter(desk: &Desk) {
    put(desk, "after", "2");
    keys::spoil(desk.host("a"));
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
    MANY.expect(&HOSTS.map(|name| desk.host(name)));
    desk.expect(0, "plan");
    assert!(!has_begun(desk));
}

const ETCDUTL: &str = "/opt/keelson/bin/etcdutl";

/// Has `command` done on a host each time before etcd's own program writes the data of a member there.
fn before_data_is_written(host: &Host, command: &str) {
    host.run(&format!("mv {ETCDUTL} {ETCDUTL}.real")).unwrap();
    let program = format!(
        "#!/bin/sh\ncase \"$*\" in *'snapshot restore'*) {command} ;; esac\nexec {ETCDUTL}.real \"$@\"\n"
    );
    host.write_file(ETCDUTL, program).unwrap();
    host.run(&format!("chmod 755 {ETCDUTL}")).unwrap();
}

/// The same no more.
fn as_before(host: &Host) {
    host.run(&format!("mv {ETCDUTL}.real {ETCDUTL}")).unwrap();
}

/// True from the moment when a restore begins until it has come to its end.
fn has_begun(desk: &Desk) -> bool {
    desk.path("state/db.example.com/restore.json").exists()
}

fn while_it_lives(desk: &Desk) {
    alter(desk);
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
            .run("systemctl stop etcd; rm -rf /var/lib/etcd/* /var/lib/etcd.removed-*")
            .unwrap();
    }
    // Of one even the folder; on a host it is a disk of its own until it boots anew.
    desk.host("a")
        .run("umount /var/lib/etcd && rm -r /var/lib/etcd")
        .unwrap();
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
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    desk.host("c").start().unwrap();
    desk.host("c").wait_for_ssh().unwrap();
    is_whole(desk, &desk.expect(0, "etcd restore --yes"));
}
