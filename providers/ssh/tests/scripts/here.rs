//! What a script does where it is run here, in a folder of its own, with programs that stand for those of a host.

use std::process::{Command, Output};

use super::{script, write};

/// Runs `script` here, with these programs before those of the machine.
fn run(script: &str, programs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in programs {
        write(folder.path(), name, &format!("#!/bin/sh\n{text}\n"));
    }
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", folder.path().display());
    Command::new("/bin/sh")
        .args(["-c", script])
        .env("PATH", path)
        .output()
        .unwrap()
}

#[test]
fn no_room_is_known_to_be_where_nobody_can_say_how_much_is_free() {
    let room = script("room.sh");
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().display();
    for (path, need, expected) in [
        (format!("{there}"), 1_u64, 0),
        (format!("{there}/to-come"), 1, 0),
        (format!("{there}"), 1 << 50, 24),
        (format!("{there}/to-come"), 1 << 50, 24),
        (format!("{there}/none/at-all"), 1, 24),
    ] {
        let output = run(&format!("set -eu\n{room}\nneed_room {path} {need}"), &[]);
        assert_eq!(output.status.code(), Some(expected), "{path} {need}: {output:?}");
    }
}

#[test]
fn a_sum_is_the_same_whatever_the_machine_has_to_compute_it() {
    let sum = script("sha256.sh");
    let works = "exec /usr/bin/openssl \"$@\"";
    let programs: [&[(&str, &str)]; 4] = [
        &[],
        &[("openssl", works)],
        &[("openssl", "exit 127")],
        &[("openssl", "echo it has no such provider >&2; exit 1")],
    ];
    for programs in programs {
        let output = run(&format!("set -eu\n{sum}\nprintf abc | sha256"), programs);
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n";
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{programs:?}: {output:?}"
        );
    }
}

/// A machine takes away what is too old whenever its timer fires, also while somebody looks.
#[test]
fn a_manifest_that_goes_while_it_is_looked_at_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a", "{}"), ("c", ""), ("b", "{\n  \"x\": 1\n}")] {
        let backup = folder.path().join(name);
        std::fs::create_dir(&backup).unwrap();
        std::fs::write(backup.join("manifest.json"), text).unwrap();
        std::fs::write(backup.join("snapshot"), "123").unwrap();
    }
    let there = folder.path().display().to_string();
    let look = script("etcd-backups.sh").replace("/var/lib/keelson/backups", &there);
    let told = |programs: &[(&str, &str)]| {
        let output = run(&look, programs);
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        let mut told: Vec<String> = told.lines().map(|line| line.trim_end().to_owned()).collect();
        assert_eq!(told.pop().as_deref(), Some("end"));
        told.sort();
        told
    };
    let others = [
        "size a/snapshot 3",
        "size b/snapshot 3",
        "size c/snapshot 3",
        "text b/manifest.json {   \"x\": 1 }",
        // One that is there and empty is damaged.
        "text c/manifest.json",
    ];
    let mut all = others.to_vec();
    all.insert(3, "text a/manifest.json {}");
    assert_eq!(told(&[]), all);
    let goes = format!("/usr/bin/find \"$@\" && rm {there}/a/manifest.json");
    assert_eq!(told(&[("find", &goes)]), others);
}

/// The folder that manifests are held in is on the disk before they go from the place where they were.
#[test]
fn what_is_held_is_on_the_disk_before_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let hold = script("control-plane-hold.sh");
    // What comes behind it ends processes of this machine.
    let (hold, _) = hold.split_once("[ -d \"$held\" ] || exit 0").unwrap();
    let hold = format!(
        "set -eu\nkeelson_root=/var/lib/keelson keelson_uid=u\n{}{hold}",
        script("held.sh")
    )
    .replace("/var/lib/keelson", &format!("{root}/keelson"))
    .replace("/etc/kubernetes", &format!("{root}/kubernetes"));
    std::fs::create_dir_all(folder.path().join("kubernetes/manifests")).unwrap();
    std::fs::create_dir(folder.path().join("keelson")).unwrap();
    std::fs::write(folder.path().join("keelson/host.json"), "{\"uid\":\"u\"}\n").unwrap();
    std::fs::write(
        folder.path().join("kubernetes/manifests/kube-scheduler.yaml"),
        "x",
    )
    .unwrap();
    let log = |name: &str| format!("echo \"{name} $*\" >>{root}/log; exec /usr/bin/{name} \"$@\"");
    let output = run(&hold, &[("sync", &log("sync")), ("rm", &log("rm"))]);
    assert!(output.status.success(), "{output:?}");
    let told = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let told: Vec<String> = told.lines().map(|line| line.replace(&root, "")).collect();
    let at = |words: &[&str]| {
        told.iter()
            .position(|line| words.iter().all(|word| line.split(' ').any(|told| told == *word)))
            .unwrap_or_else(|| panic!("{words:?}: {told:?}"))
    };
    let gone = at(&["rm", "/kubernetes/manifests/kube-scheduler.yaml"]);
    assert!(at(&["sync", "/keelson"]) < gone, "{told:?}");
    assert!(at(&["sync", "/keelson/held"]) < gone, "{told:?}");
}

/// What a save leaves that is killed is the whole database.
#[test]
fn snapshots_that_were_on_their_way_go_when_nobody_has_touched_them_for_15_minutes() {
    const OURS: &str = "\"clusterUid\":\"u\"";
    // Its owner, whether it has a database, minutes since it was touched, whether it is locked, whether it stays.
    let rows: [(&str, &str, bool, u32, bool, bool); 8] = [
        ("old", OURS, true, 17, false, false),
        ("young", OURS, true, 14, false, true),
        ("read", OURS, true, 29, true, true),
        ("others", "\"clusterUid\":\"o\"", true, 29, false, true),
        ("torn", "", false, 29, false, false),
        ("torn-young", "", false, 1, false, true),
        ("with blanks", OURS, true, 29, false, false),
        ("ended", OURS, false, 29, false, false),
    ];
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let snapshots = folder.path().join("snapshots");
    let mut readers = Vec::new();
    for (name, owner, has_database, minutes, is_locked, _) in rows {
        let path = snapshots.join(format!("{name}.transfer"));
        std::fs::create_dir_all(&path).unwrap();
        if !owner.is_empty() {
            std::fs::write(path.join("owner"), format!("{owner}\n")).unwrap();
        }
        if has_database {
            std::fs::write(path.join("db"), "x").unwrap();
        }
        let aged = Command::new("touch")
            .arg("-d")
            .arg(format!("{minutes} minutes ago"))
            .arg(&path)
            .status();
        assert!(aged.unwrap().success());
        if is_locked {
            let held = std::fs::File::open(&path).unwrap();
            held.lock_shared().unwrap();
            readers.push(held);
        }
    }
    let sweep = script("etcd-transfer.sh").replace("/var/lib/keelson", &root);
    let output = run(&format!("{sweep}\nours='{OURS}'\nsweep"), &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for (name, .., stays) in rows {
        let is_there = snapshots.join(format!("{name}.transfer")).exists();
        assert_eq!(is_there, stays, "{name}");
    }
}
