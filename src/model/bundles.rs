//! What each machine runs: versions, a digest of everything that ends up in its configuration, and its certificates.

use keelson_provider_api::kinds::{MachineRole, NodeBundle};
use keelson_provider_api::{Kind, ResourceKey};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::certificates::MachineCertificates;
use super::classes::Classes;
use crate::node::{AssetIndex, HostIdentity, RenderError};
use crate::plan::DesiredState;

pub(super) fn build(
    blueprint: &Blueprint<'_>,
    assets: &AssetIndex,
    desired: &mut DesiredState,
) -> Result<(), RenderError> {
    let mut classes = Classes::new(blueprint, assets);
    for machine in &blueprint.machines {
        let files = classes.of(machine)?;
        let bundle = NodeBundle {
            machine: machine.name.clone(),
            kubernetes_version: machine
                .runs_kubelet()
                .then_some(blueprint.spec.kubernetes_version),
            etcd_version: if machine.is(MachineRole::Etcd) {
                blueprint.spec.etcd.version
            } else {
                None
            },
            settings: files.digest(host_identity(machine).as_ref()),
            certificates: MachineCertificates::of(blueprint, machine).digest(),
        };
        desired.add(ResourceKey::new(Kind::NodeBundle, &*machine.name), bundle);
    }
    Ok(())
}

/// What is a machine's own; `None` where the address that others reach it at is not known.
pub fn host_identity(machine: &MachineBlueprint<'_>) -> Option<HostIdentity> {
    Some(HostIdentity {
        name: machine.name.clone(),
        address: machine.internal_address?,
    })
}
