//! Kubernetes on a machine: container runtime, kubelet, and on control planes the static pods.
//!
//! Names, labels, paths and flags are kubeadm's where it has them (`cmd/kubeadm/app/phases` of Kubernetes 1.36.1), hardened
//! past it until the automated checks of the CIS benchmark hold (`docs/cis.md`). What is different, and why:
//!
//! - Kubeconfigs refer to files instead of holding certificates, so that those are renewed without a restart.
//! - Nothing on a control plane waits for another machine: its components use the API server beside them, by loopback.
//!
//! | module | holds |
//! |---|---|
//! | `runtime` | containerd, runc, crictl, the CNI plugins, and the images that are fetched early |
//! | `kubelet` | the kubelet: configuration, unit, how it reaches the API |
//! | `control_plane` | API server, controller manager and scheduler as static pods |
//! | `api_server` | the flags of the API server, and the files that it reads |
//! | `approver` | what approves the kubelets of machines that join by themselves |
//! | `arguments` | flags: defaults, and what a user puts in their place |
//! | `kubeconfig` | kubeconfigs that refer to files |
//! | `network` | the routed network, and the virtual address |

mod api_server;
mod approver;
mod arguments;
mod control_plane;
mod kubeconfig;
mod kubelet;
mod network;
mod runtime;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use keelson_provider_api::values::Version;

use super::class::PlacedSecret;
use super::contents::{Contents, RenderError};
use super::etcd::PROGRAM_FOLDER;

pub use api_server::{
    ApiServerSettings, AuditLevel, ENCRYPTION_FILE, Oidc, SecretsProvider, encryption_configuration,
};
pub use approver::ApproverSettings;
pub use control_plane::{ControlPlaneSettings, EtcdServers};
pub use kubelet::{BOOTSTRAP_TOKEN, KubeletRole, KubeletSettings, release};
pub(super) use network::keepalived;
pub use network::{RoutedSettings, VirtualAddressSettings};
pub use runtime::{RuntimeSettings, RuntimeSource, cni_plugins, containerd, crictl, runc};

/// Kubernetes' folder for configuration.
const FOLDER: &str = "/etc/kubernetes";
/// The certificate of the cluster's authority.
const AUTHORITY: &str = "/etc/kubernetes/pki/ca.crt";
/// The API server on the same machine. Its certificate is for [`API_SERVER_NAME`](keelson_provider_api::API_SERVER_NAME).
const LOCAL_SERVER: &str = "https://127.0.0.1:6443";

/// What a machine needs to be a part of a Kubernetes cluster.
#[derive(Debug, Clone)]
pub struct KubernetesSettings {
    /// The version.
    pub version: Version,
    /// The cluster's name.
    pub cluster: String,
    /// Feature gates of every component.
    pub feature_gates: BTreeMap<String, bool>,
    /// What runs containers.
    pub runtime: RuntimeSettings,
    /// The kubelet.
    pub kubelet: KubeletSettings,
    /// The control plane, on machines that have one.
    pub control_plane: Option<ControlPlaneSettings>,
    /// What a control plane approves, where machines join by themselves.
    pub approver: Option<ApproverSettings>,
    /// The address that control planes hold in turn, on those.
    pub virtual_address: Option<VirtualAddressSettings>,
    /// The routed network, where that is the plugin.
    pub routed: Option<RoutedSettings>,
}

/// Adds Kubernetes to what a machine runs, but for the pods of a control plane: [`add_manifests`] does those, after the
/// certificates and keys.
pub(super) fn add(settings: &KubernetesSettings, contents: &mut Contents) -> Result<(), RenderError> {
    runtime::add(&settings.runtime, contents)?;
    if let Some(control_plane) = &settings.control_plane {
        control_plane::add(settings, control_plane, contents)?;
    }
    kubelet::add(settings, contents)?;
    if let Some(approver) = &settings.approver {
        approver::add(settings, approver, contents)?;
    }
    if let Some(routed) = &settings.routed {
        network::add_routed(settings, routed, contents)?;
    }
    if let Some(virtual_address) = &settings.virtual_address {
        network::add_virtual_address(virtual_address, contents)?;
    }
    Ok(())
}

/// Adds the manifests of a control plane's pods, which come after `secrets`, the certificates and keys that come beside the
/// bundle.
pub(super) fn add_manifests(
    settings: &KubernetesSettings,
    secrets: &[PlacedSecret],
    contents: &mut Contents,
) -> Result<(), RenderError> {
    match &settings.control_plane {
        Some(control_plane) => control_plane::add_manifests(settings, control_plane, secrets, contents),
        None => Ok(()),
    }
}

/// The unit that reads the certificate or key at `path` only when it starts.
pub(super) fn reader(path: &str) -> Option<&'static str> {
    (path == AUTHORITY).then_some(kubelet::UNIT)
}

/// The units whose settings hold what is a machine's own.
pub(super) fn units(settings: &KubernetesSettings) -> Vec<&'static str> {
    let routed = settings.routed.as_ref().map(|_| network::ROUTES_UNIT);
    let virtual_address = settings
        .virtual_address
        .as_ref()
        .map(|_| network::KEEPALIVED_UNIT);
    [kubelet::UNIT]
        .into_iter()
        .chain(routed)
        .chain(virtual_address)
        .collect()
}

/// Feature gates as a flag takes them.
fn feature_gates(gates: &BTreeMap<String, bool>) -> Option<String> {
    let gates: Vec<String> = gates.iter().map(|(name, on)| format!("{name}={on}")).collect();
    (!gates.is_empty()).then(|| gates.join(","))
}

/// TLS 1.2 suites that are strong by both lists of the CIS benchmark (1.2.29 and 4.2.12; `docs/cis.md`); those of
/// TLS 1.3 cannot be chosen (<https://pkg.go.dev/crypto/tls#Config>, `CipherSuites`).
const CIPHER_SUITES: &[&str] = &[
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];
