//! Machines.

use keelson_provider_api::kinds::{Machine, MachineRole};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::{addresses, firewalls, kept, network, roles};
use crate::plan::DesiredState;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    for machine in blueprint.all_machines() {
        // What it installs comes from outside.
        let zone = machine.zone.as_ref();
        let way_out =
            zone.and_then(|zone| network::way_out_of(blueprint, zone, is_public(blueprint, machine)));
        desired.add_after(
            ResourceKey::new(Kind::Machine, &*machine.name),
            of(blueprint, machine),
            way_out.into_iter().collect(),
            Vec::new(),
        );
    }
}

fn of(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Machine {
    let made = machine.machine;
    let interface = kept::interface(blueprint, machine);
    // What has an interface of its own is where that is.
    let has_own_place = interface.is_none();
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
            .filter(|_| has_own_place)
            .map(|zone| network::subnet_name(blueprint, zone, is_public(blueprint, machine))),
        firewall: (blueprint.is_cloud() && has_own_place).then(|| firewall(machine).to_owned()),
        address: machine.address.clone(),
        volume: kept::volume(blueprint, machine).map(|volume| volume.machine),
        network_interface: interface.map(|interface| interface.machine),
        role: roles::name(blueprint, machine),
    }
}

fn is_public(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> bool {
    addresses::machines_are_public(blueprint.spec) || machine.is(MachineRole::Bastion)
}

/// The name of the firewall that `machine` stands behind, where there are firewalls.
pub(super) fn firewall(machine: &MachineBlueprint<'_>) -> &'static str {
    if machine.is(MachineRole::ControlPlane) {
        firewalls::CONTROL_PLANE
    } else if machine.is(MachineRole::Etcd) {
        firewalls::ETCD
    } else if machine.is(MachineRole::Bastion) {
        firewalls::BASTION
    } else {
        firewalls::NODES
    }
}
