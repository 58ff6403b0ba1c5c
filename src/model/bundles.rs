//! What each machine runs: versions, a digest of everything that ends up in its configuration, and its certificates.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::etcd::{EVENTS, MAIN};
use keelson_provider_api::kinds::{MachineRole, NodeBundle};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::{Value, json};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::certificates::{self, MachineCertificates};
use crate::node::{
    AssetIndex, EtcdSettings, HostIdentity, NodeClass, NodeFiles, ReleaseFile, RenderError, etcd_release,
};
use crate::plan::DesiredState;
use crate::spec::EventsPlacement;

pub(super) fn build(
    blueprint: &Blueprint<'_>,
    assets: &AssetIndex,
    desired: &mut DesiredState,
) -> Result<(), RenderError> {
    let mut classes = Classes::new(blueprint, assets);
    for machine in &blueprint.machines {
        let bundle = classes.bundle(machine)?;
        desired.add(ResourceKey::new(Kind::NodeBundle, &*machine.name), bundle);
    }
    Ok(())
}

/// What the machines of each set of roles run. Rendered once for each set, however many machines have it.
pub struct Classes<'a> {
    blueprint: &'a Blueprint<'a>,
    assets: &'a AssetIndex,
    settings: Settings,
    rendered: BTreeMap<BTreeSet<MachineRole>, NodeFiles>,
}

impl<'a> Classes<'a> {
    /// The classes of a blueprint; `assets` has the release files.
    pub fn new(blueprint: &'a Blueprint<'a>, assets: &'a AssetIndex) -> Self {
        Self {
            blueprint,
            assets,
            settings: Settings::of(blueprint),
            rendered: BTreeMap::new(),
        }
    }

    /// What `machine` runs.
    ///
    /// # Errors
    /// When a value of the spec cannot stand where a template puts it.
    pub fn of(&mut self, machine: &MachineBlueprint<'_>) -> Result<&NodeFiles, RenderError> {
        if !self.rendered.contains_key(&machine.roles) {
            let files = class(self.blueprint, self.assets, machine).render()?;
            self.rendered.insert(machine.roles.clone(), files);
        }
        Ok(&self.rendered[&machine.roles])
    }

    /// The bundle that the spec asks for on `machine`.
    ///
    /// # Errors
    /// When a value of the spec cannot stand where a template puts it.
    pub fn bundle(&mut self, machine: &MachineBlueprint<'_>) -> Result<NodeBundle, RenderError> {
        let blueprint = self.blueprint;
        let files_digest = self.of(machine)?.digest(host_identity(machine).as_ref());
        let spec = blueprint.spec;
        Ok(NodeBundle {
            machine: machine.name.clone(),
            kubernetes_version: machine.runs_kubelet().then_some(spec.kubernetes_version),
            etcd_version: spec.etcd.version.filter(|_| machine.is(MachineRole::Etcd)),
            settings: self.settings.digest(machine, files_digest),
            certificates: MachineCertificates::of(blueprint, machine).digest(),
        })
    }
}

fn class(blueprint: &Blueprint<'_>, assets: &AssetIndex, machine: &MachineBlueprint<'_>) -> NodeClass {
    let spec = blueprint.spec;
    let instances = match spec.etcd.events {
        EventsPlacement::Shared => vec![&MAIN],
        EventsPlacement::Separate => vec![&MAIN, &EVENTS],
    };
    let version = spec.etcd.version.filter(|_| machine.is(MachineRole::Etcd));
    NodeClass {
        proxy: spec.assets.proxy.as_ref().map(|proxy| proxy.as_str().to_owned()),
        etcd: version.map(|version| EtcdSettings {
            version,
            release: assets.release(&etcd_release(version)),
            instances,
            heartbeat_ms: spec.etcd.heartbeat.as_millis(),
            election_timeout_ms: spec.etcd.election_timeout.as_millis(),
            quota_bytes: spec.etcd.quota.bytes(),
            certificates: certificates::of_etcd(),
        }),
        secrets: MachineCertificates::of(blueprint, machine).files(),
    }
}

/// The release files that the cluster's machines need.
pub fn release_files(blueprint: &Blueprint<'_>) -> Vec<ReleaseFile> {
    let runs_etcd = blueprint.with_role(MachineRole::Etcd).next().is_some();
    let version = blueprint.spec.etcd.version.filter(|_| runs_etcd);
    version.map(etcd_release).unwrap_or_default()
}

/// What is a machine's own; `None` where the address that others reach it at is not known.
pub fn host_identity(machine: &MachineBlueprint<'_>) -> Option<HostIdentity> {
    Some(HostIdentity {
        name: machine.name.clone(),
        address: machine.internal_address?,
    })
}

/// The parts of a spec that end up in the configuration of Kubernetes, by what the machine is for. A change that a role
/// does not see leaves its machines alone.
struct Settings {
    node: Value,
    control_plane: Value,
}

impl Settings {
    fn of(blueprint: &Blueprint<'_>) -> Self {
        let spec = blueprint.spec;
        Self {
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

    fn digest(&self, machine: &MachineBlueprint<'_>, files: Digest) -> Digest {
        let part = |included: bool, value: &Value| if included { value.clone() } else { Value::Null };
        let node = part(machine.runs_kubelet(), &self.node);
        let control_plane = part(machine.is(MachineRole::ControlPlane), &self.control_plane);
        Digest::of_json(&(files, node, control_plane))
    }
}
