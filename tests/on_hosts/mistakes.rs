//! What operators get wrong, and what happens to them: each time an error that names the host and says what to do, and
//! nothing is damaged anywhere.

use keelson_test_hosts::LabOptions;

use super::desk::{Desk, Said, Spec};

/// Everything on a host that keelson could have touched, with what it is and since when.
const TRACES: &str = "find /etc /opt /var/lib/keelson /var/lib/etcd -xdev \\( -type f -o -type d \\) \
                      ! -path '*/fence*' ! -name lock ! -path '/var/lib/etcd/member/*' ! -path '/etc/ssh*' \
                      -printf '%p %T@ %m %u\\n' 2>/dev/null | sort; systemctl show -p MainPID etcd";

fn traces(desk: &Desk, names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| desk.host(name).console(TRACES).unwrap())
        .collect()
}

/// Applies what must be refused, with these words, and sees that nothing has changed on `names`.
fn refused(desk: &Desk, names: &[&str], words: &[&str]) -> Said {
    let before = traces(desk, names);
    let said = desk.expect(3, "apply --yes --accept-new-host-keys");
    println!("{}", said.stderr);
    for words in words {
        assert!(said.stderr.contains(words), "{words}: {said:#?}");
    }
    assert!(said.stderr.contains("nothing was touched"), "{said:#?}");
    assert_eq!(traces(desk, names), before);
    said
}

#[test]
fn what_is_wrong_before_anything_is_done_is_told_all_at_once() {
    let names = ["a", "b", "c", "d"];
    let test = "on_hosts::mistakes::what_is_wrong_before_anything_is_done_is_told_all_at_once";
    let Some(desk) = Desk::before(test, &names) else {
        return;
    };
    // A cluster on b alone, and its host key changes after that.
    desk.write(&Spec {
        cluster: "other.example.com",
        ..desk.spec_of(&["b"])
    });
    desk.expect(0, "apply --yes --accept-new-host-keys");

    another_clusters_host(&desk, &names);
    one_host_twice(&desk, &names);
    nobody_who_may(&desk, &names);
    keys_that_are_not_the_known_ones(&desk, &names);
    one_that_does_not_answer(&desk);
}

fn another_clusters_host(desk: &Desk, names: &[&str]) {
    desk.spec(&["a", "b", "c"], "");
    let words = [
        "b (machine, node-bundle): it exists and belongs to cluster other.example.com",
        "take another machine, or destroy the cluster that has it",
    ];
    refused(desk, names, &words);
}

/// Two names for one machine: by the spec that is told offline, by two of its addresses or a copied disk it is not.
fn one_host_twice(desk: &Desk, names: &[&str]) {
    let spec = desk.spec_of(&["a", "c", "d"]);
    let with = |name: &str, address: String| {
        let mut twice = spec.clone();
        twice.hosts[2] = (name.to_owned(), address);
        twice
    };
    let a = spec.hosts[0].1.clone();
    for (twice, words) in [
        (with("a", spec.hosts[2].1.clone()), "hosts[2].name"),
        (with("d", a), "hosts[2].address"),
    ] {
        desk.write(&twice);
        let said = desk.expect(4, "apply --yes");
        assert!(said.stderr.contains(words), "{said:#?}");
    }
    let id = desk.host("a").console("cat /etc/machine-id").unwrap();
    let own = desk.host("c").console("cat /etc/machine-id").unwrap();
    desk.host("c").write_file("/etc/machine-id", &id).unwrap();
    desk.write(&spec);
    let words = [
        "machine/a: duplicate-host: it is the same host as c",
        "machine/c: duplicate-host: it is the same host as a",
        "systemd-machine-id-setup",
    ];
    refused(desk, names, &words);
    // Two members on one disk are no matter of taste: nobody can let that pass.
    desk.write(&Spec {
        more: "  preflight: { ignore: [duplicate-host] }\n".to_owned(),
        ..spec
    });
    refused(desk, names, &words);
    desk.host("c").write_file("/etc/machine-id", own).unwrap();
}

fn nobody_who_may(desk: &Desk, names: &[&str]) {
    let as_user = |user| {
        desk.write(&Spec {
            user,
            ..desk.spec_of(&["a", "c", "d"])
        });
    };
    as_user("limited");
    refused(desk, names, &["a (10.", "c (10.", "d (10.", "limited", "sudo"]);
    as_user("nobody-of-that-name");
    let words = [
        "a (10.",
        "it does not let nobody-of-that-name in",
        "ssh-copy-id nobody-of-that-name@",
    ];
    refused(desk, names, &words);
}

/// The keys of a, c and d were believed by the plans before; those of c change.
fn keys_that_are_not_the_known_ones(desk: &Desk, names: &[&str]) {
    desk.spec(&["a", "c", "d"], "");
    desk.host("c").renew_host_keys().unwrap();
    let words = [
        "machine/c: its state is unknown",
        "its host key is not the one that is known",
        "keelson node forget-key c",
    ];
    let said = refused(desk, names, &words);
    assert!(!said.stderr.contains("a (10."), "{said:#?}");
    desk.expect(0, "node forget-key c");
    let unknown = desk.expect(3, "plan");
    assert!(
        unknown.stdout.contains("its host key is not known")
            && unknown.stdout.contains("--accept-new-host-keys"),
        "{unknown:#?}"
    );
    desk.expect(2, "plan --accept-new-host-keys");
}

fn one_that_does_not_answer(desk: &Desk) {
    desk.host("d").power_cut().unwrap();
    let words = ["machine/d: its state is unknown", "see whether d is switched on"];
    let said = refused(desk, &["a", "b", "c"], &words);
    assert!(!said.stderr.contains("a (10."), "{said:#?}");
    desk.host("d").start().unwrap();
    desk.host("d").wait_for_ssh().unwrap();
}

#[test]
fn a_disk_that_is_full_and_a_reboot_in_the_middle_are_got_over() {
    let names = ["a", "b", "c"];
    let test = "on_hosts::mistakes::a_disk_that_is_full_and_a_reboot_in_the_middle_are_got_over";
    let options = LabOptions::with_hosts(3).host(1, |host| host.disk_mib = Some(1536));
    let Some(desk) = Desk::of(test, &options) else {
        return;
    };
    desk.spec(&names, "");
    a_full_disk(&desk);
    a_reboot_in_the_middle(&desk);
}

fn a_full_disk(desk: &Desk) {
    let host = desk.host("b");
    host.fill_disk().unwrap();
    let words = ["machine/b: disk: /var/lib has 0 MiB left", "make room on b"];
    refused(desk, &["a", "b", "c"], &words);
    host.free_disk().unwrap();
    desk.expect(0, "apply --yes --accept-new-host-keys");

    // Under a cluster that runs: the change stops at that host, and says so.
    host.fill_disk().unwrap();
    desk.spec(&["a", "b", "c"], "  pki: { keyAlgorithm: rsa-2048 }\n");
    let failed = desk.expect(1, "apply --yes");
    println!("{}", failed.stderr);
    assert!(
        failed.stderr.contains("node-bundle/b: b: ")
            && failed.stderr.contains("No space left on device")
            && failed.stderr.contains("make room on b"),
        "{failed:#?}"
    );
    host.free_disk().unwrap();
    desk.expect(0, "apply --yes");
    desk.expect(0, "status --wait --timeout 60s");
    desk.expect(0, "destroy --yes");
}

/// The host goes down and comes up while it is being given its bundle.
fn a_reboot_in_the_middle(desk: &Desk) {
    desk.spec(&["a", "b", "c"], "");
    let (mut apply, events) = desk.apply_until_written("b");
    let host = desk.host("b");
    host.reboot().unwrap();
    let rest: Vec<String> = events.map(Result::unwrap).collect();
    let status = apply.wait().unwrap();
    println!(
        "an apply under which b rebooted ended with {status}: {}",
        rest.last().unwrap()
    );
    host.wait_for_ssh().unwrap();
    desk.expect(0, "apply --yes --accept-new-host-keys");
    desk.expect(0, "status --wait --timeout 60s");
    desk.expect(0, "plan");
}
