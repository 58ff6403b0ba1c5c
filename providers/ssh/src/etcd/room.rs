//! Room on the disks of machines, for what is made of snapshots.

/// What etcd takes at once for its log, several times over.
const MARGIN_KIB: u64 = 256 * 1024;

/// How many KiB it takes to make a database of a snapshot of `size_bytes`: the database anew, and a log beside it.
pub(super) const fn of_restored_kib(size_bytes: u64) -> u64 {
    let database_kib = size_bytes / 1024;
    database_kib
        .saturating_add(database_kib / 4)
        .saturating_add(MARGIN_KIB)
}

/// The folder on whose disk there is too little room, as `scripts/room.sh` says it.
pub(super) fn full_folder(said: &str) -> Option<&str> {
    let (_, folder) = said.split_once(" KiB are free on the disk of ")?;
    folder.split_once(", ").map(|(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_needs_more_than_its_snapshot() {
        let rows = [
            (0, MARGIN_KIB),
            (4 << 20, 5120 + MARGIN_KIB),
            (u64::MAX, (u64::MAX >> 10) + (u64::MAX >> 12) + MARGIN_KIB),
        ];
        for (size_bytes, need_kib) in rows {
            assert_eq!(of_restored_kib(size_bytes), need_kib, "{size_bytes}");
        }
    }

    #[test]
    fn the_folder_whose_disk_is_full_is_read_from_what_the_script_says() {
        let script = include_str!("../scripts/room.sh");
        let (_, words) = script.split_once("echo \"").unwrap();
        let (words, _) = words.split_once('"').unwrap();
        let said = words
            .replace("$free", "5")
            .replace("$1", "/var/lib/etcd")
            .replace("$2", "7");
        assert_eq!(full_folder(&said), Some("/var/lib/etcd"), "{said}");
        assert_eq!(full_folder("no space left on device"), None);
    }
}
