//! What the machines of each set of roles run: from the spec to the settings that bundles are rendered from.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keelson_provider_api::etcd::{EVENTS, EtcdInstance, MAIN};
use keelson_provider_api::kinds::{MachineRole, NodeBundle};
use keelson_provider_api::values::Version;

use super::blueprint::{API_PORT, Blueprint, MachineBlueprint};
use super::bundles::host_identity;
use super::certificates::{self, MachineCertificates};
use crate::addons::JOINING_GROUP;
use crate::node::kubernetes::{
    self, ApiServerSettings, ApproverSettings, AuditLevel, ControlPlaneSettings, EtcdServers, KubeletRole,
    KubeletSettings, KubernetesSettings, Oidc, RoutedSettings, RuntimeSettings, RuntimeSource,
    SecretsProvider, VirtualAddressSettings,
};
use crate::node::{
    AssetIndex, BucketSettings, EtcdSettings, NodeClass, NodeFiles, ReleaseFile, RenderError,
    SnapshotSettings, etcd_release, image,
};
use crate::spec::{
    Argument, Audit, ContainerdSource, Encryption, EtcdPlacement, Plugin, RUNTIME_RELEASES, SnapshotBucket,
    Snapshots, nearest_release,
};

/// What the machines of each set of roles run. Rendered once for each set, however many machines have it.
pub struct Classes<'a> {
    blueprint: &'a Blueprint<'a>,
    assets: &'a AssetIndex,
    rendered: BTreeMap<(BTreeSet<MachineRole>, bool), NodeFiles>,
}

impl<'a> Classes<'a> {
    /// The classes of a blueprint; `assets` has the release files.
    pub fn new(blueprint: &'a Blueprint<'a>, assets: &'a AssetIndex) -> Self {
        Self {
            blueprint,
            assets,
            rendered: BTreeMap::new(),
        }
    }

    /// What `machine` runs.
    ///
    /// # Errors
    /// When a value of the spec cannot stand where a template puts it.
    pub fn of(&mut self, machine: &MachineBlueprint<'_>) -> Result<&NodeFiles, RenderError> {
        let key = (machine.roles.clone(), machine.joins_by_itself);
        match self.rendered.entry(key) {
            Entry::Occupied(rendered) => Ok(rendered.into_mut()),
            Entry::Vacant(missing) => {
                let files = class(self.blueprint, self.assets, machine).render()?;
                Ok(missing.insert(files))
            }
        }
    }

    /// The bundle that the spec asks for on `machine`.
    ///
    /// # Errors
    /// When a value of the spec cannot stand where a template puts it.
    pub fn bundle(&mut self, machine: &MachineBlueprint<'_>) -> Result<NodeBundle, RenderError> {
        let blueprint = self.blueprint;
        let settings = self.of(machine)?.digest(host_identity(machine).as_ref());
        let spec = blueprint.spec;
        let certificates = MachineCertificates::of(blueprint, machine);
        Ok(NodeBundle {
            machine: machine.name.clone(),
            kubernetes_version: machine.runs_kubelet().then_some(spec.kubernetes_version),
            etcd_version: spec.etcd.version.filter(|_| machine.is(MachineRole::Etcd)),
            settings,
            certificates: certificates.digest(),
            authorities: certificates.digest_of_authorities(),
            altered_files: BTreeSet::new(),
            stopped_units: BTreeSet::new(),
        })
    }
}

fn class(blueprint: &Blueprint<'_>, assets: &AssetIndex, machine: &MachineBlueprint<'_>) -> NodeClass {
    let spec = blueprint.spec;
    let version = spec.etcd.version.filter(|_| machine.is(MachineRole::Etcd));
    NodeClass {
        proxy: spec.assets.proxy.as_ref().map(|proxy| proxy.as_str().to_owned()),
        no_proxy: spec.assets.no_proxy.clone(),
        etcd: version.map(|version| etcd(blueprint, assets, version)),
        kubernetes: machine
            .runs_kubelet()
            .then(|| kubernetes(blueprint, assets, machine)),
        secrets: MachineCertificates::of(blueprint, machine).files(),
    }
}

fn etcd(blueprint: &Blueprint<'_>, assets: &AssetIndex, version: Version) -> EtcdSettings {
    let etcd = &blueprint.spec.etcd;
    EtcdSettings {
        version,
        release: assets.release(&etcd_release(version)),
        instances: etcd.instances().to_vec(),
        heartbeat_ms: etcd.heartbeat.as_millis(),
        election_timeout_ms: etcd.election_timeout.as_millis(),
        quota_bytes: etcd.quota.bytes(),
        snapshots: snapshots(blueprint),
        certificates: certificates::of_etcd(),
    }
}

fn snapshots(blueprint: &Blueprint<'_>) -> Option<SnapshotSettings> {
    let spec = blueprint.spec;
    let Snapshots { schedule, keep, .. } = &spec.etcd.snapshots;
    Some(SnapshotSettings {
        schedule: schedule.as_ref()?.with_zone(),
        cluster: blueprint.name.to_string(),
        kubernetes_version: (!spec.is_etcd_alone()).then_some(spec.kubernetes_version),
        last: keep.last.unwrap_or(0),
        hourly: keep.hourly,
        daily: keep.daily,
        weekly: keep.weekly,
        bucket: spec.snapshot_bucket().map(|to| bucket(&to, blueprint)),
    })
}

fn bucket(bucket: &SnapshotBucket, blueprint: &Blueprint<'_>) -> BucketSettings {
    let prefix = bucket.folder();
    let slash = if prefix.is_empty() { "" } else { "/" };
    BucketSettings {
        endpoint: bucket.server(),
        name: bucket.bucket.clone(),
        region: bucket.region.clone(),
        folder: format!("{prefix}{slash}{}/backups/etcd/", blueprint.name),
        has_path_style: bucket.has_path_style(),
        has_authority: bucket.ca.is_some(),
        access_key_id: bucket.access_key_id.clone(),
    }
}

fn kubernetes(
    blueprint: &Blueprint<'_>,
    assets: &AssetIndex,
    machine: &MachineBlueprint<'_>,
) -> KubernetesSettings {
    let spec = blueprint.spec;
    let is_control_plane = machine.is(MachineRole::ControlPlane);
    let version = spec.kubernetes_version;
    KubernetesSettings {
        version,
        cluster: blueprint.name.to_string(),
        feature_gates: spec.kubelet.feature_gates.clone(),
        runtime: runtime(blueprint, assets, is_control_plane),
        kubelet: KubeletSettings {
            kubelet: assets.release(&kubernetes::release("kubelet", version)),
            kubectl: assets.release(&kubernetes::release("kubectl", version)),
            role: kubelet_role(blueprint, machine),
            cluster_dns: spec.network.service_cidr.address_at(10),
            dns_domain: spec.network.dns_domain.clone(),
            max_pods: spec.kubelet.max_pods,
            configuration: spec.kubelet.config.clone(),
        },
        control_plane: is_control_plane.then(|| control_plane(blueprint)),
        approver: (is_control_plane && !blueprint.groups.is_empty()).then(|| ApproverSettings {
            group: JOINING_GROUP.to_owned(),
        }),
        virtual_address: virtual_address(blueprint).filter(|_| is_control_plane),
        routed: matches!(spec.network.plugin, Plugin::Routed).then(|| RoutedSettings {
            pod_range: spec.network.pod_cidr,
            has_overlay: blueprint.has_overlay(),
            server: if is_control_plane {
                format!("https://127.0.0.1:{API_PORT}")
            } else {
                server(blueprint)
            },
            shows_token: machine.joins_by_itself,
        }),
    }
}

fn kubelet_role(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> KubeletRole {
    if machine.is(MachineRole::ControlPlane) {
        return KubeletRole::ControlPlane;
    }
    let server = server(blueprint);
    if machine.joins_by_itself {
        KubeletRole::Joining { server }
    } else {
        KubeletRole::Worker { server }
    }
}

/// The URL under which those who have no API server beside them reach one.
fn server(blueprint: &Blueprint<'_>) -> String {
    format!("https://{}", blueprint.endpoint())
}

fn runtime(blueprint: &Blueprint<'_>, assets: &AssetIndex, is_control_plane: bool) -> RuntimeSettings {
    let spec = blueprint.spec;
    let registry = spec.assets.registry.as_deref();
    let releases = RUNTIME_RELEASES;
    let pause_image = image(
        registry,
        &format!("pause:{}", nearest_release(spec.kubernetes_version).pause),
    );
    let mut images = vec![pause_image.clone()];
    if is_control_plane {
        images.extend(control_plane_images(blueprint));
    }
    images.push(component_image(blueprint, "kube-proxy"));
    RuntimeSettings {
        pods_have_ipv6: !spec.network.pod_cidr.is_ipv4(),
        source: match spec.containerd.source {
            ContainerdSource::Upstream => RuntimeSource::Upstream {
                containerd: assets.release(&kubernetes::containerd(releases.containerd)),
                runc: assets.release(&kubernetes::runc(releases.runc)),
            },
            ContainerdSource::Host => RuntimeSource::Host,
        },
        cni_plugins: assets.release(&kubernetes::cni_plugins(releases.cni_plugins)),
        crictl: assets.release(&kubernetes::crictl(releases.crictl)),
        pause_image,
        insecure_registry: spec
            .assets
            .registry
            .as_ref()
            .filter(|_| spec.assets.insecure_registry)
            .map(|registry| registry.split('/').next().unwrap_or(registry).to_owned()),
        configuration: spec.containerd.config.clone(),
        images,
    }
}

fn component_image(blueprint: &Blueprint<'_>, component: &str) -> String {
    let spec = blueprint.spec;
    let path = format!("{component}:v{}", spec.kubernetes_version);
    image(spec.assets.registry.as_deref(), &path)
}

fn control_plane_images(blueprint: &Blueprint<'_>) -> [String; 3] {
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
        .map(|component| component_image(blueprint, component))
}

fn control_plane(blueprint: &Blueprint<'_>) -> ControlPlaneSettings {
    let spec = blueprint.spec;
    ControlPlaneSettings {
        pod_range: spec.network.pod_cidr,
        service_range: spec.network.service_cidr,
        dns_domain: spec.network.dns_domain.clone(),
        etcd: etcd_servers(blueprint),
        api: api_server(blueprint),
        controller_manager_arguments: flags(&spec.controller_manager.extra_args),
        scheduler_arguments: flags(&spec.scheduler.extra_args),
        signs: spec
            .pki
            .authorities
            .kubernetes
            .as_ref()
            .is_none_or(|brought| brought.key.is_some()),
        images: control_plane_images(blueprint),
    }
}

/// A stacked control plane speaks to the members beside it, others to all.
fn etcd_servers(blueprint: &Blueprint<'_>) -> EtcdServers {
    let of = |instance: &EtcdInstance| -> Vec<String> {
        let port = instance.client_port;
        match &blueprint.spec.etcd.placement {
            EtcdPlacement::Stacked => vec![format!("https://127.0.0.1:{port}")],
            EtcdPlacement::Dedicated(_) => blueprint
                .with_role(MachineRole::Etcd)
                .filter_map(|machine| Some(format!("https://{}", in_url(machine.internal_address?, port))))
                .collect(),
            EtcdPlacement::External(external) => {
                let endpoints = external.endpoints.iter();
                endpoints.map(|endpoint| endpoint.as_str().to_owned()).collect()
            }
        }
    };
    let has_events = blueprint.spec.etcd.instances().contains(&&EVENTS);
    EtcdServers {
        authority: blueprint.etcd_authority,
        main: of(&MAIN),
        events: if has_events { of(&EVENTS) } else { Vec::new() },
    }
}

fn in_url(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::from((address, port)).to_string()
}

fn api_server(blueprint: &Blueprint<'_>) -> ApiServerSettings {
    let api = &blueprint.spec.api;
    ApiServerSettings {
        node_port_range: api.service_node_port_range.to_string(),
        admission_plugins: api.admission_plugins.clone(),
        oidc: api.oidc.as_ref().map(|oidc| Oidc {
            issuer: oidc.issuer.as_str().to_owned(),
            client_id: oidc.client_id.clone(),
            authority: blueprint.oidc_authority.map(str::to_owned),
            username: (
                oidc.username_claim.clone(),
                oidc.username_prefix.clone().unwrap_or_default(),
            ),
            groups: oidc
                .groups_claim
                .clone()
                .map(|claim| (claim, oidc.groups_prefix.clone().unwrap_or_default())),
            required_claims: oidc.required_claims.clone(),
        }),
        audit: match api.audit {
            Audit::Default => AuditLevel::Policy,
            Audit::Off => AuditLevel::Off,
        },
        encryption: encryption(api.encryption),
        extra_arguments: flags(&api.extra_args),
    }
}

fn flags(arguments: &[Argument]) -> Vec<(String, String)> {
    let arguments = arguments.iter();
    arguments
        .map(|argument| (argument.name.clone(), argument.value.clone()))
        .collect()
}

/// How Secrets are encrypted, in the terms of bundles.
pub(super) fn encryption(encryption: Encryption) -> SecretsProvider {
    match encryption {
        Encryption::Secretbox => SecretsProvider::Secretbox,
        Encryption::Aescbc => SecretsProvider::Aescbc,
        Encryption::None => SecretsProvider::Identity,
    }
}

fn virtual_address(blueprint: &Blueprint<'_>) -> Option<VirtualAddressSettings> {
    let address = blueprint.virtual_address()?;
    let control_planes = blueprint.with_role(MachineRole::ControlPlane);
    Some(VirtualAddressSettings {
        address,
        control_planes: control_planes
            .filter_map(|machine| machine.internal_address)
            .collect(),
    })
}

/// The release files that the cluster's machines need.
pub fn release_files(blueprint: &Blueprint<'_>) -> Vec<ReleaseFile> {
    let spec = blueprint.spec;
    let mut files = Vec::new();
    if blueprint.with_role(MachineRole::Etcd).next().is_some() {
        files.extend(spec.etcd.version.map(etcd_release).unwrap_or_default());
    }
    if blueprint
        .machines_and_any_of_groups()
        .any(MachineBlueprint::runs_kubelet)
    {
        let releases = RUNTIME_RELEASES;
        if spec.containerd.source == ContainerdSource::Upstream {
            files.extend(kubernetes::containerd(releases.containerd));
            files.extend(kubernetes::runc(releases.runc));
        }
        files.extend(kubernetes::cni_plugins(releases.cni_plugins));
        files.extend(kubernetes::crictl(releases.crictl));
        files.extend(kubernetes::release("kubelet", spec.kubernetes_version));
        files.extend(kubernetes::release("kubectl", spec.kubernetes_version));
    }
    files
}
