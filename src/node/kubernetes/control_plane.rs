//! API server, controller manager and scheduler as static pods.

use keelson_provider_api::values::{Cidr, Digest};
use serde_json::{Value, json};

use super::super::action::{Access, Action};
use super::super::class::{CONFIGURATION_FOLDER, PlacedSecret};
use super::super::contents::{Contents, RenderError};
use super::super::templates;
use super::api_server::{self, ApiServerSettings};
use super::arguments::{Argument, arguments};
use super::kubeconfig::{Credentials, Kubeconfig};
use super::{AUTHORITY, FOLDER, KubernetesSettings, LOCAL_SERVER, feature_gates};

/// Where the kubelet finds static pods.
pub(super) const MANIFESTS: &str = "/etc/kubernetes/manifests";
const CONTROLLER_MANAGER_CONFIG: &str = "/etc/kubernetes/controller-manager.conf";
/// A folder of its own, so that the scheduler sees no key but its own.
const SCHEDULER_FOLDER: &str = "/etc/kubernetes/scheduler";
const SCHEDULER_CONFIG: &str = "/etc/kubernetes/scheduler.conf";
/// What components trust that speak to the world outside, such as to an OpenID Connect provider.
const TRUST: &str = "/etc/ssl/certs";

/// What a control plane needs to know of its cluster.
#[derive(Debug, Clone)]
pub struct ControlPlaneSettings {
    /// The range of all pods.
    pub pod_range: Cidr,
    /// The range of Services.
    pub service_range: Cidr,
    /// The domain of Services.
    pub dns_domain: String,
    /// Where etcd answers.
    pub etcd: EtcdServers,
    /// What a user says about the API server.
    pub api: ApiServerSettings,
    /// More flags of the controller manager, in the user's order.
    pub controller_manager_arguments: Vec<(String, String)>,
    /// More flags of the scheduler, in the user's order.
    pub scheduler_arguments: Vec<(String, String)>,
    /// True when the key of the cluster's authority is on the machine, so that the controller manager can sign with it.
    pub signs: bool,
    /// The images of API server, controller manager and scheduler.
    pub images: [String; 3],
}

/// Where etcd answers.
#[derive(Debug, Clone, Default)]
pub struct EtcdServers {
    /// URLs of the etcd of everything.
    pub main: Vec<String>,
    /// URLs of the one of events; none where they have none of their own.
    pub events: Vec<String>,
    /// The digest of what vouches for them, where someone else runs them: it may be another one tomorrow.
    pub authority: Option<Digest>,
}

/// A static pod.
struct Component<'a> {
    name: &'static str,
    image: &'a str,
    cpu_request: &'static str,
    arguments: Vec<String>,
    mounts: Vec<Value>,
    port: u16,
    live_path: &'static str,
    ready_path: Option<&'static str>,
    /// What it reads when it starts, as far as that is no secret.
    reads: Vec<String>,
}

/// Adds the folders and files of a control plane to what a machine runs.
pub(super) fn add(
    settings: &KubernetesSettings,
    control_plane: &ControlPlaneSettings,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    for (folder, mode) in [
        (FOLDER, 0o755),
        (MANIFESTS, 0o700),
        (api_server::FOLDER, 0o700),
        ("/var/log/kubernetes", 0o755),
        (api_server::AUDIT_FOLDER, 0o700),
    ] {
        contents.directory(folder, Access::of_root(mode));
    }
    api_server::add_files(&control_plane.api, contents)?;
    add_kubeconfigs(settings, contents)
}

/// Adds the manifests of a control plane's pods. They come last: the kubelet may start a pod as soon as its manifest is
/// there, and what it names, `secrets` among them, has to be there by then.
pub(super) fn add_manifests(
    settings: &KubernetesSettings,
    control_plane: &ControlPlaneSettings,
    secrets: &[PlacedSecret],
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let [api_server_image, controller_manager_image, scheduler_image] = &control_plane.images;
    let mut components = [
        api_server(settings, control_plane, api_server_image),
        controller_manager(settings, control_plane, controller_manager_image),
        scheduler(settings, control_plane, scheduler_image),
    ];
    components[0].reads = api_server::reads(&control_plane.api)?;
    let etcd_authority = control_plane.etcd.authority.iter();
    components[0]
        .reads
        .extend(etcd_authority.map(|digest| digest.hexadecimal()));
    contents.act(Action::Fetch);
    for component in &components {
        add_component(component, secrets, contents)?;
    }
    Ok(())
}

fn add_component(
    component: &Component<'_>,
    secrets: &[PlacedSecret],
    contents: &mut Contents,
) -> Result<(), RenderError> {
    // Which files there are is a part of what a component starts with; what is in certificates is read anew by itself.
    // What lies in keelson's own folder, for snapshots, no component reads.
    let paths = secrets.iter().map(|secret| secret.path.as_str());
    let paths: Vec<&str> = paths
        .filter(|path| !path.starts_with(CONFIGURATION_FOLDER))
        .collect();
    let values = json!({
        "name": component.name,
        "image": component.image,
        "cpu_request": component.cpu_request,
        "arguments": component.arguments,
        "configuration": Digest::of_json(&(&component.reads, paths)).hexadecimal(),
        "mounts": component.mounts,
        "port": component.port,
        "live_path": component.live_path,
        "ready_path": component.ready_path.unwrap_or_default(),
        "has_ready_path": component.ready_path.is_some(),
    });
    let text = templates::render(templates::STATIC_POD, &values)?;
    let path = format!("{MANIFESTS}/{}.yaml", component.name);
    contents.file(&path, Access::of_root(0o600), text, &[]);
    Ok(())
}

fn mount(name: &str, path: &str, kind: &str, read_only: bool) -> Value {
    json!({ "mount_name": name, "mount_path": path, "mount_type": kind, "read_only": read_only })
}

fn pki_and_trust() -> Vec<Value> {
    vec![
        mount("k8s-certs", "/etc/kubernetes/pki", "Directory", true),
        mount("ca-certs", TRUST, "DirectoryOrCreate", true),
    ]
}

fn api_server<'a>(
    settings: &KubernetesSettings,
    control_plane: &ControlPlaneSettings,
    image: &'a str,
) -> Component<'a> {
    let mut mounts = pki_and_trust();
    mounts.push(mount("configuration", api_server::FOLDER, "Directory", true));
    mounts.push(mount(
        "audit",
        api_server::AUDIT_FOLDER,
        "DirectoryOrCreate",
        false,
    ));
    Component {
        name: "kube-apiserver",
        image,
        cpu_request: "250m",
        arguments: api_server::flags(settings, control_plane),
        mounts,
        port: 6443,
        live_path: "/livez",
        ready_path: Some("/readyz"),
        reads: Vec::new(),
    }
}

fn controller_manager<'a>(
    settings: &KubernetesSettings,
    control_plane: &ControlPlaneSettings,
    image: &'a str,
) -> Component<'a> {
    let text = str::to_owned;
    // A node's part of the range: 253 pods with IPv4 (`spec.kubelet.maxPods`).
    let mask = if control_plane.pod_range.is_ipv4() {
        "24"
    } else {
        "64"
    };
    let key = |file: &str| {
        if control_plane.signs {
            text(file)
        } else {
            String::new()
        }
    };
    let mut defaults = vec![
        ("allocate-node-cidrs", text("true")),
        ("authentication-kubeconfig", text(CONTROLLER_MANAGER_CONFIG)),
        ("authorization-kubeconfig", text(CONTROLLER_MANAGER_CONFIG)),
        ("bind-address", text("127.0.0.1")),
        ("client-ca-file", text(AUTHORITY)),
        ("cluster-cidr", control_plane.pod_range.to_string()),
        ("cluster-name", settings.cluster.clone()),
        ("cluster-signing-cert-file", key(AUTHORITY)),
        ("cluster-signing-key-file", key("/etc/kubernetes/pki/ca.key")),
        ("controllers", text("*,bootstrapsigner,tokencleaner")),
        // It asks for a token for each of its controllers before the first of them works: five seconds at the 20 questions a
        // second that are its default. API servers have queues of their own against too many
        // (<https://kubernetes.io/docs/concepts/cluster-administration/flow-control/>).
        ("kube-api-burst", text("200")),
        ("kube-api-qps", text("100")),
        ("kubeconfig", text(CONTROLLER_MANAGER_CONFIG)),
        ("leader-elect", text("true")),
        ("node-cidr-mask-size", text(mask)),
        ("profiling", text("false")),
        (
            "requestheader-client-ca-file",
            text("/etc/kubernetes/pki/front-proxy-ca.crt"),
        ),
        ("root-ca-file", text(AUTHORITY)),
        (
            "service-account-private-key-file",
            text("/etc/kubernetes/pki/sa.key"),
        ),
        (
            "service-cluster-ip-range",
            control_plane.service_range.to_string(),
        ),
        ("terminated-pod-gc-threshold", text("1000")),
        ("use-service-account-credentials", text("true")),
    ];
    defaults.extend(feature_gates(&settings.feature_gates).map(|gates| ("feature-gates", gates)));
    let extra: &[Argument] = &control_plane.controller_manager_arguments;
    let mut mounts = pki_and_trust();
    mounts.push(mount("kubeconfig", CONTROLLER_MANAGER_CONFIG, "File", true));
    Component {
        name: "kube-controller-manager",
        image,
        cpu_request: "200m",
        arguments: arguments(defaults, extra),
        mounts,
        port: 10257,
        live_path: "/healthz",
        ready_path: None,
        reads: Vec::new(),
    }
}

fn scheduler<'a>(
    settings: &KubernetesSettings,
    control_plane: &ControlPlaneSettings,
    image: &'a str,
) -> Component<'a> {
    let config = SCHEDULER_CONFIG.to_owned();
    let mut defaults = vec![
        ("authentication-kubeconfig", config.clone()),
        ("authorization-kubeconfig", config.clone()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("kubeconfig", config),
        ("leader-elect", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ];
    defaults.extend(feature_gates(&settings.feature_gates).map(|gates| ("feature-gates", gates)));
    let extra: &[Argument] = &control_plane.scheduler_arguments;
    Component {
        name: "kube-scheduler",
        image,
        cpu_request: "100m",
        arguments: arguments(defaults, extra),
        mounts: vec![
            mount("kubeconfig", SCHEDULER_CONFIG, "File", true),
            mount("certificates", SCHEDULER_FOLDER, "Directory", true),
        ],
        port: 10259,
        live_path: "/livez",
        ready_path: Some("/readyz"),
        reads: Vec::new(),
    }
}

fn add_kubeconfigs(settings: &KubernetesSettings, contents: &mut Contents) -> Result<(), RenderError> {
    let pki = |file: &str| format!("/etc/kubernetes/pki/{file}");
    let own_authority = format!("{SCHEDULER_FOLDER}/ca.crt");
    let rows = [
        (
            "/etc/kubernetes/admin.conf",
            AUTHORITY,
            "kubernetes-admin",
            pki("admin"),
        ),
        (
            CONTROLLER_MANAGER_CONFIG,
            AUTHORITY,
            "system:kube-controller-manager",
            pki("controller-manager"),
        ),
        (
            SCHEDULER_CONFIG,
            own_authority.as_str(),
            "system:kube-scheduler",
            format!("{SCHEDULER_FOLDER}/scheduler"),
        ),
    ];
    for (path, authority, user, stem) in rows {
        Kubeconfig {
            cluster: &settings.cluster,
            server: LOCAL_SERVER,
            authority,
            user,
            credentials: Credentials::Certificate(&format!("{stem}.crt"), &format!("{stem}.key")),
        }
        .add(path, &[], contents)?;
    }
    Ok(())
}
