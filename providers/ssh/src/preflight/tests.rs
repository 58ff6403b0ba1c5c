//! Which findings there can be, and whom they concern.

use super::*;
use keelson_provider_api::etcd::{EVENTS, INSTANCES};

#[test]
fn every_finding_has_one_row_and_the_grave_ones_cannot_be_ignored() {
    let names: BTreeSet<_> = FINDINGS.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), FINDINGS.len());
    for name in [
        "other-cluster",
        "duplicate-host",
        "unreachable",
        "host-key",
        "login",
        "sudo",
        "etcd-data",
    ] {
        let finding = found(name, "a", String::new());
        assert!(
            !finding.can_be_ignored && finding.severity == Severity::Error,
            "{name}"
        );
    }
    let warnings: Vec<_> = FINDINGS
        .iter()
        .filter(|row| row.severity == Severity::Warning)
        .map(|row| row.name)
        .collect();
    assert_eq!(warnings, ["untested-system", "time-sync", "firewall"]);
    for row in FINDINGS {
        let places = ["{host}", "{folder}"].map(|place| row.help.matches(place).count());
        assert!(!row.help.is_empty() && row.help.matches('{').count() == places.iter().sum::<usize>());
    }
}

#[test]
fn what_is_looked_at_depends_on_the_roles() {
    let facts = Facts {
        init: "systemd".to_owned(),
        os_id: "debian".to_owned(),
        os_version: "13".to_owned(),
        architecture: "x86_64".to_owned(),
        hostname: "a".to_owned(),
        swap_kib: 1 << 20,
        disk_kib: 2 << 20,
        listeners: BTreeMap::from([
            (2379, "etcd".to_owned()),
            (2382, "something".to_owned()),
            (10250, "kubelet".to_owned()),
        ]),
        etcd_folders: BTreeSet::from([EVENTS.data_folder.to_owned()]),
        is_synchronised: Some(true),
        ..Facts::default()
    };
    let cluster = ClusterIdentity {
        name: "prod".parse().unwrap(),
        uid: None,
    };
    let findings = |roles: &[MachineRole], needs: &HostNeeds| {
        let roles = roles.iter().copied().collect();
        of_facts("a", &cluster, &roles, &facts, needs)
    };
    let of = |roles: &[MachineRole], needs: &HostNeeds| -> Vec<String> {
        let findings = findings(roles, needs).into_iter();
        findings.map(|finding| finding.name).collect()
    };
    let names = |roles: &[MachineRole]| of(roles, &HostNeeds::default());
    assert_eq!(names(&[MachineRole::Etcd]), ["port-2379"]);
    let events_have_their_own = HostNeeds {
        etcds: INSTANCES.to_vec(),
        ..HostNeeds::default()
    };
    assert_eq!(
        of(&[MachineRole::Etcd], &events_have_their_own),
        ["etcd-data", "port-2379", "port-2382"]
    );
    let etcd_data = &findings(&[MachineRole::Etcd], &events_have_their_own)[0];
    let help = etcd_data.help.as_deref().unwrap();
    assert!(
        help.contains("mv /var/lib/etcd-events /var/lib/etcd-events.old"),
        "{help}"
    );
    assert_eq!(
        of(&[MachineRole::Worker], &events_have_their_own),
        names(&[MachineRole::Worker])
    );
    assert_eq!(
        names(&[MachineRole::Worker]),
        ["disk", "swap", "cgroup-v2", "port-10250"]
    );
    let kubelets_do_not_mind = HostNeeds {
        borne_by_kubelets: ["swap", "cgroup-v2"].into(),
        ..HostNeeds::default()
    };
    assert_eq!(
        of(&[MachineRole::Worker], &kubelets_do_not_mind),
        ["disk", "port-10250"]
    );
    assert_eq!(
        names(&[MachineRole::ControlPlane]),
        ["cpu", "memory", "disk", "swap", "cgroup-v2", "port-10250"]
    );
}

/// A host with nothing wrong, but for what `change` does to it.
fn debian(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = Facts {
        init: "systemd".to_owned(),
        os_id: "debian".to_owned(),
        os_version: "13".to_owned(),
        os_name: "Debian GNU/Linux 13".to_owned(),
        architecture: "x86_64".to_owned(),
        hostname: "a".to_owned(),
        disk_kib: 2 << 20,
        is_synchronised: Some(true),
        ..Facts::default()
    };
    change(&mut facts);
    facts
}

#[test]
fn systems_and_architectures_that_it_is_not_made_for_are_found() {
    let runs = |id: &'static str, version: &'static str, name: &'static str| {
        debian(|facts| {
            facts.os_id = id.to_owned();
            facts.os_version = version.to_owned();
            facts.os_name = name.to_owned();
        })
    };
    let architecture = |name: &str| debian(|facts| facts.architecture = name.to_owned());
    let without_systemd = debian(|facts| facts.init = "openrc-init".to_owned());
    let old = runs("debian", "11", "Debian GNU/Linux 11");
    let fedora = runs("fedora", "43", "Fedora Linux 43");
    let (error, warning) = (Severity::Error, Severity::Warning);
    let table = [
        (debian(|_| {}), None),
        (architecture("aarch64"), None),
        (
            without_systemd,
            Some(("os", error, "openrc-init and not systemd")),
        ),
        (
            old,
            Some(("os", error, "Debian GNU/Linux 11, on which keelson does not work")),
        ),
        (
            fedora,
            Some(("untested-system", warning, "Fedora Linux 43, on which nobody")),
        ),
        (
            runs("", "", ""),
            Some(("untested-system", warning, "does not say which system")),
        ),
        (
            architecture("riscv64"),
            Some(("architecture", error, "is riscv64, and")),
        ),
    ];
    let cluster = ClusterIdentity {
        name: "prod".parse().unwrap(),
        uid: None,
    };
    let roles = [MachineRole::Etcd].into();
    for (facts, expected) in table {
        let findings = of_facts("a", &cluster, &roles, &facts, &HostNeeds::default());
        let found: Vec<_> = findings
            .iter()
            .map(|finding| (finding.name.as_str(), finding.severity))
            .collect();
        let wanted = expected.map(|(name, severity, _)| (name, severity));
        assert_eq!(found, Vec::from_iter(wanted), "{findings:?}");
        for (finding, (_, _, problem)) in findings.iter().zip(expected) {
            assert!(finding.problem.contains(problem), "{finding:?}");
            assert!(finding.can_be_ignored && finding.help.is_some(), "{finding:?}");
        }
    }
}
