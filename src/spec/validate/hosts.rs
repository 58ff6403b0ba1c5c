//! Bare hosts.

use std::net::IpAddr;

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ClusterSpec, EtcdPlacement, HostRole, Provider, comparable};

pub(super) fn base(spec: &ClusterSpec) -> Path {
    path_of!("spec", "provider", spec.provider.field(), "hosts")
}

pub(super) fn has_hosts(spec: &ClusterSpec) -> bool {
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
    let addresses: Vec<String> = hosts.iter().map(|host| comparable(&host.address)).collect();
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
    for (index, host) in hosts.iter().enumerate() {
        let path = base(spec).then(index);
        if host.is_local() && hosts.len() > 1 {
            found.error(
                Finding::new(
                    path.then("address"),
                    "`local` stands for this machine, which other hosts cannot reach by it",
                )
                .help("write the address under which the other hosts reach this machine"),
            );
        }
        if let Ok(address) = host.address.parse::<IpAddr>() {
            let help = "write `local` for the machine that runs keelson";
            check_reachable(spec, address, &path.then("address"), help, found);
        }
        if let Some(address) = host.private_address {
            let help = "write the address under which the other machines reach it";
            check_reachable(spec, address, &path.then("privateAddress"), help, found);
        }
    }
}

/// An address of a host is neither the host's own alone nor one of pods or services.
fn check_reachable(spec: &ClusterSpec, address: IpAddr, path: &Path, if_loopback: &str, found: &mut Found) {
    if address.to_canonical().is_loopback() {
        found.error(
            Finding::new(path.clone(), format!("`{address}` is a loopback address")).help(if_loopback),
        );
    }
    for (field, range) in [
        ("podCIDR", spec.network.pod_cidr),
        ("serviceCIDR", spec.network.service_cidr),
    ] {
        if range.contains(address.to_canonical()) {
            found.error(
                Finding::new(path.clone(), format!("`{address}` lies in the {field} {range}"))
                    .help(format!("choose another `spec.network.{field}`")),
            );
        }
    }
}

/// What other machines connect to listens on an IP address.
pub(super) fn internal_addresses(spec: &ClusterSpec, found: &mut Found) {
    let hosts = spec.provider.hosts();
    let base = base(spec);
    let addresses: Vec<String> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let internal = host.internal_address();
            let internal = internal.map(|address| address.to_canonical().to_string());
            internal.unwrap_or_else(|| format!("unknown {index}"))
        })
        .collect();
    for_each_repetition(&addresses, |later, first| {
        let is_given = |index: usize| {
            hosts
                .get(index)
                .is_some_and(|host| host.private_address.is_some())
        };
        // Equal `address`es are reported already.
        if is_given(later) || is_given(first) {
            let problem = format!("the other machines reach hosts[{first}] under it too");
            let field = if is_given(later) {
                "privateAddress"
            } else {
                "address"
            };
            found.error(
                Finding::new(base.then(later).then(field), problem)
                    .help("give each machine an address of its own"),
            );
        }
    });
    if !matches!(spec.provider, Provider::Ssh(_)) {
        return;
    }
    for (index, host) in hosts.iter().enumerate() {
        if host.internal_address().is_none() {
            let problem = format!(
                "`{}` is a name, and machines reach each other at IP addresses",
                host.address
            );
            found.error(Finding::new(base.then(index).then("address"), problem).help(
                "write the machine's IP address, or add the one under which the others reach it: `privateAddress: 10.0.0.11`",
            ));
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
    if spec.hosts_with(HostRole::ControlPlane).next().is_none() && !spec.is_etcd_alone() {
        found.error(
            Finding::new(base(spec), "no host has the role control-plane")
                .help(
                    "give it to one host, or to three to survive the loss of one; for etcd without Kubernetes, write \
                     `roles: [etcd]` at each host and `etcd: { placement: { dedicated: {} } }`",
                ),
        );
    }
    if is_dedicated && spec.hosts_with(HostRole::Etcd).next().is_none() {
        found.error(
            Finding::new(base(spec), "etcd is dedicated, but no host has the role etcd")
                .help("give it to one, three or five hosts"),
        );
    }
}
