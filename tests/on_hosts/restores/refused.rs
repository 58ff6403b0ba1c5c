//! Snapshots that are none, that are damaged, or that are another cluster's: nothing is touched.

use std::fs;

use super::{alter, get, has_begun, is_whole};
use crate::on_hosts::desk::Desk;

/// A file that nobody knows, files and backups that are damaged, and a backup of another cluster.
pub(super) fn what_is_refused(desk: &Desk) {
    files(desk);
    backups(desk);
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "before"), "1", "nothing was touched");
}

fn files(desk: &Desk) {
    desk.expect(0, "etcd snapshot download --out whole.db");
    let unknown = desk.expect(2, "etcd restore --from whole.db --yes");
    assert!(unknown.stderr.contains("--of-another-cluster"), "{unknown:#?}");
    let whole = fs::read(desk.path("whole.db")).unwrap();
    let mut flipped = whole.clone();
    flipped[5000] ^= 1;
    for damaged in [flipped.as_slice(), &whole[..whole.len() - 1]] {
        fs::write(desk.path("damaged.db"), damaged).unwrap();
        let refused = desk.expect(1, "etcd restore --from damaged.db --of-another-cluster --yes");
        assert!(refused.stderr.contains("SHA-256"), "{refused:#?}");
    }
    assert!(!has_begun(desk));
    alter(desk);
    is_whole(
        desk,
        &desk.expect(0, "etcd restore --from whole.db --of-another-cluster --yes"),
    );
}

fn backups(desk: &Desk) {
    let backups = desk.path("state/db.example.com/backups/etcd");
    let name = fs::read_dir(&backups)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .file_name();
    let manifest = backups.join(&name).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let uid: serde_json::Value = serde_json::from_str(&text).unwrap();
    let uid = uid["clusterUid"].as_str().unwrap();
    fs::write(&manifest, text.replace(uid, "0123456789abcdef01234567")).unwrap();
    let none = desk.expect(1, "etcd restore --yes");
    assert!(none.stderr.contains("of this cluster"), "{none:#?}");
    let name = name.to_str().unwrap();
    let other = desk.expect(3, &format!("etcd restore {name} --yes"));
    assert!(
        other.stderr.contains("is of the cluster db.example.com"),
        "{other:#?}"
    );
    // A flipped byte, and one that is cut short.
    let snapshot = backups.join(name).join("snapshot");
    let good = fs::read(&snapshot).unwrap();
    let middle = good.len() / 2;
    let mut flipped = good.clone();
    flipped[middle] ^= 1;
    for damaged in [flipped.as_slice(), &good[..middle]] {
        fs::write(&snapshot, damaged).unwrap();
        let refused = desk.expect(1, &format!("etcd restore {name} --yes --of-another-cluster"));
        assert!(refused.stderr.contains("is damaged"), "{refused:#?}");
    }
}
