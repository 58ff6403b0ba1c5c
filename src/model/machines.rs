//! Machines.

use keelson_provider_api::kinds::{Machine, MachineRole};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::network;
use crate::plan::DesiredState;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    for machine in &blueprint.machines {
        desired.add(
            ResourceKey::new(Kind::Machine, &*machine.name),
            of(blueprint, machine),
        );
    }
}

fn of(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Machine {
    let made = machine.machine;
    Machine {
        group: machine.group.clone(),
        roles: machine.roles.clone(),
        machine_type: made.and_then(|made| made.machine_type.clone()),
        image: made.and_then(|made| made.image.clone()),
        root_volume: made.and_then(|made| made.root_volume),
        spot: machine.spot,
        zone: machine.zone.clone(),
        subnet: machine
            .zone
            .as_ref()
            .map(|zone| network::machine_subnet(blueprint, zone)),
        firewall: blueprint.is_cloud().then(|| firewall(machine).to_owned()),
        address: machine.address.clone(),
    }
}

fn firewall(machine: &MachineBlueprint<'_>) -> &'static str {
    if machine.is(MachineRole::ControlPlane) {
        network::CONTROL_PLANE_FIREWALL
    } else if machine.is(MachineRole::Etcd) {
        network::ETCD_FIREWALL
    } else {
        network::NODES_FIREWALL
    }
}
