//! Bare hosts.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Found, for_each_repetition};
use crate::spec::check::nearest;
use crate::spec::complete::count;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ClusterSpec, EtcdPlacement, Family, Host, HostRole};

/// The address that stands for the machine that runs keelson.
const LOCAL: &str = "local";

fn base(spec: &ClusterSpec) -> Path {
    path_of!("spec", "provider", spec.provider.field(), "hosts")
}

fn has_hosts(spec: &ClusterSpec) -> bool {
    !spec.provider.hosts().is_empty()
}

pub(super) fn identities(spec: &ClusterSpec, found: &mut Found) {
    let hosts = spec.provider.hosts();
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    for_each_repetition(&names, |later, first| {
        let problem = format!(
            "hosts[{first}] has the name `{}` too",
            names.get(later).unwrap_or(&"")
        );
        found.error(
            Finding::new(base(spec).then(later).then("name"), problem)
                .help("give each host a name of its own"),
        );
    });
    let addresses: Vec<String> = hosts
        .iter()
        .map(|host| host.address.to_ascii_lowercase())
        .collect();
    for_each_repetition(&addresses, |later, first| {
        let problem = format!("hosts[{first}] has this address too");
        found.error(
            Finding::new(base(spec).then(later).then("address"), problem)
                .help("name each machine once, with all its roles"),
        );
    });
}

pub(super) fn addresses(spec: &ClusterSpec, found: &mut Found) {
    let hosts = spec.provider.hosts();
    let ranges = [
        ("podCIDR", spec.network.pod_cidr),
        ("serviceCIDR", spec.network.service_cidr),
    ];
    for (index, host) in hosts.iter().enumerate() {
        let path = base(spec).then(index).then("address");
        if host.address == LOCAL && hosts.len() > 1 {
            found.error(
                Finding::new(
                    path.clone(),
                    "`local` stands for this machine, which other hosts cannot reach by it",
                )
                .help("write the address under which the other hosts reach this machine"),
            );
        }
        let Ok(address) = host.address.parse::<IpAddr>() else {
            continue;
        };
        if address.is_loopback() {
            found.error(
                Finding::new(path.clone(), format!("`{address}` is a loopback address"))
                    .help("write `local` for the machine that runs keelson"),
            );
        }
        for (field, range) in ranges {
            if range.contains(address) {
                found.error(
                    Finding::new(path.clone(), format!("`{address}` lies in the {field} {range}"))
                        .help(format!("choose another `spec.network.{field}`")),
                );
            }
        }
    }
}

pub(super) fn roles(spec: &ClusterSpec, found: &mut Found) {
    if !has_hosts(spec) {
        return;
    }
    let is_dedicated = matches!(spec.etcd.placement, EtcdPlacement::Dedicated(_));
    for (index, host) in spec.provider.hosts().iter().enumerate() {
        let path = base(spec).then(index).then("roles");
        for_each_repetition(&host.roles, |later, _| {
            found.error(Finding::new(path.then(later), "the role is repeated").help("remove it"));
        });
        if host.is(HostRole::Etcd) && !is_dedicated {
            found.error(
                Finding::new(path.clone(), "the role etcd is for machines that run etcd alone")
                    .help("write `etcd: { placement: { dedicated: {} } }`, or remove the role: control planes run etcd"),
            );
        } else if host.is(HostRole::Etcd) && host.roles.len() > 1 {
            found.error(
                Finding::new(path, "a dedicated etcd host has no other role").help(
                    "remove the other roles, or place etcd on the control planes with `placement: stacked`",
                ),
            );
        }
    }
    if spec.hosts_with(HostRole::ControlPlane).next().is_none() {
        found.error(
            Finding::new(base(spec), "no host has the role control-plane")
                .help("give it to one host, or to three to survive the loss of one"),
        );
    }
    if is_dedicated && spec.hosts_with(HostRole::Etcd).next().is_none() {
        found.error(
            Finding::new(base(spec), "etcd is dedicated, but no host has the role etcd")
                .help("give it to one, three or five hosts"),
        );
    }
}

/// How many groups a message lists, and for how many unknown ones it looks for what was meant.
const SHOWN_GROUPS: usize = 20;

pub(super) fn groups(spec: &ClusterSpec, found: &mut Found) {
    let known = || spec.node_groups.iter().map(|group| group.name.as_str());
    let all: HashSet<&str> = known().collect();
    let mut unknown = 0;
    for (index, host) in spec.provider.hosts().iter().enumerate() {
        let Some(group) = &host.group else {
            continue;
        };
        let path = base(spec).then(index).then("group");
        if !host.is(HostRole::Worker) {
            found.error(
                Finding::new(path, "only workers belong to a node group")
                    .help("add the role worker, or remove the group"),
            );
        } else if !all.contains(group.as_str()) {
            let names: Vec<&str> = known().take(SHOWN_GROUPS).collect();
            let finding = Finding::new(path, format!("there is no node group `{group}`"));
            let finding = if names.is_empty() {
                finding
            } else {
                finding.expected(format!("one of: {}", names.join(", ")))
            };
            unknown += 1;
            let meant = if unknown <= SHOWN_GROUPS {
                nearest(group.as_str(), known())
            } else {
                None
            };
            found.error(match meant {
                Some(name) => finding.help(format!("did you mean `{name}`?")),
                None => finding.help(format!("add it: `nodeGroups: [{{ name: {group} }}]`")),
            });
        }
    }
    if !has_hosts(spec) {
        return;
    }
    for (index, (group, hosts)) in spec.node_groups.iter().zip(spec.hosts_per_group()).enumerate() {
        let path = path_of!("spec", "nodeGroups", index);
        if hosts == 0 {
            found.error(
                Finding::new(
                    path.clone(),
                    format!("no host belongs to the node group `{}`", group.name),
                )
                .help(format!(
                    "write `group: {}` at its hosts, or remove the group",
                    group.name
                )),
            );
        } else {
            agree(
                &path.then("replicas"),
                group.replicas,
                hosts,
                "belong to the group",
                found,
            );
        }
        for (field, limit) in [("min", group.min), ("max", group.max)] {
            if limit.is_some() {
                found.error(
                    Finding::new(
                        path.then(field),
                        "bare hosts do not scale: their number is that of the list",
                    )
                    .help("remove the field"),
                );
            }
        }
    }
}

pub(super) fn counts_agree(spec: &ClusterSpec, found: &mut Found) {
    if !has_hosts(spec) {
        return;
    }
    let control_planes = count(spec.hosts_with(HostRole::ControlPlane).count());
    // That there is none is an error of its own.
    if control_planes > 0 {
        let path = path_of!("spec", "controlPlane", "replicas");
        let verb = "have the role control-plane";
        agree(&path, spec.control_plane.replicas, control_planes, verb, found);
    }
    let etcd_hosts = count(spec.hosts_with(HostRole::Etcd).count());
    if let (EtcdPlacement::Dedicated(dedicated), 1..) = (&spec.etcd.placement, etcd_hosts) {
        let path = path_of!("spec", "etcd", "placement", "dedicated", "replicas");
        agree(&path, dedicated.replicas, etcd_hosts, "have the role etcd", found);
    }
}

fn agree(path: &Path, replicas: u32, hosts: u32, what: &str, found: &mut Found) {
    if replicas != hosts {
        let noun = if hosts == 1 { "host" } else { "hosts" };
        let verb = if hosts == 1 {
            what.replacen("have", "has", 1).replacen("belong", "belongs", 1)
        } else {
            what.to_owned()
        };
        found.error(
            Finding::new(
                path.clone(),
                format!("`{replicas}` is given, but {hosts} {noun} {verb}"),
            )
            .help("leave the field out: the number follows from the list of hosts"),
        );
    }
}

pub(super) fn api_address(spec: &ClusterSpec, found: &mut Found) {
    if spec.provider.family() != Family::Ssh {
        return;
    }
    let path = path_of!("spec", "provider", spec.provider.field(), "apiAddress");
    let control_planes: Vec<&Host> = spec.hosts_with(HostRole::ControlPlane).collect();
    let Some(address) = spec.provider.api_address() else {
        if control_planes.len() > 1 {
            found.error(
                Finding::new(
                    path,
                    "several control planes need an address that does not belong to one of them",
                )
                .expected(
                    "a free IP address of their network, or a name or address that you balance yourself",
                )
                .help("for example `apiAddress: 10.0.0.100`"),
            );
        }
        return;
    };
    if address == LOCAL {
        found.error(
            Finding::new(path, "`local` is no address under which others reach the API")
                .help("write an IP address or a DNS name, or leave the field out"),
        );
        return;
    }
    let is_own = |host: &Host| host.address.eq_ignore_ascii_case(address);
    let single_control_plane = control_planes.len() == 1 && control_planes.iter().any(|host| is_own(host));
    if let (false, Some(host)) = (
        single_control_plane,
        spec.provider.hosts().iter().find(|host| is_own(host)),
    ) {
        found.error(
            Finding::new(
                path.clone(),
                format!("`{address}` is the address of the host `{}`", host.name),
            )
            .help("choose a free address: it moves between the control planes"),
        );
    }
    for (field, range) in [
        ("podCIDR", spec.network.pod_cidr),
        ("serviceCIDR", spec.network.service_cidr),
    ] {
        if address
            .parse::<IpAddr>()
            .is_ok_and(|address| range.contains(address))
        {
            found.error(Finding::new(
                path.clone(),
                format!("`{address}` lies in the {field} {range}"),
            ));
        }
    }
}
