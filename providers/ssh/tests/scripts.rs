//! The scripts that run on hosts.

mod here;
mod kept_marks;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is put together before it runs: the parts of each script.
const SCRIPTS: &[&[&str]] = &[
    &["enter-after-password.sh", "enter.sh", "probe.sh"],
    &["enter.sh", "certificates.sh"],
    &["enter.sh", "facts.sh"],
    &[
        "enter.sh",
        "fence.sh",
        "alone.sh",
        "write.sh",
        "etcd-kept.sh",
        "room.sh",
        "etcdutl.sh",
        "etcd-restore.sh",
    ],
    &["enter.sh", "fence.sh", "room.sh", "etcd-restore-check.sh"],
    &["enter.sh", "fence.sh", "etcdutl.sh", "etcd-restore-told.sh"],
    &["enter.sh", "fence.sh", "etcd-restore-forget.sh"],
    &["enter.sh", "fence.sh", "etcd-set-aside.sh"],
    &["enter.sh", "fence.sh", "held.sh", "control-plane-hold.sh"],
    &["enter.sh", "fence.sh", "held.sh", "control-plane-release.sh"],
    &["enter.sh", "fence.sh", "mark.sh"],
    &[
        "enter.sh",
        "fence.sh",
        "write.sh",
        "unit.sh",
        "kubernetes-begin.sh",
    ],
    &["enter.sh", "virtual-address.sh", "kubernetes-look.sh"],
    &["enter.sh", "unit.sh", "kubernetes-running.sh"],
    &["enter.sh", "kubernetes-words.sh"],
    &["enter.sh", "first-boot-wait.sh"],
    &["enter.sh", "node-check.sh"],
    &["enter.sh", "virtual-address-check.sh"],
    &[
        "enter.sh",
        "fence.sh",
        "virtual-address.sh",
        "kubernetes-undo.sh",
        "node-leave.sh",
    ],
    &[
        "enter.sh",
        "fence.sh",
        "virtual-address.sh",
        "kubernetes-undo.sh",
        "control-plane-end.sh",
    ],
    &[
        "enter.sh",
        "fence.sh",
        "virtual-address.sh",
        "kubernetes-undo.sh",
        "virtual-address-end.sh",
    ],
    &[
        "enter.sh",
        "fence.sh",
        "virtual-address.sh",
        "kubernetes-undo.sh",
        "kubernetes-wipe.sh",
    ],
    &[
        "enter.sh",
        "fence.sh",
        "virtual-address.sh",
        "kubernetes-undo.sh",
        "bundle-incoming.sh",
        "bundle-remove.sh",
        "kubernetes-wipe-rest.sh",
        "release.sh",
    ],
    &["enter.sh", "fence.sh", "bundle-lacks.sh"],
    &["enter.sh", "fence.sh", "bundle-files.sh"],
    &["enter.sh", "fence.sh", "unit.sh", "bundle-start.sh"],
    &["enter.sh", "fence.sh", "alone.sh", "sha256.sh", "asset-part.sh"],
    &["enter.sh", "fence.sh", "bundle-incoming.sh", "bundle-apply.sh"],
    &["enter.sh", "fence.sh", "bundle-incoming.sh", "bundle-remove.sh"],
    &["enter.sh", "etcd-upgrade-snapshots.sh"],
    &["enter.sh", "etcd-backups.sh"],
    &["enter.sh", "etcd-backup.sh"],
    &["enter.sh", "etcd-snapshot-runs.sh"],
    &["enter.sh", "etcdctl.sh", "etcd-look.sh"],
    &["enter.sh", "fence.sh", "alone.sh", "etcd-end.sh"],
    &["enter.sh", "fence.sh", "etcd-upgrade-forget.sh"],
    &["enter.sh", "fence.sh", "etcd-start.sh"],
    &["enter.sh", "fence.sh", "etcd-wipe.sh"],
    &["enter.sh", "fence.sh", "etcdctl.sh", "etcd-ctl.sh"],
    &[
        "enter.sh",
        "fence.sh",
        "etcdctl.sh",
        "etcd-live-keys.sh",
        "room.sh",
        "sha256.sh",
        "etcd-snapshot.sh",
        "etcd-upgrade-save.sh",
    ],
    &[
        "enter.sh",
        "etcd-transfer.sh",
        "etcdctl.sh",
        "etcd-live-keys.sh",
        "room.sh",
        "sha256.sh",
        "etcd-snapshot.sh",
        "etcd-transfer-write.sh",
    ],
    &["enter.sh", "etcd-transfer.sh", "room.sh", "etcd-drill-part.sh"],
    &[
        "enter.sh",
        "etcd-transfer.sh",
        "room.sh",
        "sha256.sh",
        "etcd-live-keys.sh",
        "drill.sh",
        "etcd-drill.sh",
    ],
    &["etcd-live-keys.sh", "drill.sh", "drill-here.sh"],
    &["enter.sh", "etcd-transfer.sh", "etcd-transfer-read.sh"],
    &["enter.sh", "fence.sh", "etcdctl.sh", "room.sh", "etcd-defrag.sh"],
    &["enter.sh", "etcd-transfer.sh", "etcd-transfer-end.sh"],
    &[
        "enter.sh",
        "fence.sh",
        "write.sh",
        "etcd-kept.sh",
        "etcd-begin.sh",
    ],
    &["enter.sh", "fence.sh", "write.sh", "etcd-upgrade-keep.sh"],
    &["enter.sh", "fence.sh", "write.sh", "etcd-kept.sh", "etcd-mark.sh"],
];

#[test]
fn scripts_pass_shellcheck() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scripts");
    let read = |name: &&str| std::fs::read_to_string(folder.join(name)).unwrap();
    for parts in SCRIPTS {
        let script: String = parts.iter().map(read).collect();
        let shellcheck = Command::new("shellcheck")
            .args(["--shell=sh", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut shellcheck) = shellcheck else {
            keelson_test_hosts::skip("scripts_pass_shellcheck", "there is no shellcheck");
            return;
        };
        shellcheck
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = shellcheck.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{parts:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            SCRIPTS.concat().contains(&name.as_str()),
            "{name} is checked by nobody"
        );
    }
}

/// Writes a program into `folder`.
fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).unwrap();
    path
}

fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/scripts");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The families of which `facts.sh` says that a host drops what it is to forward, with these programs on it.
fn drops_forwarded(programs: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write(folder.path(), name, text);
    for (name, text) in programs {
        write(name, &format!("#!/bin/sh\n{text}\n"));
    }
    // The functions alone, so that no program is asked but those.
    let facts = script("facts.sh");
    let (functions, _) = facts.split_once("\nidentity\n").unwrap();
    let script = format!(
        "{functions}\nunits=\nPATH={}\nfirewalls\n",
        folder.path().display()
    );
    for name in ["timeout", "grep"] {
        write(name, &format!("#!/bin/sh\nexec /usr/bin/{name} \"$@\"\n"));
    }
    let script = write("script", &script);
    let output = Command::new("/bin/sh")
        .arg(script)
        .args(["all", "", ""])
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let families = lines
        .lines()
        .filter_map(|line| line.strip_prefix("drops-forwarded\t"));
    families.map(str::to_owned).collect()
}

#[test]
fn a_host_that_forwards_nothing_says_so() {
    let nft = |policy: &str| {
        format!(
            "[ \"$*\" = 'list chain ip filter FORWARD' ] || exit 1\n\
             printf 'table ip filter {{\\n\\tchain FORWARD {{\\n\\t\\ttype filter hook forward priority filter; policy {policy};\\n'"
        )
    };
    let iptables = |policy: &str| format!("[ \"$*\" = '-S FORWARD' ] && echo '-P FORWARD {policy}'");
    let none: [&str; 0] = [];
    assert_eq!(drops_forwarded(&[]), none);
    assert_eq!(drops_forwarded(&[("nft", &nft("accept"))]), none);
    assert_eq!(drops_forwarded(&[("nft", &nft("drop"))]), ["ip"]);
    assert_eq!(drops_forwarded(&[("iptables", &iptables("ACCEPT"))]), none);
    assert_eq!(drops_forwarded(&[("ip6tables", &iptables("DROP"))]), ["ip6"]);
}
