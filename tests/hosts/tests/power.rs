//! Hosts come up, go down, and come back with what they had.

use std::time::{Duration, Instant};

use keelson_test_hosts::LabOptions;

use crate::lab;

/// On a machine that is busy with other tests too; alone it takes two seconds.
const UP_LIMIT: Duration = Duration::from_secs(60);

#[test]
fn three_hosts_come_up_and_see_each_other() {
    let start = Instant::now();
    let Some(lab) = lab(
        "three_hosts_come_up_and_see_each_other",
        &LabOptions::with_hosts(3),
    ) else {
        return;
    };
    assert!(start.elapsed() < UP_LIMIT, "{:?}", start.elapsed());
    for host in lab.hosts() {
        assert_eq!(host.run("hostname").unwrap().trim(), host.name());
        assert_eq!(host.run("cat /proc/1/comm").unwrap().trim(), "systemd");
        for other in ["a", "b", "c"] {
            host.run(&format!("ping -c 1 -W 5 {other}")).unwrap();
        }
        host.run("modprobe overlay && modprobe br_netfilter").unwrap();
    }
    lab.down().unwrap();
}

#[test]
fn users_have_the_rights_that_they_are_named_for() {
    let Some(lab) = lab(
        "users_have_the_rights_that_they_are_named_for",
        &LabOptions::with_hosts(1),
    ) else {
        return;
    };
    let host = &lab.hosts()[0];
    let as_root = |user: &str, command: &str| host.run_as(user, command).unwrap().stdout.trim() == "0";
    assert!(as_root("root", "id --user"));
    assert!(as_root("operator", "sudo --non-interactive id --user"));
    assert!(!as_root("limited", "sudo --non-interactive id --user"));
    assert!(!as_root("careful", "sudo --non-interactive id --user"));
    assert!(as_root(
        "careful",
        "echo careful-password | sudo --stdin id --user"
    ));
}

#[test]
fn what_was_written_survives_a_power_cut_and_a_reboot() {
    let Some(lab) = lab(
        "what_was_written_survives_a_power_cut_and_a_reboot",
        &LabOptions::with_hosts(1).host(0, |host| host.disk_mib = Some(256)),
    ) else {
        return;
    };
    let host = &lab.hosts()[0];
    let boot = || {
        let boot = "cat /proc/sys/kernel/random/boot_id";
        (host.run(boot).unwrap(), host.host_key().unwrap())
    };
    let (first, key) = boot();
    host.write_file("/root/kept/file", "kept").unwrap();
    host.write_file("/var/lib/etcd/file", "kept too").unwrap();
    host.run("touch /run/gone").unwrap();

    host.power_cut().unwrap();
    assert!(!host.is_on() && !host.ssh_answers());
    host.start().unwrap();
    host.wait_for_ssh().unwrap();
    let (second, same_key) = boot();
    assert_ne!(first, second, "a boot has an identity of its own");
    assert_eq!(key, same_key);
    assert_eq!(host.read_file("/root/kept/file").unwrap(), b"kept");
    assert_eq!(host.read_file("/var/lib/etcd/file").unwrap(), b"kept too");
    host.read_file("/run/gone").unwrap_err();

    host.reboot().unwrap();
    assert_ne!(boot().0, second);
    assert_eq!(host.boots(), 3);
    assert_eq!(host.read_file("/root/kept/file").unwrap(), b"kept");

    host.shut_down().unwrap();
    assert!(!host.is_on());
    host.console("true").unwrap_err();
}
