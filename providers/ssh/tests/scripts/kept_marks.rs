//! The copy of a member's mark beside data that outlives the machine, as the scripts leave it which write and remove marks.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::{script, write};

const OURS: &str = r#""clusterUid":"uid""#;
const BEGUN: &str = r#"{"clusterUid":"uid","machine":"a","voted":false}"#;
const VOTED: &str = r#"{"clusterUid":"uid","machine":"a","voted":true}"#;
const OTHER: &str = r#"{"clusterUid":"other","machine":"a","voted":true}"#;

const BEGIN: &[&str] = &["write.sh", "etcd-kept.sh", "etcd-begin.sh"];
const NOTE: &[&str] = &["write.sh", "etcd-kept.sh", "etcd-mark.sh"];
const END: &[&str] = &["alone.sh", "etcd-end.sh"];
const WIPE: &[&str] = &["etcd-wipe.sh"];

/// A host in a folder of its own.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new(has_volume: bool) -> Self {
        let host = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in [
            "bin",
            "etc/etcd",
            "opt/keelson/bin",
            "var/lib/keelson/volume",
            "var/lib/etcd",
        ] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        write(&host.path("opt/keelson/bin"), "etcd", "#!/bin/sh\n");
        let volume = host.path("var/lib/keelson/volume");
        let mounted = format!("#!/bin/sh\n{has_volume} && [ \"$3\" = {} ]\n", volume.display());
        write(&host.path("bin"), "mountpoint", &mounted);
        write(&host.path("bin"), "systemctl", "#!/bin/sh\n");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, parts: &[&str], arguments: &[&str]) -> Output {
        let root = self.folder.path().display().to_string();
        let mut text = "set -eu\numask 077\nkeelson_root=/var/lib/keelson\n".to_owned();
        text.extend(parts.iter().map(|part| script(part)));
        for folder in ["/var/lib/keelson", "/etc/etcd", "/opt/keelson"] {
            text = text.replace(folder, &format!("{root}{folder}"));
        }
        let data = format!("{root}/var/lib/etcd");
        let arguments = arguments
            .iter()
            .map(|argument| if *argument == "DATA" { &*data } else { argument });
        Command::new("/bin/sh")
            .args(["-c", &text, "sh"])
            .args(arguments)
            .env("PATH", format!("{root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
            .output()
            .unwrap()
    }

    fn done(&self, parts: &[&str], arguments: &[&str]) {
        let output = self.run(parts, arguments);
        assert!(output.status.success(), "{parts:?}: {output:?}");
    }

    fn begin(&self) {
        self.done(
            BEGIN,
            &[OURS, "main", "etcd.service", "DATA", "a=x", "new", "token", BEGUN],
        );
        fs::create_dir_all(self.path("var/lib/etcd/member/wal")).unwrap();
    }

    fn note_vote(&self) -> Output {
        self.run(NOTE, &[OURS, "main", VOTED, "a=x"])
    }

    fn end(&self) {
        self.done(
            END,
            &[OURS, "main", "etcd.service", "DATA", "20260101T000000Z", "-"],
        );
    }

    fn wipe(&self) {
        self.done(
            WIPE,
            &[OURS, "main", "etcd.service", "DATA", "x.timer", "x.service"],
        );
    }

    /// The mark, and its copy.
    fn marks(&self) -> [Option<String>; 2] {
        ["etcd-main.json", "volume/etcd-main.json"].map(|name| {
            let text = fs::read_to_string(self.path("var/lib/keelson").join(name)).ok()?;
            Some(text.trim_end().to_owned())
        })
    }

    fn copy(&self, text: &str) {
        fs::write(
            self.path("var/lib/keelson/volume/etcd-main.json"),
            format!("{text}\n"),
        )
        .unwrap();
    }
}

fn both(text: &str) -> [Option<String>; 2] {
    [Some(text.to_owned()), Some(text.to_owned())]
}

#[test]
fn a_copy_comes_changes_and_goes_with_the_mark() {
    for ends in [Host::end, Host::wipe] {
        let host = Host::new(true);
        host.begin();
        assert_eq!(host.marks(), both(BEGUN));
        assert!(host.note_vote().status.success());
        assert_eq!(host.marks(), both(VOTED));
        ends(&host);
        assert_eq!(host.marks(), [None, None]);
        assert!(!host.path("var/lib/etcd/member").exists());
    }
}

#[test]
fn without_a_volume_there_is_no_copy() {
    let host = Host::new(false);
    host.begin();
    assert!(host.note_vote().status.success());
    assert_eq!(host.marks(), [Some(VOTED.to_owned()), None]);
}

/// Whoever finds the mark written looks no further: by then the copy is.
#[test]
fn the_copy_is_never_behind_the_mark() {
    let host = Host::new(true);
    host.begin();
    let real = "exec /bin/mv \"$@\"";
    let killed =
        format!("#!/bin/sh\ncase \"$*\" in *keelson/etcd-main.json) kill -9 $PPID $$ ;; esac\n{real}\n");
    write(&host.path("bin"), "mv", &killed);
    assert!(!host.note_vote().status.success());
    assert_eq!(host.marks()[1].as_deref(), Some(VOTED));
    write(&host.path("bin"), "mv", &format!("#!/bin/sh\n{real}\n"));
    assert!(host.note_vote().status.success());
    assert_eq!(host.marks(), both(VOTED));
}

#[test]
fn the_copy_of_another_cluster_stays() {
    for ends in [Host::end, Host::wipe] {
        let host = Host::new(true);
        host.begin();
        host.copy(OTHER);
        ends(&host);
        assert_eq!(host.marks(), [None, Some(OTHER.to_owned())]);
    }
}

/// What was begun and did not come as far as its mark.
#[test]
fn a_copy_without_mark_and_data_goes_with_the_rest() {
    let host = Host::new(true);
    host.copy(BEGUN);
    host.wipe();
    assert_eq!(host.marks(), [None, None]);
}
