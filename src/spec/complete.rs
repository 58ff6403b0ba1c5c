//! Defaults that depend on other fields.

use keelson_provider_api::values::{Name, TextValue};

use super::path::{Path, path_of};
use super::types::{
    AwsDns, AwsNat, AwsTopology, ClusterSpec, ControlPlane, EtcdPlacement, EtcdVolume, Family, HostRole,
    NodeGroup, Provider,
};
use super::versions;

/// The group that bare worker hosts form when a spec names none.
const DEFAULT_GROUP: &str = "workers";

/// Fills in what follows from other fields. `given` tells whether the file has a value at a path.
pub(crate) fn complete(spec: &mut ClusterSpec, given: &dyn Fn(&Path) -> bool) {
    if !matches!(spec.etcd.placement, EtcdPlacement::External(_)) {
        let kubernetes = spec.kubernetes_version;
        spec.etcd
            .version
            .get_or_insert_with(|| versions::default_etcd(kubernetes));
    }
    spec.control_plane
        .taints
        .get_or_insert_with(|| vec![ControlPlane::default_taint()]);
    // Two files that mean the same are the same, in whatever order their fields stand.
    for free_form in [
        &mut spec.kubelet.config,
        &mut spec.kube_proxy.config,
        &mut spec.containerd.config,
    ] {
        free_form.sort_keys();
        free_form
            .values_mut()
            .for_each(serde_json::Value::sort_all_objects);
    }
    match spec.provider.family() {
        Family::Ssh => complete_from_hosts(spec, given),
        Family::Aws => complete_aws(spec),
        Family::Digitalocean => {}
    }
}

/// What AWS is asked for follows from the zone that is named, from the topology, and from what exists already.
fn complete_aws(spec: &mut ClusterSpec) {
    if !matches!(spec.etcd.placement, EtcdPlacement::External(_)) {
        spec.etcd.volume.get_or_insert_with(EtcdVolume::default);
    }
    let (topology, nat, default) = match &mut spec.provider {
        Provider::Aws(aws) => {
            let has_zone = aws.hosted_zone.is_some();
            aws.dns
                .get_or_insert(if has_zone { AwsDns::Public } else { AwsDns::None });
            // Existing subnets have routes of their own, which are not keelson's to change.
            let default = if aws.network.subnets.is_empty() {
                AwsNat::Zone
            } else {
                AwsNat::None
            };
            (aws.topology, &mut aws.network.nat, default)
        }
        Provider::Simulated(simulated) => (simulated.topology, &mut simulated.nat, AwsNat::Zone),
        Provider::Digitalocean(_) | Provider::Ssh(_) => return,
    };
    if topology == AwsTopology::Private {
        nat.get_or_insert(default);
    }
}

/// Numbers of machines follow from the list of hosts.
fn complete_from_hosts(spec: &mut ClusterSpec, given: &dyn Fn(&Path) -> bool) {
    let control_planes = count(spec.hosts_with(HostRole::ControlPlane).count());
    if !given(&path_of!("spec", "controlPlane", "replicas")) {
        spec.control_plane.replicas = control_planes;
    }
    let etcd_hosts = count(spec.hosts_with(HostRole::Etcd).count());
    let is_given = given(&path_of!("spec", "etcd", "placement", "dedicated", "replicas"));
    if let (false, EtcdPlacement::Dedicated(dedicated)) = (is_given, &mut spec.etcd.placement) {
        dedicated.replicas = etcd_hosts;
    }
    // A host that names another group is reported by validation, not given one here.
    let is_ours = |group: &Option<Name>| group.as_ref().is_none_or(|name| name.as_str() == DEFAULT_GROUP);
    let has_workers = spec.hosts_with(HostRole::Worker).any(|host| is_ours(&host.group));
    if let (true, true, Ok(name)) = (
        has_workers,
        spec.node_groups.is_empty(),
        Name::parse_text(DEFAULT_GROUP),
    ) {
        spec.node_groups.push(NodeGroup::of_hosts(name, 0));
    }
    for (index, replicas) in spec.hosts_per_group().into_iter().enumerate() {
        let is_given = given(&path_of!("spec", "nodeGroups", index, "replicas"));
        if let (false, Some(group)) = (is_given, spec.node_groups.get_mut(index)) {
            group.replicas = replicas;
        }
    }
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
