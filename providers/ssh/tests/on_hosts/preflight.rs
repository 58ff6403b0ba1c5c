//! What stands in the way, found on all hosts at once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use keelson_provider_api::etcd::INSTANCES;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::{Finding, Outcome, Provider};
use keelson_provider_ssh::preflight::HostNeeds;
use keelson_provider_ssh::{Hosts, SshOptions, SshProvider, Target};
use keelson_test_hosts::LabOptions;

use crate::support::{CERTIFICATE, Scene, create, machine};

fn names(findings: &[Finding], machine: &str) -> BTreeSet<String> {
    // What the machine below the lab is like: no time service, maybe control groups of version 1 or little memory.
    let of_the_lab = ["time-sync", "cgroup-v2", "memory", "disk"];
    let of = findings.iter().filter(|finding| finding.machine == machine);
    let names = of.map(|finding| finding.name.clone());
    names
        .filter(|name| !of_the_lab.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn everything_that_stands_in_the_way_is_found_at_once() {
    let options = LabOptions::with_hosts(5).host(1, |host| host.hostname = Some("UPPER".to_owned()));
    let Some(scene) = Scene::new("everything_that_stands_in_the_way_is_found_at_once", &options) else {
        return;
    };
    let claimed = machine(&[MachineRole::Etcd, MachineRole::ControlPlane]);
    let other = scene.provider(vec![scene.target(2, "root")]).await;
    let context = Scene::context("u2", 1);
    assert_eq!(
        other.carry_out(&context, &create("c", claimed.clone())).await,
        Outcome::Done
    );
    other.hosts().forget("c").await.unwrap();
    units_of_others(&scene);
    let busy = "mkdir -p /etc/kubernetes /var/lib/etcd/member /var/lib/etcd-events/member && touch /etc/kubernetes/admin.conf; mkdir -p /etc/ufw && echo ENABLED=yes >/etc/ufw/ufw.conf; mv /usr/bin/gzip /root/; \
                systemd-run --unit kubelet socat TCP-LISTEN:2379,fork /dev/null";
    scene.host(1).console(busy).unwrap();
    scene
        .host(3)
        .console("systemctl stop ssh.socket ssh.service")
        .unwrap();

    let hosts = Hosts::open(troubled(&scene)).await.unwrap();
    let provider =
        SshProvider::new(hosts, std::sync::Arc::clone(&scene.bundles) as _).with_host_needs(HostNeeds {
            etcds: INSTANCES.to_vec(),
            ..HostNeeds::default()
        });
    let changes: Vec<_> = ["a", "b", "c", "d", "e", "twin", "stranger"]
        .iter()
        .map(|name| create(name, claimed.clone()))
        .collect();
    let changes: Vec<_> = changes.iter().collect();
    scene
        .host(1)
        .run("for n in $(seq 100); do ss -Hltn | grep -q :2379 && break; sleep 0.3; done")
        .unwrap();
    let findings = provider.preflight(&Scene::cluster("u1"), &changes).await;
    for finding in &findings {
        println!(
            "{} {} {}: {} ({:?})",
            finding.machine, finding.name, finding.can_be_ignored, finding.problem, finding.help
        );
    }
    let expect = |machine: &str, expected: &[&str]| {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(names(&findings, machine), expected, "{machine}");
    };
    expect("a", &["duplicate-host"]);
    expect("twin", &["duplicate-host"]);
    expect(
        "b",
        &[
            "conflicting-software",
            "etcd-data",
            "firewall",
            "foreign-unit",
            "hostname",
            "missing-programs",
            "port-2379",
        ],
    );
    what_is_there_already_is_named(&findings);
    expect("c", &["other-cluster"]);
    expect("d", &["unreachable"]);
    expect("e", &["sudo"]);
    expect("stranger", &["unreachable"]);
    grave_ones_cannot_be_ignored(&findings);
}

/// One from a package, one that is masked, and what changes one.
fn units_of_others(scene: &Scene) {
    let units = "touch /usr/lib/systemd/system/etcd.service; ln -s /dev/null /etc/systemd/system/etcd-events.service; \
                 mkdir /etc/systemd/system/kubelet.service.d; touch /etc/systemd/system/kubelet.service.d/10-theirs.conf";
    scene.host(1).console(units).unwrap();
}

#[tokio::test]
async fn certificates_that_nobody_can_issue_are_missed_before_a_claim() {
    let name = "certificates_that_nobody_can_issue_are_missed_before_a_claim";
    let Some(scene) = Scene::new(name, &LabOptions::with_hosts(1)) else {
        return;
    };
    let provider = scene.provider(scene.targets("operator")).await;
    let claim = create("a", machine(&[MachineRole::Etcd]));
    let found = async || {
        let findings = provider.preflight(&Scene::cluster("u1"), &[&claim]).await;
        let mut of_certificates = findings.into_iter();
        of_certificates.find(|finding| finding.name == "certificates")
    };
    assert_eq!(found().await, None);
    scene.bundles.are_keyless.store(true, Ordering::Relaxed);
    let finding = found().await.expect("it is missed");
    assert!(
        finding.problem.contains("/etc/keelson-test/server.crt") && finding.can_be_ignored,
        "{finding:?}"
    );
    let host = scene.host(0);
    host.write_file("/etc/keelson-test/server.crt", CERTIFICATE)
        .unwrap();
    host.write_file("/etc/keelson-test/server.key", "key").unwrap();
    assert_eq!(found().await, None);
}

fn what_is_there_already_is_named(findings: &[Finding]) {
    let data = findings.iter().find(|finding| finding.name == "etcd-data");
    let problem = &data.unwrap().problem;
    assert!(
        problem.contains("in /var/lib/etcd and /var/lib/etcd-events,"),
        "{problem}"
    );
    let unit = findings.iter().find(|finding| finding.name == "foreign-unit");
    let problem = &unit.unwrap().problem;
    for file in [
        "/usr/lib/systemd/system/etcd.service",
        "/etc/systemd/system/etcd-events.service",
        "/etc/systemd/system/kubelet.service.d/10-theirs.conf",
    ] {
        assert!(problem.contains(file), "{problem}");
    }
}

/// Besides the hosts of the lab, one of them under another name, one that is not, and one with a user who may not.
fn troubled(scene: &Scene) -> SshOptions {
    let mut targets = scene.targets("root");
    targets[4].user = Some("limited".to_owned());
    let twin = Target {
        name: "twin".to_owned(),
        ..scene.target(0, "operator")
    };
    let stranger = Target {
        name: "stranger".to_owned(),
        address: "nowhere.invalid".to_owned(),
        ..scene.target(0, "root")
    };
    targets.extend([twin, stranger]);
    scene.options(targets)
}

fn grave_ones_cannot_be_ignored(findings: &[Finding]) {
    let grave = [
        "duplicate-host",
        "etcd-data",
        "other-cluster",
        "unreachable",
        "sudo",
    ];
    for finding in findings {
        assert_eq!(
            finding.can_be_ignored,
            !grave.contains(&finding.name.as_str()),
            "{finding:?}"
        );
        assert!(finding.help.is_some());
    }
}
