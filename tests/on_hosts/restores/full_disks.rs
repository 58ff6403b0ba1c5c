//! Disks without room: of a machine before a restore begins and in its middle, and of the one that keelson runs on.

use super::{HOSTS, alter, as_before, before_data_is_written, get, has_begun, is_whole, status};
use crate::on_hosts::desk::Desk;

/// The host whose disk has a limit: room for what restores move aside, and little enough to be filled.
const HOST: &str = HOSTS[1];
pub(super) const DISK_MIB: u32 = 4096;

/// The disk of a host is full, and then that of the desk.
pub(super) fn are_told(desk: &Desk) {
    alter(desk);
    before_it_begins(desk);
    in_its_middle(desk);
    alter(desk);
    of_the_desk(desk);
}

/// It is seen before anything is touched.
fn before_it_begins(desk: &Desk) {
    let host = desk.host(HOST);
    host.run(&fill_but(100)).unwrap();
    let refused = desk.expect(1, "etcd restore --yes");
    for words in [
        "make room below /var/lib/etcd",
        &format!("{HOST} has no room for the data"),
    ] {
        assert!(refused.stderr.contains(words), "{refused:#?}");
    }
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    assert_eq!(status(desk)["healthy"], true);
    host.run("rm /var/lib/filler").unwrap();
}

/// The room goes after it was found, while etcd's own program writes the data. The same command goes on when there is room.
fn in_its_middle(desk: &Desk) {
    let host = desk.host(HOST);
    before_data_is_written(host, &fill_but(4));
    let failed = desk.expect(1, "etcd restore --yes");
    for words in ["no space left on device", &format!("make room on {HOST}")] {
        assert!(failed.stderr.contains(words), "{failed:#?}");
    }
    assert!(has_begun(desk));
    let again = desk.expect(1, "etcd restore --yes");
    assert!(again.stderr.contains("has no room for the data"), "{again:#?}");
    let apply = desk.expect(3, "apply --yes");
    assert!(apply.stderr.contains("is being restored"), "{apply:#?}");
    host.run("rm /var/lib/filler").unwrap();
    as_before(host);
    is_whole(desk, &desk.expect(0, "etcd restore --yes"));
}

/// Neither what is kept nor what is unpacked finds room: a save leaves nothing that counts, and a restore does not begin.
fn of_the_desk(desk: &Desk) {
    let listed = || {
        desk.expect(0, "etcd snapshot list -o json")
            .stdout
            .matches("\"condition\"")
            .count()
    };
    let before = listed();
    std::fs::create_dir(desk.path("work")).unwrap();
    for (folder, arguments) in [
        ("state/db.example.com/backups", "etcd snapshot save"),
        ("work", "etcd restore --yes --work-folder work"),
    ] {
        let failed = desk.run_with_full_disk(folder, arguments);
        assert_eq!(failed.code, Some(1), "{failed:#?}");
        assert!(failed.stderr.contains("No space left on device"), "{failed:#?}");
    }
    assert_eq!(listed(), before);
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    for name in HOSTS {
        let left = "ls -A /var/lib/keelson/snapshots 2>/dev/null; true";
        assert_eq!(
            desk.host(name).run(left).unwrap(),
            "",
            "nothing of it stays on {name}"
        );
    }
}

/// Takes all room on a host's disk but so many MiB.
fn fill_but(mebibytes: u32) -> String {
    format!(
        "free=$(df --output=avail -B1 /var/lib | tail -n 1); fallocate -l $((free - ({mebibytes} << 20))) /var/lib/filler"
    )
}
