//! Cables and partitions.

use keelson_test_hosts::{Host, LabOptions};

use crate::lab;

#[test]
fn a_partition_keeps_two_hosts_apart_and_a_cut_cable_one_from_all() {
    let options = LabOptions::with_hosts(3);
    let Some(lab) = lab(
        "a_partition_keeps_two_hosts_apart_and_a_cut_cable_one_from_all",
        &options,
    ) else {
        return;
    };
    let [one, two, three] = lab.hosts() else {
        unreachable!("three were asked for")
    };
    one.cut_from(two).unwrap();
    assert_eq!(
        seen(&[one, two, three]),
        [[true, false, true], [false, true, true], [true; 3]]
    );
    // The machine, on which the one who looks runs, sees all of them.
    assert!(lab.hosts().iter().all(Host::ssh_answers));
    // It is no matter of the hosts: what they do does not heal it.
    two.power_cut().unwrap();
    assert_eq!(seen_from(three, &[one, two]), [true, false], "it is off");
    two.start().unwrap();
    two.wait_for_ssh().unwrap();
    assert_eq!(seen(&[one, two, three])[0], [true, false, true]);
    two.heal_from(one).unwrap();
    assert_eq!(seen(&[one, two, three]), [[true; 3]; 3]);

    three.cut_network().unwrap();
    assert!(!three.ssh_answers());
    assert_eq!(seen(&[one, two, three])[0], [true, true, false]);
    three.power_cut().unwrap();
    three.start().unwrap();
    // At its console one can still work, as soon as it has booted.
    assert_eq!(three.console("hostname").unwrap().trim(), "c");
    assert!(!three.ssh_answers());
    three.heal_network().unwrap();
    three.wait_for_ssh().unwrap();
    assert_eq!(seen(&[one, two, three]), [[true; 3]; 3]);
}

/// Who sees whom, asked at the consoles.
fn seen(hosts: &[&Host; 3]) -> [[bool; 3]; 3] {
    hosts.map(|host| seen_from(host, hosts))
}

fn seen_from<const COUNT: usize>(host: &Host, others: &[&Host; COUNT]) -> [bool; COUNT] {
    others.map(|other| {
        let ping = format!("ping -c 1 -W 2 {}", other.address());
        host.console(&ping).is_ok()
    })
}
