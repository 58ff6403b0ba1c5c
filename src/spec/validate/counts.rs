//! Numbers of machines.

use keelson_provider_api::values::TaintEffect;

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ClusterSpec, ControlPlane, EtcdPlacement, Family};

/// Where a number of machines is decided: by its field, or for bare hosts by the list.
fn place(spec: &ClusterSpec, field: Path) -> Path {
    if spec.provider.family() == Family::Ssh {
        path_of!("spec", "provider", spec.provider.field(), "hosts")
    } else {
        field
    }
}

pub(super) fn control_planes(spec: &ClusterSpec, found: &mut Found) {
    let replicas = spec.control_plane.replicas;
    let path = place(spec, path_of!("spec", "controlPlane", "replicas"));
    let is_stacked = matches!(spec.etcd.placement, EtcdPlacement::Stacked);
    let has_none_by_another_rule = replicas == 0 && spec.provider.family() == Family::Ssh;
    if has_none_by_another_rule || spec.is_etcd_alone() {
        return;
    }
    if !(1..=7).contains(&replicas) {
        found.error(
            Finding::new(path, format!("a cluster cannot have {replicas} control planes")).expected(
                if is_stacked {
                    "1, 3, 5 or 7"
                } else {
                    "between 1 and 7; 0 with dedicated etcd and without nodeGroups, for a cluster of etcd alone"
                },
            ),
        );
    } else if is_stacked && replicas.is_multiple_of(2) {
        found.error(even(spec, path, replicas, "control planes", "1, 3, 5 or 7"));
    }
}

pub(super) fn dedicated_etcd(spec: &ClusterSpec, found: &mut Found) {
    let EtcdPlacement::Dedicated(dedicated) = &spec.etcd.placement else {
        return;
    };
    let replicas = dedicated.replicas;
    let path = place(
        spec,
        path_of!("spec", "etcd", "placement", "dedicated", "replicas"),
    );
    match replicas {
        1 | 3 | 5 => {}
        0 if spec.provider.family() == Family::Ssh => {}
        2 | 4 => found.error(even(spec, path, replicas, "etcd members", "1, 3 or 5")),
        _ => found.error(
            Finding::new(path, format!("a cluster cannot have {replicas} etcd members"))
                .expected("1, 3 or 5"),
        ),
    }
}

fn even(spec: &ClusterSpec, path: Path, replicas: u32, what: &str, expected: &str) -> Finding {
    let fewer = replicas - 1;
    let where_one_is_lost = if spec.provider.family() == Family::Ssh {
        "; where a machine is gone for good, put another one in its place"
    } else {
        ""
    };
    Finding::new(
        path,
        format!("{replicas} {what} can lose no more of them than {fewer} could"),
    )
    .expected(expected)
    .help(format!(
        "etcd needs a majority: write {fewer} or {}{where_one_is_lost}",
        replicas + 1
    ))
}

pub(super) fn scaling(spec: &ClusterSpec, found: &mut Found) {
    for (index, group) in spec.node_groups.iter().enumerate() {
        let path = path_of!("spec", "nodeGroups", index);
        let replicas = group.replicas;
        if let (Some(min), Some(max)) = (group.min, group.max)
            && min > max
        {
            let problem = format!("min {min} is above max {max}");
            found.error(Finding::new(path.then("min"), problem).help("exchange the two"));
            continue;
        }
        if let Some(min) = group.min.filter(|min| replicas < *min) {
            let problem = format!("{replicas} is below min {min}");
            found.error(Finding::new(path.then("replicas"), problem).expected(format!("at least {min}")));
        }
        if let Some(max) = group.max.filter(|max| replicas > *max) {
            let problem = format!("{replicas} is above max {max}");
            found.error(Finding::new(path.then("replicas"), problem).expected(format!("at most {max}")));
        }
    }
}

pub(super) fn workloads_have_a_place(spec: &ClusterSpec, found: &mut Found) {
    if spec.is_etcd_alone() {
        return;
    }
    let own = ControlPlane::default_taint();
    let keeps_away = |effect: TaintEffect| effect != TaintEffect::PreferNoSchedule;
    let control_planes_take_none = spec
        .control_plane
        .taints
        .iter()
        .flatten()
        .any(|taint| *taint == own || keeps_away(taint.effect));
    if spec
        .node_groups
        .iter()
        .all(|group| group.replicas == 0 && group.max.unwrap_or(0) == 0)
        && control_planes_take_none
    {
        found.warn(
            Finding::new(
                place(spec, path_of!("spec", "nodeGroups")),
                "no node takes workloads: there are no workers, and control planes are tainted",
            )
            .help("add a node group, or write `controlPlane: { taints: [] }`"),
        );
    }
}
