//! What stands in the way of a claim, and what someone should know before one: everything on all hosts, found before
//! anything is touched.

mod checks;
mod duplicates;
mod firewall;
mod needs;
mod nodes;

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::{Kind, Machine, MachineRole};
use keelson_provider_api::{
    Action, BundleSource, Change, ClusterIdentity, Finding, FoundOnMachine, Resource, Severity,
};

use crate::certificates;
use crate::facts::{Facts, FactsError, Scope};
use crate::hosts::Hosts;
use crate::session::root::is_about_root;
use crate::shell::{HostError, HostErrorKind};
use checks::{Problem, Subject};
pub use needs::HostNeeds;

/// Which hosts a check concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concerns {
    /// Every host.
    All,
    /// Those that run kubelet and containers: control planes and workers.
    Nodes,
}

/// A finding that there can be.
#[derive(Debug, Clone, Copy)]
pub struct FindingRow {
    /// Its name. That of a port that is taken has the number behind it: `port-2379`.
    pub name: &'static str,
    /// Which hosts it concerns.
    pub concerns: Concerns,
    /// Whether it stands in the way, or is only told.
    pub severity: Severity,
    /// Whether a user may let it pass.
    pub can_be_ignored: bool,
    /// What to do about it; `{host}` stands for the host's name, `{folder}` for that of the data of an etcd on it.
    pub help: &'static str,
    check: Option<fn(&Subject<'_>) -> Problem>,
}

const fn row(
    name: &'static str,
    concerns: Concerns,
    can_be_ignored: bool,
    check: Option<fn(&Subject<'_>) -> Problem>,
    help: &'static str,
) -> FindingRow {
    FindingRow {
        name,
        concerns,
        severity: Severity::Error,
        can_be_ignored,
        help,
        check,
    }
}

impl FindingRow {
    /// The same, told and no more: it works, and may not for long.
    const fn that_only_warns(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }
}

/// Every finding that there can be, in the order in which those of a host are shown. Those of kubeadm's preflight that
/// concern hosts are among them (`kubeadm init phase preflight`, v1.36).
#[rustfmt::skip]
pub const FINDINGS: &[FindingRow] = &[
    row("unreachable", Concerns::All, false, None, "see whether {host} is switched on and its address in the spec is right"),
    row("host-key", Concerns::All, false, None, "compare the key with the one on {host}'s own console before you add it"),
    row("login", Concerns::All, false, None, "put your public key on {host}: ssh-copy-id"),
    row("sudo", Concerns::All, false, None, "log in as root, or let the user use sudo on {host}"),
    row("duplicate-host", Concerns::All, false, None, "give each machine a host of its own; where hosts were copied, make new ids: rm /etc/machine-id && systemd-machine-id-setup"),
    row("other-cluster", Concerns::All, false, Some(checks::other_cluster), "destroy that cluster first, or take another host; see /var/lib/keelson/host.json on {host}"),
    row("etcd-data", Concerns::All, false, Some(checks::etcd_data), "see whose it is; when nobody needs it, move it away, such as by mv {folder} {folder}.old"),
    row("os", Concerns::All, true, Some(checks::os), "install a system that keelson is made for, such as Debian 12 or 13, or Ubuntu 22.04 or 24.04"),
    row("untested-system", Concerns::All, true, Some(checks::untested_system), "try it where nothing is at stake first; those that keelson is made for are Debian 12 and 13, and Ubuntu 22.04 and 24.04").that_only_warns(),
    row("architecture", Concerns::All, true, Some(checks::architecture), "take another host"),
    row("cpu", Concerns::All, true, Some(checks::cpu), "give {host} more CPUs"),
    row("memory", Concerns::All, true, Some(checks::memory), "give {host} more memory"),
    row("disk", Concerns::All, true, Some(checks::disk), "make room on {host}, or mount a larger disk at /var/lib"),
    row("swap", Concerns::Nodes, true, Some(checks::swap), "switch it off: swapoff -a, and take it out of /etc/fstab; or set failSwapOn: false in spec.kubelet.config"),
    row("cgroup-v2", Concerns::Nodes, true, Some(checks::cgroup), "boot with systemd.unified_cgroup_hierarchy=1; or set failCgroupV1: false in spec.kubelet.config"),
    row("port", Concerns::All, true, None, "see what listens there and stop it: ss -ltnp"),
    row("clock-skew", Concerns::All, true, Some(checks::clock_skew), "set the clocks: install chrony on {host}, and see whether the clock here is right"),
    row("time-sync", Concerns::All, true, Some(checks::time_sync), "install a time service before clocks part: apt-get install chrony").that_only_warns(),
    row("firewall", Concerns::All, true, Some(firewall::firewall), "let the hosts of the cluster reach each other at the ports that it names: firewall-cmd --permanent --add-port=PORT/tcp && firewall-cmd --reload, or ufw allow PORT/tcp; VRRP, where it is named: firewall-cmd --permanent --add-protocol=vrrp; pods, where they are named: iptables -I FORWARD -s RANGE -j ACCEPT && iptables -I FORWARD -d RANGE -j ACCEPT, and keep that over a reboot").that_only_warns(),
    row("hostname", Concerns::All, true, Some(checks::hostname), "give it one of lower-case letters, digits and dashes: hostnamectl set-hostname {host}"),
    row("conflicting-software", Concerns::All, true, Some(checks::conflicting_software), "remove it, or take another host"),
    row("foreign-unit", Concerns::All, true, Some(checks::foreign_unit), "remove it from {host} with the package that brought it (dpkg -S FILE; apt-get purge etcd-server), or take another host"),
    row("kernel-modules", Concerns::Nodes, true, None, "install the kernel's modules on {host} (on Ubuntu: apt-get install linux-modules-extra-$(uname -r)), or take another kernel"),
    row("node-programs", Concerns::Nodes, true, None, "install them on {host} with its package manager: apt-get install nftables"),
    row("container-runtime", Concerns::Nodes, true, None, "remove it from {host}; or set spec.containerd.source to `host` to use what is installed, or to `upstream` to have it brought"),
    row("certificates", Concerns::All, true, None, "have the owner of their authority issue them and put them on {host} with their keys (`keelson render` writes what each is to be, as certificates.yaml); or name the file with its key in spec.pki.authorities"),
    row("missing-programs", Concerns::All, true, Some(checks::missing_programs), "install them on {host} with its package manager"),
];

/// Everything that stands in the way of the claims among `changes`, by host and then in the order of [`FINDINGS`].
pub(crate) async fn findings(
    hosts: &Hosts,
    bundles: &dyn BundleSource,
    cluster: &ClusterIdentity,
    changes: &[&Change],
    needs: &HostNeeds,
) -> Vec<Finding> {
    let claims: BTreeMap<&str, &Machine> = changes.iter().filter_map(|change| claim(change)).collect();
    let names: Vec<String> = claims.keys().map(|&name| name.to_owned()).collect();
    let answers = hosts
        .each(names, |name| {
            Box::pin(async move { hosts.facts(&name, Scope::All).await })
        })
        .await;
    let mut findings = duplicates::findings(hosts, &answers);
    for (name, answer) in &answers {
        let Some(machine) = claims.get(name.as_str()) else {
            continue;
        };
        match answer {
            Ok(facts) => {
                findings.extend(of_facts(name, cluster, &machine.roles, facts, needs));
                findings.extend(of_certificates(hosts, bundles, name, facts).await);
            }
            Err(error) => findings.push(of_error(name, error)),
        }
    }
    findings.extend(nodes::findings(hosts, &claims, needs).await);
    let place = |finding: &Finding| FINDINGS.iter().position(|row| finding.name.starts_with(row.name));
    findings.sort_by_key(|finding| (finding.machine.clone(), place(finding), finding.name.clone()));
    findings
}

fn claim(change: &Change) -> Option<(&str, &Machine)> {
    match &change.action {
        Action::Create { resource, .. } if change.key.kind() == Kind::Machine => match &**resource {
            Resource::Machine(machine) => Some((change.key.name(), machine)),
            _ => None,
        },
        _ => None,
    }
}

fn of_facts(
    name: &str,
    cluster: &ClusterIdentity,
    roles: &BTreeSet<MachineRole>,
    facts: &Facts,
    needs: &HostNeeds,
) -> Vec<Finding> {
    let subject = Subject {
        name,
        cluster,
        roles,
        facts,
        needs,
    };
    let concerned = |row: &&FindingRow| row.concerns == Concerns::All || subject.is_node();
    let checked = FINDINGS.iter().filter(concerned).filter_map(|row| {
        let problem = row.check?(&subject)?;
        let mut finding = finding(row, name, problem);
        if let (Some(help), Some(folder)) = (&mut finding.help, subject.etcd_folders().next()) {
            *help = help.replace("{folder}", folder);
        }
        Some(finding)
    });
    let taken = needs.ports(roles).into_iter().filter_map(|(port, user)| {
        let owner = facts.listeners.get(&port)?;
        let problem = format!("{owner} listens at port {port}, which {user} needs");
        Some(Finding {
            name: format!("port-{port}"),
            ..found("port", name, problem)
        })
    });
    checked.chain(taken).collect()
}

/// Certificates that are to be on a host before it is configured. One that cannot be asked says so soon enough.
async fn of_certificates(
    hosts: &Hosts,
    bundles: &dyn BundleSource,
    name: &str,
    facts: &Facts,
) -> Option<Finding> {
    // Where nothing is lacking when there is nothing, nobody need look.
    if bundles.lacking(name, &FoundOnMachine::default()).await.is_empty() {
        return None;
    }
    let shell = hosts.need(name).ok()?;
    let found = certificates::found(&*shell, facts, &bundles.paths(name))
        .await
        .ok()?;
    let lacking = bundles.lacking(name, &found).await;
    (!lacking.is_empty()).then(|| {
        let problem = format!("certificates that keelson cannot issue: {}", lacking.join("; "));
        self::found("certificates", name, problem)
    })
}

fn of_error(name: &str, error: &FactsError) -> Finding {
    let (row, problem, help) = match error {
        FactsError::Host(error) => (row_of(error), error.problem.clone(), error.help.clone()),
        FactsError::Unknown(error) => ("unreachable", error.message.clone(), error.help.clone()),
        FactsError::Rubbish { .. } => ("unreachable", error.to_string(), None),
    };
    let finding = found(row, name, problem);
    Finding {
        help: help.or_else(|| finding.help.clone()),
        ..finding
    }
}

fn row_of(error: &HostError) -> &'static str {
    match error.kind {
        HostErrorKind::Unreachable | HostErrorKind::Lost => "unreachable",
        HostErrorKind::HostKey => "host-key",
        HostErrorKind::Denied if is_about_root(error) => "sudo",
        HostErrorKind::Denied => "login",
    }
}

/// A finding of the row `row`.
fn found(row: &'static str, machine: &str, problem: String) -> Finding {
    match FINDINGS.iter().find(|known| known.name == row) {
        Some(row) => finding(row, machine, problem),
        None => Finding {
            machine: machine.to_owned(),
            name: row.to_owned(),
            severity: Severity::Error,
            problem,
            help: None,
            can_be_ignored: false,
        },
    }
}

fn finding(row: &FindingRow, machine: &str, problem: String) -> Finding {
    Finding {
        machine: machine.to_owned(),
        name: row.name.to_owned(),
        severity: row.severity,
        problem,
        help: Some(row.help.replace("{host}", machine)),
        can_be_ignored: row.can_be_ignored,
    }
}

#[cfg(test)]
mod tests;
