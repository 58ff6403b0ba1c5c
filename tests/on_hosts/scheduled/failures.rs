//! What is said of runs that fail: without room, and with a snapshot that is damaged.

use std::collections::BTreeSet;

use super::{FOLDER, NAMES, SERVICE, everywhere, kept, wait_for, warnings};
use crate::on_hosts::desk::Desk;

/// Whoever has its turn has no room for one: nothing is taken, what was taken stays, and the status says how much is missing.
pub(super) fn no_room(desk: &Desk) {
    let all = || NAMES.map(|name| kept(desk, name));
    let before = all();
    everywhere(
        desk,
        &format!("mount -t tmpfs -o size=1m,mode=700 tmpfs {FOLDER}"),
    );
    wait_for("the failure of a run", || {
        // All in the same minute, so that one of them has its turn.
        everywhere(desk, &format!("systemctl start {SERVICE} || :"));
        warnings(desk).contains("KiB are free on the disk of /var/lib/keelson/backups")
    });
    assert!(all().iter().all(BTreeSet::is_empty), "nothing is left of it");
    everywhere(desk, &format!("umount {FOLDER}"));
    assert_eq!(all(), before);
}

/// The newest of a machine is damaged, which is seen before anything is deleted.
pub(super) fn a_damaged_one(desk: &Desk) {
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
    let refused = desk.expect(1, &format!("etcd restore {newest} --place {name} --yes"));
    assert!(refused.stderr.contains("is damaged"), "{refused:#?}");
    assert!(!desk.path("state/db.example.com/restore.json").exists());
}
