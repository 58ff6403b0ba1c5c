//! Restores that are cut off: keelson is killed, machines lose their power, members die, disks fill, the cluster goes. The same
//! command goes on, and nothing stays where everything is to go.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr};
use std::time::Duration;

use keelson_test_hosts::LabOptions;

use super::{HOSTS, SPEC, alter, as_before, before_data_is_written, get, has_begun, in_turn, is_whole};
use super::{full_disks, kept, saved};
use crate::on_hosts::desk::{Desk, Said};

/// What keelson says while it carries the snapshot to machines: nothing has begun by then.
const UPLOAD: &str = "upload snapshot ";
/// What it says when it begins each step after that.
pub(super) const STEPS: [&str; 5] = [
    "stop control planes",
    "end the members of before",
    "give each member the snapshot's data",
    "start the members",
    "let control planes run again",
];

#[test]
fn a_restore_that_is_cut_off_goes_on() {
    let test = "on_hosts::restores::interrupted::a_restore_that_is_cut_off_goes_on";
    let options = LabOptions::with_hosts(3).host(1, |host| host.disk_mib = Some(full_disks::DISK_MIB));
    let Some(desk) = Desk::of(test, &options) else {
        return;
    };
    desk.spec(&HOSTS, SPEC);
    saved(&desk);
    in_turn(
        &desk,
        &[
            ("killed during an upload", killed_during_an_upload),
            ("killed at each step", killed_at_each_step),
            ("while members die", while_members_die),
            ("with full disks", full_disks::are_told),
            ("destroyed in its middle", destroyed_in_its_middle),
        ],
    );
}

/// A restore, and what it says.
pub(super) struct Restore {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: String,
}

impl Restore {
    pub(super) fn begin(desk: &Desk) -> Self {
        let mut child = desk.command("etcd restore --yes").spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            lines,
            said: String::new(),
        }
    }

    /// The next line that it says, if there is one.
    fn next(&mut self) -> Option<String> {
        let line = self.lines.next()?.unwrap();
        self.said.push_str(&line);
        self.said.push('\n');
        Some(line)
    }

    /// Waits until it says something that begins with `words`.
    pub(super) fn expect(&mut self, words: &str) {
        while let Some(line) = self.next() {
            if line.starts_with(words) {
                return;
            }
        }
        panic!("it never came to `{words}`: {}", self.said);
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(mut self) -> Said {
        while self.next().is_some() {}
        Said {
            code: self.child.wait().unwrap().code(),
            stdout: String::new(),
            stderr: self.said,
        }
    }
}

/// On one machine uploads wait, so that none is over there; nothing of the cluster was touched, and no restore has begun.
fn killed_during_an_upload(desk: &Desk) {
    alter(desk);
    let c = desk.host("c");
    c.run("mkdir -p /var/lib/keelson/assets && systemd-run --quiet --unit=holds flock /var/lib/keelson/assets sleep 100")
        .unwrap();
    let mut restore = Restore::begin(desk);
    restore.expect(UPLOAD);
    std::thread::sleep(Duration::from_millis(400));
    restore.kill();
    assert!(!has_begun(desk));
    assert_eq!(get(desk, "after"), "2", "nothing was touched");
    let snapshot = format!("test -e /var/lib/keelson/assets/{}", kept::sha256(desk));
    assert!(c.run(&snapshot).is_err(), "it was cut off");
    c.run("systemctl stop holds").unwrap();
    is_whole(desk, &desk.expect(0, "etcd restore --yes"));
}

fn killed_at_each_step(desk: &Desk) {
    let mut aside = kept::set_aside(desk);
    let before = aside.len();
    for step in STEPS {
        alter(desk);
        let mut restore = Restore::begin(desk);
        restore.expect(step);
        // Somewhere in its middle; the last one has none.
        if step != STEPS[4] {
            std::thread::sleep(Duration::from_millis(400));
        }
        restore.kill();
        if step == STEPS[4] && !has_begun(desk) {
            println!("it was over before it was killed at `{step}`");
            assert_eq!(get(desk, "after"), "", "what was written later is gone");
            aside = kept::set_aside(desk);
            continue;
        }
        let apply = desk.expect(3, "apply --yes");
        assert!(apply.stderr.contains("is being restored"), "{apply:#?}");
        let defrag = desk.expect(3, "etcd defrag");
        assert!(defrag.stderr.contains("is being restored"), "{defrag:#?}");
        is_whole(desk, &desk.expect(0, "etcd restore --yes"));
        let now = kept::set_aside(desk);
        assert!(
            aside.iter().all(|folder| now.contains(folder)),
            "{aside:?} {now:?}"
        );
        aside = now;
    }
    assert!(aside.len() >= before + STEPS.len() * HOSTS.len(), "{aside:?}");
}

/// Does `command` until it succeeds.
fn until(command: &str) -> String {
    format!("for n in $(seq 300); do if {command}; then exit 0; fi; sleep 0.1; done >/dev/null; exit 1")
}

/// A machine loses its power while it is given the data, and a member dies while it starts: the restore goes on by itself.
fn while_members_die(desk: &Desk) {
    alter(desk);
    let (b, c) = (desk.host("b"), desk.host("c"));
    // Once, until the power goes; what goes on after that does not wait.
    before_data_is_written(c, "[ -e /root/slept ] || { touch /root/slept; sleep 60; }");
    let mut restore = Restore::begin(desk);
    restore.expect(STEPS[2]);
    // While etcd's own program has not begun to write.
    let writes = "pgrep -f '^/bin/sh /opt/keelson/bin/etcdutl snapshot restore'";
    c.run(&until(writes)).unwrap();
    c.power_cut().unwrap();
    c.start().unwrap();
    restore.expect(STEPS[3]);
    // As soon as there is one.
    let dies =
        "pid=$(systemctl show --property=MainPID --value etcd) && test \"$pid\" != 0 && kill -KILL \"$pid\"";
    b.run(&until(dies)).unwrap();
    // A bundle that is altered is not well, and would be waited for.
    as_before(c);
    let restored = restore.end();
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    let restarts = b.run("systemctl show --property=NRestarts --value etcd").unwrap();
    assert!(restarts.trim().parse::<u32>().unwrap() > 0, "a member has died");
    is_whole(desk, &restored);
}

/// The cluster goes while its data is made: neither that stays on a machine, nor what was held of a control plane.
fn destroyed_in_its_middle(desk: &Desk) {
    alter(desk);
    let a = desk.host("a");
    let manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml";
    a.run(&format!(
        "mkdir -p /etc/kubernetes/manifests && echo held >{manifest}"
    ))
    .unwrap();
    let part = "/var/lib/etcd/restoring/member/db";
    before_data_is_written(
        a,
        &format!("mkdir -p /var/lib/etcd/restoring/member && echo data >{part} && sleep 20"),
    );
    let mut restore = Restore::begin(desk);
    restore.expect(STEPS[2]);
    a.run(&until(&format!("test -s {part}"))).unwrap();
    a.power_cut().unwrap();
    restore.kill();
    a.start().unwrap();
    a.wait_for_ssh().unwrap();
    as_before(a);
    assert!(has_begun(desk));
    desk.expect(0, "destroy --yes");
    assert_eq!(
        kept::set_aside(desk),
        Vec::<String>::new(),
        "it goes with the cluster"
    );
    for name in HOSTS {
        let left = format!(
            "ls -A /var/lib/keelson /var/lib/etcd {manifest} 2>/dev/null | grep -v ':$\\|^$\\|lost+found'; true"
        );
        assert_eq!(desk.host(name).run(&left).unwrap(), "", "nothing stays on {name}");
    }
}
