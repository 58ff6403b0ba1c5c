//! The data of one cluster is given to another one: of the same name and of another name, each with a state store of its own.

use std::fs;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use keelson_test_hosts::Host;

use super::client::ETCDCTL;
use super::desk::{Desk, Spec};
use super::keys::{Keys, digest_of_all};

const FIRST: &str = "db.example.com";
const SECOND: &str = "other.example.com";
const MORE: &str = "  preflight: { ignore: [time-sync] }\n";
const KEYS: Keys = Keys(40);

#[test]
fn a_new_cluster_is_given_the_data_of_another_one() {
    let test = "on_hosts::another_cluster::a_new_cluster_is_given_the_data_of_another_one";
    let Some(first) = Desk::before(test, &["a", "b", "c"]) else {
        return;
    };
    let begun = SystemClock.now();
    let passed = |what: &str| println!("{what} after {:#}", SystemClock.now().duration_since(begun));
    apply(&first, FIRST, "a");
    KEYS.write(first.host("a"));
    KEYS.expect(&[first.host("a")]);
    let keys = digest_of_all(first.host("a"));
    let save = first.expect(0, "etcd snapshot save -o json");
    let saved: serde_json::Value = serde_json::from_str(&save.stdout).unwrap();
    let name = saved[0]["name"].as_str().unwrap();
    first.expect(0, "etcd snapshot download --out whole.db");
    put(first.host("a"), "after", "1");
    let after = digest_of_all(first.host("a"));
    passed("saved");

    let same_name = first.beside();
    apply(&same_name, FIRST, "b");
    let other_name = first.beside();
    apply(&other_name, SECOND, "c");
    let uids = [
        uid(&first, FIRST),
        uid(&same_name, FIRST),
        uid(&other_name, SECOND),
    ];
    assert!(uids[0] != uids[1] && uids[0] != uids[2], "{uids:?}");
    passed("applied two others");

    by_its_file(&first, &same_name, &keys);
    passed("restored by its file");
    by_its_manifest(&first, &other_name, name, &keys);
    passed("restored by its manifest");
    assert_eq!(
        digest_of_all(first.host("a")),
        after,
        "to the first nothing was done"
    );
    first.expect(0, "plan");
    for desk in [&same_name, &other_name, &first] {
        desk.expect(0, "destroy --yes");
    }
}

fn apply(desk: &Desk, cluster: &'static str, host: &str) {
    desk.write(&Spec {
        cluster,
        more: MORE.to_owned(),
        ..desk.spec_of(&[host])
    });
    desk.expect(0, "apply --yes --accept-new-host-keys");
}

fn put(host: &Host, key: &str, value: &str) {
    host.run(&format!("{ETCDCTL} put {key} {value}")).unwrap();
}

fn uid(desk: &Desk, cluster: &str) -> serde_json::Value {
    let record = fs::read(desk.path(&format!("state/{cluster}/cluster.json"))).unwrap();
    serde_json::from_slice::<serde_json::Value>(&record).unwrap()["uid"].take()
}

fn is_whole(desk: &Desk, cluster: &str, host: &str, keys: &str) {
    assert_eq!(
        digest_of_all(desk.host(host)),
        keys,
        "every key is there, and no other"
    );
    assert!(!desk.path(&format!("state/{cluster}/restore.json")).exists());
    desk.expect(0, "plan");
    assert_eq!(desk.status()["condition"], "healthy");
}

/// Into one of the same name: its file is taken from one desk to the other.
fn by_its_file(first: &Desk, other: &Desk, keys: &str) {
    put(other.host("b"), "own", "1");
    let before = digest_of_all(other.host("b"));
    fs::copy(first.path("whole.db"), other.path("whole.db")).unwrap();
    let refused = other.expect(2, "etcd restore --from whole.db --yes");
    assert!(refused.stderr.contains("--of-another-cluster"), "{refused:#?}");
    assert_eq!(digest_of_all(other.host("b")), before, "nothing was touched");
    let restored = other.expect(0, "etcd restore --from whole.db --of-another-cluster --yes");
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    is_whole(other, FIRST, "b", keys);
    // What it saves now is its own.
    other.expect(0, "etcd snapshot save");
    put(other.host("b"), "own", "1");
    other.expect(0, "etcd restore --yes");
    is_whole(other, FIRST, "b", keys);
}

/// Into one of another name: the backup, manifest and all, is put into its state store.
fn by_its_manifest(first: &Desk, other: &Desk, name: &str, keys: &str) {
    put(other.host("c"), "own", "1");
    let before = digest_of_all(other.host("c"));
    let folder = |desk: &Desk, cluster: &str| desk.path(&format!("state/{cluster}/backups/etcd/{name}"));
    let (from, to) = (folder(first, FIRST), folder(other, SECOND));
    fs::create_dir_all(&to).unwrap();
    for object in ["snapshot", "manifest.json"] {
        fs::copy(from.join(object), to.join(object)).unwrap();
    }
    let listed = other.expect(0, "etcd snapshot list");
    assert!(
        listed.stdout.contains("whole, of an earlier cluster"),
        "{listed:#?}"
    );
    other.expect(0, &format!("etcd snapshot verify {name}"));
    // It is never taken for the cluster's own newest one.
    let none = other.expect(1, "etcd restore --yes");
    assert!(none.stderr.contains("of this cluster"), "{none:#?}");
    let refused = other.expect(3, &format!("etcd restore {name} --yes"));
    assert!(
        refused.stderr.contains(&format!("is of the cluster {FIRST}")),
        "{refused:#?}"
    );
    assert_eq!(digest_of_all(other.host("c")), before, "nothing was touched");
    let restored = other.expect(0, &format!("etcd restore {name} --of-another-cluster --yes"));
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    is_whole(other, SECOND, "c", keys);
}
