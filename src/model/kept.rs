//! What is kept for a machine while machines of its name come and go: its address and its etcd data.

use keelson_provider_api::kinds::{MachineRole, NetworkInterface, Volume};
use keelson_provider_api::values::Quantity;
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::{addresses, machines, network};
use crate::plan::DesiredState;
use crate::spec::Family;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    for machine in &blueprint.machines {
        if let Some(volume) = volume(blueprint, machine) {
            desired.add(ResourceKey::new(Kind::Volume, &*machine.name), volume);
        }
        if let Some(interface) = interface(blueprint, machine) {
            desired.add(
                ResourceKey::new(Kind::NetworkInterface, &*machine.name),
                interface,
            );
        }
    }
}

/// The volume of `machine`, where its etcd data has one.
pub(super) fn volume(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Option<Volume> {
    let zone = machine.zone.clone().filter(|_| machine.is(MachineRole::Etcd))?;
    let wanted = blueprint.spec.etcd.volume.as_ref();
    let wanted = wanted.filter(|_| blueprint.family == Family::Aws)?;
    Some(Volume {
        machine: machine.name.clone(),
        zone,
        // AWS has volumes of whole gibibytes.
        size: Quantity::from_gibibytes(wanted.size.bytes().div_ceil(1 << 30)),
        encrypted: true,
        kms_key: wanted.kms_key.clone(),
    })
}

/// The interface of `machine`, where its address stays.
pub(super) fn interface(
    blueprint: &Blueprint<'_>,
    machine: &MachineBlueprint<'_>,
) -> Option<NetworkInterface> {
    let zone = machine
        .zone
        .as_ref()
        .filter(|_| blueprint.family == Family::Aws)?;
    Some(NetworkInterface {
        machine: machine.name.clone(),
        subnet: network::machine_subnet(blueprint, zone),
        firewall: machines::firewall(machine).to_owned(),
        address: machine.internal_address?,
        public: addresses::machines_are_public(blueprint.spec),
    })
}
