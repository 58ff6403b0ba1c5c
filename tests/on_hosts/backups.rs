//! Snapshots of a real etcd: saved, read again, damaged, taken at once, restored by etcd's own program, pruned.

mod drills;

use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::desk::{Desk, Said};
use super::keys::{self, MANY};

#[test]
fn snapshots_are_kept_whole_or_not_at_all() {
    let names = ["a", "b", "c"];
    let test = "on_hosts::backups::snapshots_are_kept_whole_or_not_at_all";
    let Some(desk) = Desk::before(test, &names) else {
        return;
    };
    let key = Identity::generate();
    let identities = desk.path("identities");
    fs::write(&identities, key.to_string().expose_secret()).unwrap();
    let recipient = key.to_public();
    desk.spec(
        &names,
        &format!("  preflight: {{ ignore: [time-sync] }}\n  pki: {{ encryption: {{ recipients: [\"{recipient}\"] }} }}\n"),
    );
    let keeper = Keeper {
        desk: &desk,
        identities,
    };
    keeper.expect(1, "etcd snapshot save");
    keeper.expect(0, "apply --yes --accept-new-host-keys");
    assert!(
        keeper
            .expect(0, "etcd snapshot list")
            .stdout
            .contains("has no snapshot")
    );
    MANY.write(desk.host("a"));
    let name = saved_and_seen(&keeper);
    restored_by_etcd(&keeper, &name);
    drills::drilled(&keeper, &name);
    two_at_once(&keeper);
    without_the_key(&keeper, &name);
    damaged(&keeper, &name);
    pruned(&keeper);
    nobody_to_ask(&keeper);
    keeper.expect(0, "destroy --yes");
    let left = keeper.expect(0, "etcd snapshot list");
    assert!(
        left.stdout.contains("whole, of an earlier cluster"),
        "backups outlive their cluster: {left:#?}"
    );
    for host in names {
        let folder = desk
            .host(host)
            .run("ls -A /var/lib/keelson 2>/dev/null | wc -l")
            .unwrap();
        assert_eq!(folder.trim(), "0", "nothing is left on {host}");
    }
}

/// Who has the key.
struct Keeper<'a> {
    desk: &'a Desk,
    identities: PathBuf,
}

impl Keeper<'_> {
    fn expect(&self, code: i32, arguments: &str) -> Said {
        self.expect_with(&self.identities, code, arguments)
    }

    /// The same with another file of keys.
    fn expect_with(&self, identities: &Path, code: i32, arguments: &str) -> Said {
        let mut command = self.desk.command(arguments);
        command.env("KEELSON_PKI_IDENTITIES", identities);
        let said = Said::of(&command.output().unwrap());
        assert_eq!(said.code, Some(code), "keelson {arguments}: {said:#?}");
        said
    }

    fn list(&self) -> Vec<serde_json::Value> {
        let said = self.expect(0, "etcd snapshot list -o json");
        let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        list["backups"].as_array().unwrap().clone()
    }

    /// No restore has begun, and every key is there.
    fn nothing_was_touched(&self) {
        assert!(!self.desk.path("state/db.example.com/restore.json").exists());
        MANY.expect(&["a", "b", "c"].map(|name| self.desk.host(name)));
    }

    fn object(&self, name: &str, object: &str) -> PathBuf {
        self.desk
            .path(&format!("state/db.example.com/backups/etcd/{name}/{object}"))
    }
}

fn saved_and_seen(keeper: &Keeper<'_>) -> String {
    let begun = SystemClock.now();
    let saved = keeper.expect(0, "etcd snapshot save --purpose before-the-fire -o json");
    println!("saved in {:#}", SystemClock.now().duration_since(begun));
    let saved: serde_json::Value = serde_json::from_str(&saved.stdout).unwrap();
    let backup = &saved[0];
    assert!(
        backup["contents"]["totalKeys"].as_u64().unwrap() >= MANY.count(),
        "{backup:#}"
    );
    assert_eq!(backup["stored"]["packing"], "zstd+age");
    assert_eq!(backup["purpose"], "before-the-fire");
    let status = keeper.expect(0, "etcd status -o json");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_ne!(
        backup["machine"], status["clusters"]["main"]["leader"],
        "a follower writes it"
    );
    let name = backup["name"].as_str().unwrap().to_owned();
    let object = fs::read(keeper.object(&name, "snapshot")).unwrap();
    assert!(
        object.starts_with(b"age-encryption.org/"),
        "what is kept is encrypted"
    );
    let listed = keeper.list();
    assert_eq!((listed.len(), &listed[0]["name"]), (1, &backup["name"]));
    let verified = keeper.expect(0, "etcd snapshot verify");
    assert!(
        verified.stdout.starts_with("Good:") && verified.stdout.contains(&name),
        "{verified:#?}"
    );
    for host in ["a", "b", "c"] {
        let left = keeper
            .desk
            .host(host)
            .run("find /var/lib/keelson/snapshots -type f 2>/dev/null | wc -l");
        assert_eq!(left.unwrap().trim(), "0", "nothing of it stays on {host}");
    }
    name
}

/// etcd's own program restores what was downloaded, and every key is there with its value.
fn restored_by_etcd(keeper: &Keeper<'_>, name: &str) {
    keeper.expect(0, &format!("etcd snapshot download {name} --out whole.db"));
    let refused = keeper.expect(1, &format!("etcd snapshot download {name} --out whole.db"));
    assert!(refused.stderr.contains("--force"), "{refused:#?}");
    let restored = keys::digest_in(&keeper.desk.path("whole.db"), keeper.desk.host("a"));
    assert_eq!(restored, MANY.digest(), "every key has its value");
}

/// Two saves at the same moment both come to a good end.
fn two_at_once(keeper: &Keeper<'_>) {
    let save = || {
        let mut command = keeper.desk.command("etcd snapshot save -o json");
        command
            .env("KEELSON_PKI_IDENTITIES", &keeper.identities)
            .spawn()
            .unwrap()
    };
    let (one, other) = (save(), save());
    for child in [one, other] {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(keeper.list().iter().all(|backup| backup["condition"] == "whole"));
    let verified = keeper.expect(0, "etcd snapshot verify --all -o json");
    let verified: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    assert!(verified["backups"].as_array().unwrap().len() >= 2, "{verified:#}");
}

fn without_the_key(keeper: &Keeper<'_>, name: &str) {
    keeper.desk.expect(0, "etcd snapshot list");
    let locked = keeper.desk.expect(1, &format!("etcd snapshot verify {name}"));
    assert!(locked.stderr.contains("KEELSON_PKI_IDENTITIES"), "{locked:#?}");
    keeper
        .desk
        .expect(1, &format!("etcd snapshot download {name} --out locked.db"));
    assert!(!keeper.desk.path("locked.db").exists());
    let restore = format!("etcd restore {name} --yes");
    let locked = keeper.desk.expect(1, &restore);
    assert!(locked.stderr.contains("KEELSON_PKI_IDENTITIES"), "{locked:#?}");
    let others = keeper.desk.path("others");
    fs::write(&others, Identity::generate().to_string().expose_secret()).unwrap();
    for arguments in [format!("etcd snapshot verify {name}"), restore] {
        let wrong = keeper.expect_with(&others, 1, &arguments);
        assert!(wrong.stderr.contains("is encrypted, and not for"), "{wrong:#?}");
    }
    keeper.nothing_was_touched();
    // Whoever only saves needs no key that opens.
    keeper
        .desk
        .expect(0, "etcd snapshot save --purpose without-a-key");
}

/// A flipped byte, and a file that was cut short: neither is taken for the snapshot, and neither is restored.
fn damaged(keeper: &Keeper<'_>, name: &str) {
    let file = keeper.object(name, "snapshot");
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    fs::write(&file, &flipped).unwrap();
    let told = keeper.expect(1, &format!("etcd snapshot verify {name}"));
    assert!(told.stdout.starts_with("Damaged:"), "{told:#?}");
    keeper.expect(1, &format!("etcd snapshot download {name} --out damaged.db"));
    assert!(
        !keeper.desk.path("damaged.db").exists(),
        "nothing of it is written"
    );
    let restore = format!("etcd restore {name} --yes");
    keeper.expect(1, &restore);
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    let list = keeper.expect(0, "etcd snapshot list");
    assert!(list.stdout.contains("bytes, and had"), "{list:#?}");
    let refused = keeper.expect(1, &restore);
    assert!(refused.stderr.contains("bytes, and had"), "{refused:#?}");
    keeper.nothing_was_touched();
    fs::write(&file, &good).unwrap();
    keeper.expect(0, &format!("etcd snapshot verify {name}"));
}

/// The newest is damaged: the one before it is the newest good one, and stays.
fn pruned(keeper: &Keeper<'_>) {
    let before = keeper.list();
    let newest = before[0]["name"].as_str().unwrap();
    let file = keeper.object(newest, "snapshot");
    let mut object = fs::read(&file).unwrap();
    let middle = object.len() / 2;
    object[middle] ^= 1;
    fs::write(&file, object).unwrap();
    let shown = keeper.expect(0, "etcd snapshot prune --last 1 --dry-run");
    assert_eq!(keeper.list().len(), before.len(), "{shown:#?}");
    keeper.expect(2, "etcd snapshot prune --last 1");
    keeper.expect(0, "etcd snapshot prune --last 1 --yes");
    keeper.expect(0, "etcd snapshot prune --last 1 --yes");
    let left: Vec<serde_json::Value> = keeper.list();
    let names: Vec<&str> = left
        .iter()
        .map(|backup| backup["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, [newest, before[1]["name"].as_str().unwrap()]);
    keeper.expect(0, &format!("etcd snapshot verify {}", names[1]));
}

/// Without a quorum nobody writes one, and what is kept can be read all the same.
fn nobody_to_ask(keeper: &Keeper<'_>) {
    for host in ["b", "c"] {
        keeper.desk.host(host).run("systemctl stop etcd").unwrap();
    }
    let refused = keeper.expect(1, "etcd snapshot save");
    assert!(refused.stderr.contains("quorum"), "{refused:#?}");
    let refused = keeper.expect(1, "etcd defrag a");
    assert!(refused.stderr.contains("would lose its quorum"), "{refused:#?}");
    assert!(!keeper.list().is_empty());
    for host in ["b", "c"] {
        keeper.desk.host(host).run("systemctl start etcd").unwrap();
    }
    let defragmented = keeper.expect(0, "etcd defrag -o json");
    let defragmented: serde_json::Value = serde_json::from_str(&defragmented.stdout).unwrap();
    let status = keeper.expect(0, "etcd status -o json");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let order = defragmented.as_array().unwrap();
    assert_eq!(order.len(), 3);
    let leader = &status["clusters"]["main"]["leader"];
    assert_eq!(&order[2]["machine"], leader, "the leader is the last: {order:#?}");
    assert!(
        keeper
            .expect(0, "etcd disarm")
            .stdout
            .contains("no member had raised an alarm")
    );
}
