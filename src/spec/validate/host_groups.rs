//! Bare hosts in node groups, and how many there are of each role and group.

use std::collections::HashSet;

use super::Found;
use super::hosts::{base, has_hosts};
use crate::spec::check::nearest;
use crate::spec::complete::count;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ClusterSpec, EtcdPlacement, HostRole};

/// How many groups a message lists, and for how many unknown ones it looks for what was meant.
const SHOWN_GROUPS: usize = 20;

pub(super) fn of_known_groups(spec: &ClusterSpec, found: &mut Found) {
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
                    .help("add the role worker, or remove the group")
                    .rests_on(base(spec).then(index).then("roles")),
            );
        } else if !all.contains(group.as_str()) {
            let names: Vec<&str> = known().take(SHOWN_GROUPS).collect();
            let finding = Finding::new(path, format!("there is no node group `{group}`"))
                .rests_on(path_of!("spec", "nodeGroups"));
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
}

pub(super) fn of_each_group(spec: &ClusterSpec, found: &mut Found) {
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
                ))
                .rests_on(base(spec)),
            );
        } else {
            agree(
                spec,
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

pub(super) fn of_each_role(spec: &ClusterSpec, found: &mut Found) {
    if !has_hosts(spec) {
        return;
    }
    let control_planes = count(spec.hosts_with(HostRole::ControlPlane).count());
    // That there is none is an error of its own.
    if control_planes > 0 {
        let path = path_of!("spec", "controlPlane", "replicas");
        let verb = "have the role control-plane";
        agree(
            spec,
            &path,
            spec.control_plane.replicas,
            control_planes,
            verb,
            found,
        );
    }
    let etcd_hosts = count(spec.hosts_with(HostRole::Etcd).count());
    if let (EtcdPlacement::Dedicated(dedicated), 1..) = (&spec.etcd.placement, etcd_hosts) {
        let path = path_of!("spec", "etcd", "placement", "dedicated", "replicas");
        let verb = "have the role etcd";
        agree(spec, &path, dedicated.replicas, etcd_hosts, verb, found);
    }
}

fn agree(spec: &ClusterSpec, path: &Path, replicas: u32, hosts: u32, what: &str, found: &mut Found) {
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
            .help("leave the field out: the number follows from the list of hosts")
            .rests_on(base(spec)),
        );
    }
}
