//! The scripts that run on hosts.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is put together before it runs: the parts of each script.
const SCRIPTS: &[&[&str]] = &[
    &["enter-after-password.sh", "enter.sh", "probe.sh"],
    &["enter.sh", "certificates.sh"],
    &["enter.sh", "facts.sh"],
    &["enter.sh", "fence.sh", "mark.sh"],
    &["enter.sh", "fence.sh", "write.sh", "kubernetes-begin.sh"],
    &["enter.sh", "virtual-address.sh", "kubernetes-look.sh"],
    &["enter.sh", "kubernetes-words.sh"],
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
    &["enter.sh", "fence.sh", "bundle-start.sh"],
    &["enter.sh", "fence.sh", "asset-part.sh"],
    &["enter.sh", "fence.sh", "bundle-incoming.sh", "bundle-apply.sh"],
    &["enter.sh", "fence.sh", "bundle-incoming.sh", "bundle-remove.sh"],
    &["enter.sh", "etcd-snapshots.sh"],
    &["enter.sh", "etcdctl.sh", "etcd-look.sh"],
    &["enter.sh", "fence.sh", "etcd-end.sh"],
    &["enter.sh", "fence.sh", "etcd-forget.sh"],
    &["enter.sh", "fence.sh", "etcd-start.sh"],
    &["enter.sh", "fence.sh", "etcd-wipe.sh"],
    &["enter.sh", "fence.sh", "etcdctl.sh", "etcd-ctl.sh"],
    &["enter.sh", "fence.sh", "etcdctl.sh", "etcd-save.sh"],
    &["enter.sh", "fence.sh", "write.sh", "etcd-begin.sh"],
    &["enter.sh", "fence.sh", "write.sh", "etcd-keep.sh"],
    &["enter.sh", "fence.sh", "write.sh", "etcd-mark.sh"],
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
