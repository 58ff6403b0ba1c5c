//! What restores have moved aside, which nothing deletes, and a snapshot that is not what its manifest says.

use super::{HOSTS, alter, get, has_begun};
use crate::on_hosts::desk::Desk;

/// What restores have moved aside, on each host.
pub(super) fn set_aside(desk: &Desk) -> Vec<String> {
    let list = "find /var/lib -maxdepth 4 -path '*removed-*/member' -prune";
    let of = |host: &str| {
        let folders = desk.host(host).run(list).unwrap();
        let folders = folders.lines().map(|folder| format!("{host}: {folder}"));
        folders.collect::<Vec<_>>()
    };
    HOSTS.iter().flat_map(|host| of(host)).collect()
}

/// The digest of the snapshot that was saved, as it is carried to machines.
pub(super) fn sha256(desk: &Desk) -> String {
    let backups = desk.path("state/db.example.com/backups/etcd");
    let backup = std::fs::read_dir(&backups).unwrap().next().unwrap().unwrap();
    let manifest = std::fs::read(backup.path().join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    manifest["sha256"].as_str().unwrap().to_owned()
}

/// What etcd tells of the snapshot is not what stands in its manifest: nothing is touched, and nothing stays on the machines.
pub(super) fn not_what_was_saved(desk: &Desk) {
    alter(desk);
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
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    let sum = altered["sha256"].as_str().unwrap();
    for host in HOSTS {
        let left = format!("ls /var/lib/keelson/assets | grep -c {sum}; true");
        assert_eq!(desk.host(host).run(&left).unwrap().trim(), "0");
    }
    std::fs::write(&manifest, whole).unwrap();
}
