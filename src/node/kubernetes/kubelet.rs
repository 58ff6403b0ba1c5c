//! The kubelet: configuration, unit, how it reaches the API.

use std::net::IpAddr;

use keelson_provider_api::values::Version;
use serde_json::{Map, Value, json};

use super::super::action::Access;
use super::super::assets::{Program, ReleaseFile, ResolvedRelease};
use super::super::contents::{Contents, RenderError};
use super::super::merge::merge;
use super::super::templates;
use super::control_plane::MANIFESTS;
use super::kubeconfig::{Credentials, Kubeconfig};
use super::{AUTHORITY, CIPHER_SUITES, FOLDER, KubernetesSettings, LOCAL_SERVER, PROGRAM_FOLDER};

/// The kubelet's unit.
pub(super) const UNIT: &str = "kubelet.service";
const DATA_FOLDER: &str = "/var/lib/kubelet";
const CONFIGURATION: &str = "/var/lib/kubelet/config.yaml";
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
const BOOTSTRAP: &str = "/etc/kubernetes/bootstrap-kubelet.conf";
/// The token that a worker brings itself in with.
pub const BOOTSTRAP_TOKEN: &str = "/etc/kubernetes/bootstrap-token";

/// The kubelet of a machine.
#[derive(Debug, Clone)]
pub struct KubeletSettings {
    /// The files of kubelet's release.
    pub kubelet: ResolvedRelease,
    /// The files of kubectl's release.
    pub kubectl: ResolvedRelease,
    /// What it serves.
    pub role: KubeletRole,
    /// The address of the cluster's DNS.
    pub cluster_dns: Option<IpAddr>,
    /// The domain of Services.
    pub dns_domain: String,
    /// How many pods the node takes.
    pub max_pods: u32,
    /// Fields of its configuration, merged last.
    pub configuration: Map<String, Value>,
}

/// What a kubelet serves, and so how it reaches the API.
#[derive(Debug, Clone)]
pub enum KubeletRole {
    /// A control plane: it uses the API server beside it, which it started, and has its certificate from the beginning.
    ControlPlane,
    /// A worker: it gets its certificate from the API at this URL.
    Worker {
        /// The URL under which clients reach the API.
        server: String,
    },
    /// A worker of a group that grows by itself: it joins with the token that all such machines have, and has nothing of its own
    /// from the beginning.
    Joining {
        /// The URL under which clients reach the API.
        server: String,
    },
}

/// A program of a Kubernetes release: `kubelet`, `kubectl`.
pub fn release(program: &str, version: Version) -> Vec<ReleaseFile> {
    ReleaseFile::programs(&format!("{program} {version}"), |architecture| {
        let path = format!(
            "dl.k8s.io/release/v{version}/bin/linux/{}/{program}",
            architecture.name()
        );
        (format!("{path}.sha256"), path)
    })
}

/// Adds the kubelet to what a machine runs.
pub(super) fn add(settings: &KubernetesSettings, contents: &mut Contents) -> Result<(), RenderError> {
    let kubelet = &settings.kubelet;
    for (folder, mode) in [(FOLDER, 0o755), (DATA_FOLDER, 0o700)] {
        contents.directory(folder, Access::of_root(mode));
    }
    let program = |name, units| Program {
        name,
        folder: PROGRAM_FOLDER,
        units,
    };
    contents.install(&kubelet.kubelet, &[program("kubelet", vec![UNIT])]);
    contents.install(&kubelet.kubectl, &[program("kubectl", Vec::new())]);
    let configuration = serde_saphyr::to_string(&configuration(settings))?;
    contents.file(CONFIGURATION, Access::of_root(0o600), configuration, &[UNIT]);
    add_kubeconfig(settings, contents)?;
    let values = json!({
        "program": format!("{PROGRAM_FOLDER}/kubelet"),
        "configuration": CONFIGURATION,
        "kubeconfig": KUBECONFIG,
        "bootstraps": !matches!(kubelet.role, KubeletRole::ControlPlane),
        "has_labels": matches!(kubelet.role, KubeletRole::Joining { .. }),
        "bootstrap": BOOTSTRAP,
    });
    // CIS 4.1.1.
    contents.unit(UNIT, 0o600, templates::render(templates::KUBELET_UNIT, &values)?);
    Ok(())
}

fn add_kubeconfig(settings: &KubernetesSettings, contents: &mut Contents) -> Result<(), RenderError> {
    let (path, server, user, credentials) = match &settings.kubelet.role {
        KubeletRole::ControlPlane => (
            KUBECONFIG,
            LOCAL_SERVER,
            "system:node",
            Credentials::Certificate(
                "/etc/kubernetes/pki/kubelet-client.crt",
                "/etc/kubernetes/pki/kubelet-client.key",
            ),
        ),
        KubeletRole::Worker { server } | KubeletRole::Joining { server } => (
            BOOTSTRAP,
            server.as_str(),
            "bootstrap",
            Credentials::Token(BOOTSTRAP_TOKEN),
        ),
    };
    Kubeconfig {
        cluster: &settings.cluster,
        server,
        authority: AUTHORITY,
        user,
        credentials,
    }
    .add(path, &[UNIT], contents)
}

/// Its KubeletConfiguration: that of kubeadm 1.36.1 (`cmd/kubeadm/app/componentconfigs/kubelet.go`), hardened (4.2 of the CIS
/// benchmark; `docs/cis.md`), and over both what a user says.
fn configuration(settings: &KubernetesSettings) -> Value {
    let kubelet = &settings.kubelet;
    let mut base = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true, "cacheTTL": "2m0s" },
            "x509": { "clientCAFile": AUTHORITY },
        },
        "authorization": {
            "mode": "Webhook",
            "webhook": { "cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s" },
        },
        "cgroupDriver": "systemd",
        "clusterDNS": kubelet.cluster_dns.iter().collect::<Vec<_>>(),
        "clusterDomain": kubelet.dns_domain,
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "featureGates": settings.feature_gates,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "maxPods": kubelet.max_pods,
        "podPidsLimit": 4096,
        "readOnlyPort": 0,
        "rotateCertificates": true,
        "seccompDefault": true,
        "serializeImagePulls": false,
        "maxParallelImagePulls": 4,
        "streamingConnectionIdleTimeout": "5m0s",
        "tlsCertFile": "/var/lib/kubelet/pki/kubelet.crt",
        "tlsPrivateKeyFile": "/var/lib/kubelet/pki/kubelet.key",
        "tlsMinVersion": "VersionTLS12",
        "tlsCipherSuites": CIPHER_SUITES,
    });
    if let (KubeletRole::Joining { .. }, Some(base)) = (&kubelet.role, base.as_object_mut()) {
        // It has nothing to serve with from the beginning. Control planes approve what it asks for
        // (`templates/kubernetes/approver.sh`).
        base.retain(|field, _| !matches!(field.as_str(), "tlsCertFile" | "tlsPrivateKeyFile"));
        base.insert("serverTLSBootstrap".to_owned(), true.into());
    }
    if matches!(kubelet.role, KubeletRole::ControlPlane) {
        base["staticPodPath"] = MANIFESTS.into();
    }
    merge(base, &Value::Object(kubelet.configuration.clone()))
}
