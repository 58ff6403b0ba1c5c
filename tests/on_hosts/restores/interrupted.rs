//! Restores that are cut off: keelson is killed, machines lose their power, members die, disks fill. The same command goes on.

use std::io::{BufRead, BufReader};

use keelson_test_hosts::LabOptions;

use super::{HOSTS, SPEC, alter, full_disks, in_turn, is_whole, kept, saved};
use crate::on_hosts::desk::{Desk, Said};

/// What keelson says when it begins each step, the last ones of a restore.
const STEPS: [&str; 5] = [
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
            ("killed at each step", killed_at_each_step),
            ("while members die", while_members_die),
            ("with full disks", full_disks::are_told),
        ],
    );
    desk.expect(0, "destroy --yes");
}

fn killed_at_each_step(desk: &Desk) {
    let mut aside = Vec::new();
    for step in STEPS {
        alter(desk);
        let mut restore = desk.command("etcd restore --yes").spawn().unwrap();
        let mut lines = BufReader::new(restore.stderr.take().unwrap()).lines();
        let begun = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(step)));
        assert!(begun.is_some(), "it never came to `{step}`");
        // Somewhere in its middle; the last one has none.
        if step != STEPS[4] {
            std::thread::sleep(std::time::Duration::from_millis(400));
        }
        restore.kill().unwrap();
        restore.wait().unwrap();
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
    assert!(aside.len() >= STEPS.len() * HOSTS.len(), "{aside:?}");
}

/// A machine loses its power while it is given the data, and a member dies while it starts: the restore goes on by itself.
fn while_members_die(desk: &Desk) {
    alter(desk);
    let mut restore = desk.command("etcd restore --yes").spawn().unwrap();
    let mut lines = BufReader::new(restore.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let mut come_to = |step: &str, said: &mut String| {
        for line in lines.by_ref().map(Result::unwrap) {
            said.push_str(&line);
            said.push('\n');
            if line.starts_with(step) {
                return;
            }
        }
    };
    come_to(STEPS[2], &mut said);
    desk.host("c").power_cut().unwrap();
    desk.host("c").start().unwrap();
    come_to(STEPS[3], &mut said);
    desk.host("b")
        .run("for n in 1 2 3; do systemctl kill --signal=KILL etcd 2>/dev/null; sleep 0.3; done; true")
        .unwrap();
    come_to("nothing stands there, so all that is left is read", &mut said);
    let restored = Said {
        code: restore.wait().unwrap().code(),
        stdout: String::new(),
        stderr: said,
    };
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    is_whole(desk, &restored);
}
