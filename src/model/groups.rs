//! Node groups that the cloud keeps at their size: on AWS, Auto Scaling groups. Elsewhere each worker is a machine of its own.
//!
//! What a machine of a group starts from is the same for all of them. It is part of the group, so that whatever changes in it
//! makes those that were started before outdated.

use std::collections::BTreeSet;

use keelson_provider_api::kinds::NodeGroup;
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, GroupBlueprint};
use super::classes::Classes;
use super::{addons, addresses, endpoint, machines, network, roles};
use crate::node::{AssetIndex, RenderError};
use crate::plan::DesiredState;

pub(super) fn build(
    blueprint: &Blueprint<'_>,
    assets: &AssetIndex,
    desired: &mut DesiredState,
) -> Result<(), RenderError> {
    let mut classes = Classes::new(blueprint, assets);
    for group in &blueprint.groups {
        let key = ResourceKey::new(Kind::NodeGroup, group.spec.name.as_str());
        // Its machines join by themselves: the API is there, kubelets are let in, and what they install comes from outside.
        let (mut after, any) = endpoint::reachable(blueprint);
        after.push(addons::access_key());
        after.extend(ways_out(blueprint, group));
        desired.add_after(key.clone(), of(blueprint, &mut classes, group)?, after, any);
        // Its nodes are Ready once they have a network.
        desired.ends_with(&key, addons::network_keys(blueprint));
    }
    Ok(())
}

fn of(
    blueprint: &Blueprint<'_>,
    classes: &mut Classes<'_>,
    group: &GroupBlueprint<'_>,
) -> Result<NodeGroup, RenderError> {
    let spec = group.spec;
    let machine = &group.machine;
    let zones = group.zones.iter();
    // The cloud keeps no order of them.
    let subnets: BTreeSet<String> = zones
        .map(|zone| network::machine_subnet(blueprint, zone))
        .collect();
    Ok(NodeGroup {
        min: spec.min.unwrap_or(spec.replicas),
        max: spec.max.unwrap_or(spec.replicas),
        replicas: spec.replicas,
        max_surge: spec.rolling.max_surge,
        subnets: subnets.into_iter().collect(),
        firewall: machines::firewall(machine).to_owned(),
        role: roles::name(blueprint, machine),
        machine_type: spec.machine.machine_type.clone(),
        types: spec.types.clone(),
        image: spec.machine.image.clone(),
        root_volume: spec.machine.root_volume,
        kms_key: spec.machine.kms_key.clone(),
        spot_share: spec.spot.then(|| spec.spot_share.unwrap_or(100)),
        kubernetes_version: blueprint.spec.kubernetes_version,
        labels: spec.labels.clone(),
        taints: spec.taints.clone(),
        settings: classes.of(machine)?.digest(None),
    })
}

fn ways_out(blueprint: &Blueprint<'_>, group: &GroupBlueprint<'_>) -> BTreeSet<ResourceKey> {
    let is_public = addresses::machines_are_public(blueprint.spec);
    let zones = group.zones.iter();
    zones
        .filter_map(|zone| network::way_out_of(blueprint, zone, is_public))
        .collect()
}
