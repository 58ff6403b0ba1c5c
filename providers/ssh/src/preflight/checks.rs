//! What is looked at on a host that answers.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::{ClusterIdentity, Owner};

use super::HostNeeds;
use crate::facts::{Facts, KUBELET_UNIT, Verdict, verdict};

/// A host that is about to be claimed.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) cluster: &'a ClusterIdentity,
    pub(super) roles: &'a BTreeSet<MachineRole>,
    pub(super) facts: &'a Facts,
    pub(super) needs: &'a HostNeeds,
}

impl Subject<'_> {
    pub(super) fn is(&self, role: MachineRole) -> bool {
        self.roles.contains(&role)
    }

    /// True for a host that runs kubelet and containers.
    pub(super) fn is_node(&self) -> bool {
        self.is(MachineRole::ControlPlane) || self.is(MachineRole::Worker)
    }

    /// The folders of the cluster's etcds in which there is data.
    pub(super) fn etcd_folders(&self) -> impl Iterator<Item = &'static str> {
        let folders = self.needs.etcds.iter().map(|etcd| etcd.data_folder);
        folders.filter(|&folder| self.facts.etcd_folders.contains(folder))
    }
}

/// What a check finds: nothing, or what is wrong.
pub(super) type Problem = Option<String>;

/// kubeadm's `ControlPlaneNumCPU`.
const CONTROL_PLANE_CPUS: u32 = 2;
/// kubeadm's `ControlPlaneMem`.
const CONTROL_PLANE_MEMORY_KIB: u64 = 1700 << 10;
/// What keelson puts on a host: etcd alone, or everything of a node and its first images.
const ETCD_DISK_KIB: u64 = 1 << 20;
const NODE_DISK_KIB: u64 = 5 << 20;
/// Certificates are valid from some minutes before they are made, but leases and logs of etcd want clocks to agree.
const SKEW_LIMIT: Duration = Duration::from_secs(2);

pub(super) fn os(subject: &Subject<'_>) -> Problem {
    let facts = subject.facts;
    if facts.init != "systemd" {
        return Some(format!("its first process is {} and not systemd", facts.init));
    }
    let unsupported = verdict(facts) == Verdict::Unsupported;
    unsupported.then(|| format!("it runs {}, on which keelson does not work", facts.os_name))
}

pub(super) fn untested_system(subject: &Subject<'_>) -> Problem {
    let facts = subject.facts;
    (verdict(facts) == Verdict::Untested).then(|| match facts.os_name.as_str() {
        "" => "it does not say which system it runs".to_owned(),
        name => format!("it runs {name}, on which nobody has tried keelson"),
    })
}

pub(super) fn architecture(subject: &Subject<'_>) -> Problem {
    let architecture = &subject.facts.architecture;
    let known = matches!(architecture.as_str(), "x86_64" | "aarch64" | "arm64");
    (!known).then(|| {
        format!("its architecture is {architecture}, and there are programs for x86_64 and aarch64 only")
    })
}

pub(super) fn cpu(subject: &Subject<'_>) -> Problem {
    let cpus = subject.facts.cpus;
    let few = subject.is(MachineRole::ControlPlane) && cpus < CONTROL_PLANE_CPUS;
    few.then(|| format!("it has {cpus} CPU, and a control plane needs {CONTROL_PLANE_CPUS}"))
}

pub(super) fn memory(subject: &Subject<'_>) -> Problem {
    let memory = subject.facts.memory_kib;
    let little = subject.is(MachineRole::ControlPlane) && memory < CONTROL_PLANE_MEMORY_KIB;
    little.then(|| {
        let (has, needs) = (memory >> 10, CONTROL_PLANE_MEMORY_KIB >> 10);
        format!("it has {has} MiB of memory, and a control plane needs {needs} MiB")
    })
}

pub(super) fn disk(subject: &Subject<'_>) -> Problem {
    let needs = if subject.is_node() {
        NODE_DISK_KIB
    } else {
        ETCD_DISK_KIB
    };
    let free = subject.facts.disk_kib;
    (free < needs).then(|| {
        format!(
            "/var/lib has {} MiB left, and {} MiB are needed",
            free >> 10,
            needs >> 10
        )
    })
}

pub(super) fn swap(subject: &Subject<'_>) -> Problem {
    let swap = subject.facts.swap_kib;
    (swap > 0 && !subject.needs.borne_by_kubelets.contains("swap")).then(|| {
        format!(
            "it has {} MiB of swap, with which kubelet does not start",
            swap >> 10
        )
    })
}

pub(super) fn cgroup(subject: &Subject<'_>) -> Problem {
    let old = !subject.facts.has_cgroup_v2 && !subject.needs.borne_by_kubelets.contains("cgroup-v2");
    old.then(|| {
        "it has control groups of version 1, with which kubelet 1.35 and later do not start".to_owned()
    })
}

pub(super) fn clock_skew(subject: &Subject<'_>) -> Problem {
    let (ahead, uncertainty) = subject.facts.clock_ahead?;
    let limit = SignedDuration::try_from(SKEW_LIMIT)
        .ok()?
        .checked_add(uncertainty)?;
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    (ahead.abs() > limit).then(|| {
        format!(
            "its clock is {} s {direction} the one here",
            ahead.abs().as_secs()
        )
    })
}

pub(super) fn time_sync(subject: &Subject<'_>) -> Problem {
    let facts = subject.facts;
    let unset = facts.is_synchronised != Some(true) && facts.time_services.is_empty();
    unset.then(|| "nothing sets its clock".to_owned())
}

pub(super) fn hostname(subject: &Subject<'_>) -> Problem {
    let hostname = &subject.facts.hostname;
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|character| matches!(character, 'a'..='z' | '0'..='9' | '-'))
    };
    if hostname.starts_with("localhost") {
        return Some(format!("it calls itself {hostname}"));
    }
    (!hostname.split('.').all(fits)).then(|| format!("its hostname `{hostname}` is no name in DNS"))
}

pub(super) fn conflicting_software(subject: &Subject<'_>) -> Problem {
    let concerns = |what: &&String| subject.is_node() || what.starts_with("etcd");
    let running = subject.facts.running.iter().filter(concerns).cloned();
    let folders = subject
        .facts
        .folders
        .iter()
        .filter(concerns)
        .map(|folder| format!("{folder} (not empty)"));
    let found: Vec<String> = running.chain(folders).collect();
    (!found.is_empty()).then(|| format!("something else is there already: {}", found.join(", ")))
}

pub(super) fn foreign_unit(subject: &Subject<'_>) -> Problem {
    let etcds = subject.needs.etcds.iter().map(|etcd| etcd.unit);
    let etcds = etcds.filter(|_| subject.is(MachineRole::Etcd));
    let own = etcds.chain(subject.is_node().then_some(KUBELET_UNIT));
    let found: Vec<String> = own
        .filter_map(|unit| Some(format!("{unit} ({})", subject.facts.foreign_units.get(unit)?)))
        .collect();
    (!found.is_empty()).then(|| {
        format!(
            "someone else's unit has the name of one that keelson brings: {}",
            found.join(", ")
        )
    })
}

pub(super) fn missing_programs(subject: &Subject<'_>) -> Problem {
    let missing: Vec<_> = subject
        .facts
        .missing_programs
        .iter()
        .map(|program| program.replace('|', " or "))
        .collect();
    (!missing.is_empty()).then(|| format!("it lacks {}", missing.join(", ")))
}

pub(super) fn etcd_data(subject: &Subject<'_>) -> Problem {
    let full: Vec<&str> = subject.etcd_folders().collect();
    let there = subject.is(MachineRole::Etcd) && !full.is_empty();
    there.then(|| {
        let folders = full.join(" and ");
        format!("there is data of an etcd in {folders}, and nothing tells whose")
    })
}

pub(super) fn other_cluster(subject: &Subject<'_>) -> Problem {
    match subject.facts.mark.as_ref()? {
        Ok(mark) => match mark.owner(subject.cluster, subject.name) {
            Owner::Other(owner) => Some(format!("it belongs to {owner}")),
            Owner::ThisCluster => None,
        },
        Err(problem) => Some(format!(
            "its mark, /var/lib/keelson/host.json, is damaged: {problem}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(roles: &[MachineRole], facts: &Facts, check: fn(&Subject<'_>) -> Problem) -> Problem {
        let cluster = ClusterIdentity {
            name: "prod".parse().unwrap(),
            uid: None,
        };
        check(&Subject {
            name: "a",
            cluster: &cluster,
            roles: &roles.iter().copied().collect(),
            facts,
            needs: &HostNeeds::default(),
        })
    }

    #[test]
    fn clocks_may_differ_by_what_is_not_known() {
        let facts = |ahead, uncertainty| Facts {
            clock_ahead: Some((
                SignedDuration::from_millis(ahead),
                SignedDuration::from_millis(uncertainty),
            )),
            ..Facts::default()
        };
        assert_eq!(check(&[], &facts(2_500, 600), clock_skew), None);
        assert_eq!(
            check(&[], &facts(-2_600, 500), clock_skew),
            Some("its clock is 2 s behind the one here".to_owned())
        );
        assert_eq!(check(&[], &facts(i64::MIN, i64::MAX), clock_skew), None);
        assert_eq!(check(&[], &Facts::default(), clock_skew), None);
    }

    #[test]
    fn an_etcd_host_may_run_docker_and_no_etcd() {
        let facts = Facts {
            running: ["docker", "etcd"].map(str::to_owned).into(),
            ..Facts::default()
        };
        let of = |roles: &[MachineRole]| check(roles, &facts, conflicting_software).unwrap();
        assert!(of(&[MachineRole::Etcd]).ends_with(": etcd"));
        assert!(of(&[MachineRole::Worker]).ends_with(": docker, etcd"));
    }

    #[test]
    fn units_of_others_stand_in_the_way_where_keelson_brings_its_own() {
        let file = |unit: &str| (unit.to_owned(), format!("/usr/lib/systemd/system/{unit}"));
        let facts = Facts {
            foreign_units: ["etcd.service", "etcd-events.service", KUBELET_UNIT]
                .map(file)
                .into(),
            ..Facts::default()
        };
        let of = |roles: &[MachineRole]| check(roles, &facts, foreign_unit);
        assert_eq!(
            of(&[MachineRole::Etcd]).unwrap(),
            "someone else's unit has the name of one that keelson brings: etcd.service \
             (/usr/lib/systemd/system/etcd.service)"
        );
        assert!(of(&[MachineRole::Worker]).unwrap().contains(": kubelet.service"));
        assert_eq!(of(&[]), None);
        assert_eq!(check(&[MachineRole::Etcd], &Facts::default(), foreign_unit), None);
    }

    #[test]
    fn hostnames_are_names() {
        for (name, good) in [
            ("a", true),
            ("a.example.com", true),
            ("A", false),
            ("", false),
            ("a_b", false),
            ("localhost", false),
        ] {
            let facts = Facts {
                hostname: name.to_owned(),
                ..Facts::default()
            };
            assert_eq!(check(&[], &facts, hostname).is_none(), good, "{name}");
        }
    }
}
