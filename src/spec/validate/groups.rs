//! Node groups.

use super::labels::{check_labels, check_taints};
use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{ClusterSpec, Family};

/// Names that keelson gives to machines of its own.
const RESERVED: &[&str] = &["control-plane", "etcd", "bastion"];

pub(super) fn names(spec: &ClusterSpec, found: &mut Found) {
    let names: Vec<&str> = spec.node_groups.iter().map(|group| group.name.as_str()).collect();
    for_each_repetition(&names, |later, first| {
        let problem = format!(
            "nodeGroups[{first}] has the name `{}` too",
            names.get(later).unwrap_or(&"")
        );
        found.error(
            Finding::new(path_of!("spec", "nodeGroups", later, "name"), problem)
                .help("give each group a name of its own"),
        );
    });
    for (index, name) in names
        .iter()
        .enumerate()
        .filter(|(_, name)| RESERVED.contains(name))
    {
        found.error(
            Finding::new(
                path_of!("spec", "nodeGroups", index, "name"),
                format!("`{name}` is a name that keelson uses itself"),
            )
            .help(format!("choose another, such as `{name}-workers`")),
        );
    }
}

pub(super) fn labels_and_taints(spec: &ClusterSpec, found: &mut Found) {
    let control_plane = path_of!("spec", "controlPlane");
    check_labels(&control_plane.then("labels"), &spec.control_plane.labels, found);
    if let Some(taints) = &spec.control_plane.taints {
        check_taints(&control_plane.then("taints"), taints, found);
    }
    for (index, group) in spec.node_groups.iter().enumerate() {
        let path = path_of!("spec", "nodeGroups", index);
        check_labels(&path.then("labels"), &group.labels, found);
        check_taints(&path.then("taints"), &group.taints, found);
    }
}

pub(super) fn spot(spec: &ClusterSpec, found: &mut Found) {
    let family = spec.provider.family();
    let reason = match family {
        Family::Aws => return,
        Family::Digitalocean => "DigitalOcean has no spare capacity for a lower price",
        Family::Ssh => "bare hosts have no spare capacity for a lower price",
    };
    for (index, _) in spec
        .node_groups
        .iter()
        .enumerate()
        .filter(|(_, group)| group.spot)
    {
        found.error(
            Finding::new(path_of!("spec", "nodeGroups", index, "spot"), reason).help("remove the field"),
        );
    }
}
