//! The configuration of each machine.

use keelson_provider_api::kinds::{MachineRole, NodeBundle};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::{Value, json};

use super::blueprint::{Blueprint, MachineBlueprint};
use crate::plan::DesiredState;

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    let settings = Settings::of(blueprint);
    for machine in &blueprint.machines {
        let runs_etcd = machine.is(MachineRole::Etcd);
        let bundle = NodeBundle {
            machine: machine.name.clone(),
            kubernetes_version: machine
                .runs_kubelet()
                .then_some(blueprint.spec.kubernetes_version),
            etcd_version: if runs_etcd {
                blueprint.spec.etcd.version
            } else {
                None
            },
            settings: settings.digest(machine),
            certificates: None,
        };
        desired.add(ResourceKey::new(Kind::NodeBundle, &*machine.name), bundle);
    }
}

/// The parts of a spec that end up in a machine's configuration, by what the machine is for. A change that a role
/// does not see leaves its machines alone.
struct Settings {
    etcd: Value,
    node: Value,
    control_plane: Value,
}

impl Settings {
    fn of(blueprint: &Blueprint<'_>) -> Self {
        let spec = blueprint.spec;
        Self {
            etcd: json!({
                "heartbeat": spec.etcd.heartbeat,
                "electionTimeout": spec.etcd.election_timeout,
                "quota": spec.etcd.quota,
                "snapshots": spec.etcd.snapshots,
                "assets": spec.assets,
            }),
            node: json!({
                "kubelet": spec.kubelet,
                "containerd": spec.containerd,
                "clusterDNS": spec.network.service_cidr.address_at(10),
                "clusterDomain": spec.network.dns_domain,
                "sshKeys": spec.ssh.public_keys,
                "assets": spec.assets,
            }),
            control_plane: json!({
                "api": spec.api,
                "endpoint": blueprint.endpoint().to_string(),
                "podCIDR": spec.network.pod_cidr,
                "serviceCIDR": spec.network.service_cidr,
                "dnsDomain": spec.network.dns_domain,
                "plugin": spec.network.plugin,
                "etcdPlacement": spec.etcd.placement,
                "etcdEvents": spec.etcd.events,
            }),
        }
    }

    fn digest(&self, machine: &MachineBlueprint<'_>) -> Digest {
        let part = |included: bool, value: &Value| if included { value.clone() } else { Value::Null };
        Digest::of_json(&[
            part(machine.is(MachineRole::Etcd), &self.etcd),
            part(machine.runs_kubelet(), &self.node),
            part(machine.is(MachineRole::ControlPlane), &self.control_plane),
        ])
    }
}
