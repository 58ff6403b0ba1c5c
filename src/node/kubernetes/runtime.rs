//! What runs containers: containerd, runc, crictl, the CNI plugins, and settings of the kernel that they need.

use keelson_provider_api::values::Version;
use serde_json::{Map, Value, json};

use super::super::action::{Access, Action};
use super::super::assets::{Program, ReleaseFile, ResolvedRelease};
use super::super::contents::{Contents, RenderError};
use super::super::merge::merge;
use super::super::templates;
use super::PROGRAM_FOLDER;

/// containerd's unit.
pub(super) const UNIT: &str = "containerd.service";
const CONFIGURATION: &str = "/etc/containerd/config.toml";
const REGISTRIES: &str = "/etc/containerd/certs.d";
/// Where kubelet and containerd look for CNI plugins, and manifests of others put theirs.
const PLUGIN_FOLDER: &str = "/opt/cni/bin";
/// Helpers of containerd on the machine: `modprobe`, `mount`, and where it comes from there, its own.
const PATH: &str = "/opt/keelson/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const CRICTL_CONFIGURATION: &str = include_str!("../../../templates/kubernetes/crictl.yaml");
const KERNEL_SETTINGS: &str = include_str!("../../../templates/kubernetes/sysctl.conf");
const KERNEL_SETTINGS_IPV6: &str = include_str!("../../../templates/kubernetes/sysctl-ipv6.conf");
const KERNEL_SETTINGS_FILE: &str = "/etc/sysctl.d/90-keelson.conf";
const KERNEL_MODULES: &[&str] = &["overlay", "br_netfilter"];
const KERNEL_MODULES_FILE: &str = "/etc/modules-load.d/keelson.conf";

/// The plugins that the routed network uses, and those that manifests of other networks expect to be there.
const PLUGINS: &[&str] = &[
    "bridge",
    "host-local",
    "loopback",
    "portmap",
    "bandwidth",
    "firewall",
    "tuning",
];

/// What runs containers on a machine.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Where containerd and runc come from.
    pub source: RuntimeSource,
    /// The files of the CNI plugins' release.
    pub cni_plugins: ResolvedRelease,
    /// The files of crictl's release.
    pub crictl: ResolvedRelease,
    /// The image that holds a pod's namespaces.
    pub pause_image: String,
    /// True where pods have addresses of IPv6, so that the machine has to forward its packets.
    pub pods_have_ipv6: bool,
    /// `HOST:PORT` of a registry that speaks without TLS.
    pub insecure_registry: Option<String>,
    /// Fields of containerd's configuration, merged last.
    pub configuration: Map<String, Value>,
    /// Images that are fetched as soon as containerd runs, while other things are still on their way.
    pub images: Vec<String>,
}

/// Where containerd and runc come from.
#[derive(Debug, Clone)]
pub enum RuntimeSource {
    /// From their own releases: these files.
    Upstream {
        /// containerd's.
        containerd: ResolvedRelease,
        /// runc's.
        runc: ResolvedRelease,
    },
    /// They are installed on the machine.
    Host,
}

/// The files of a containerd release.
pub fn containerd(version: Version) -> Vec<ReleaseFile> {
    let folder = format!("github.com/containerd/containerd/releases/download/v{version}");
    ReleaseFile::archives(&format!("containerd {version}"), "bin/", |architecture| {
        let path = format!(
            "{folder}/containerd-{version}-linux-{}.tar.gz",
            architecture.name()
        );
        (format!("{path}.sha256sum"), path)
    })
}

/// The files of a runc release.
pub fn runc(version: Version) -> Vec<ReleaseFile> {
    let folder = format!("github.com/opencontainers/runc/releases/download/v{version}");
    ReleaseFile::programs(&format!("runc {version}"), |architecture| {
        (
            format!("{folder}/runc.sha256sum"),
            format!("{folder}/runc.{}", architecture.name()),
        )
    })
}

/// The files of a release of the CNI plugins.
pub fn cni_plugins(version: Version) -> Vec<ReleaseFile> {
    let folder = format!("github.com/containernetworking/plugins/releases/download/v{version}");
    ReleaseFile::archives(&format!("CNI plugins {version}"), "./", |architecture| {
        let path = format!(
            "{folder}/cni-plugins-linux-{}-v{version}.tgz",
            architecture.name()
        );
        (format!("{path}.sha256"), path)
    })
}

/// The files of a crictl release.
pub fn crictl(version: Version) -> Vec<ReleaseFile> {
    let folder = format!("github.com/kubernetes-sigs/cri-tools/releases/download/v{version}");
    ReleaseFile::archives(&format!("crictl {version}"), "", |architecture| {
        let path = format!("{folder}/crictl-v{version}-linux-{}.tar.gz", architecture.name());
        (format!("{path}.sha256"), path)
    })
}

/// Adds the container runtime to what a machine runs.
pub(super) fn add(settings: &RuntimeSettings, contents: &mut Contents) -> Result<(), RenderError> {
    add_kernel_settings(settings.pods_have_ipv6, contents);
    for folder in [
        "/opt/keelson",
        PROGRAM_FOLDER,
        "/opt/cni",
        PLUGIN_FOLDER,
        "/etc/containerd",
        REGISTRIES,
    ] {
        contents.directory(folder, Access::of_root(0o755));
    }
    contents.file(CONFIGURATION, Access::PUBLIC, configuration(settings)?, &[UNIT]);
    if let Some(registry) = &settings.insecure_registry {
        add_insecure_registry(registry, contents)?;
    }
    if let RuntimeSource::Upstream { containerd, runc } = &settings.source {
        contents.install(
            containerd,
            &programs(&["containerd", "containerd-shim-runc-v2", "ctr"], PROGRAM_FOLDER),
        );
        contents.install(runc, &programs(&["runc"], PROGRAM_FOLDER));
        let values = json!({
            "program": format!("{PROGRAM_FOLDER}/containerd"),
            "configuration": CONFIGURATION,
            "path": PATH,
        });
        contents.unit(
            UNIT,
            0o644,
            templates::render(templates::CONTAINERD_UNIT, &values)?,
        );
    }
    contents.install(&settings.crictl, &programs(&["crictl"], PROGRAM_FOLDER));
    contents.file(
        "/etc/crictl.yaml",
        Access::PUBLIC,
        CRICTL_CONFIGURATION.to_owned(),
        &[],
    );
    contents.install(&settings.cni_plugins, &programs(PLUGINS, PLUGIN_FOLDER));
    contents.act(Action::Start { unit: UNIT });
    for image in &settings.images {
        contents.act(Action::Image { name: image.clone() });
    }
    Ok(())
}

/// Of these, only containerd is a reason to restart it.
fn programs(names: &[&'static str], folder: &'static str) -> Vec<Program> {
    let program = |&name: &&'static str| Program {
        name,
        folder,
        units: if name == "containerd" {
            vec![UNIT]
        } else {
            Vec::new()
        },
    };
    names.iter().map(program).collect()
}

fn add_kernel_settings(pods_have_ipv6: bool, contents: &mut Contents) {
    let modules = KERNEL_MODULES.join("\n") + "\n";
    contents.file(KERNEL_MODULES_FILE, Access::PUBLIC, modules, &[]);
    for module in KERNEL_MODULES {
        contents.act(Action::KernelModule { name: module });
    }
    // Not where it is not needed: it changes how a machine finds its way in its own network.
    let ipv6 = if pods_have_ipv6 { KERNEL_SETTINGS_IPV6 } else { "" };
    let settings = format!("{KERNEL_SETTINGS}{ipv6}");
    contents.file(KERNEL_SETTINGS_FILE, Access::PUBLIC, settings, &[]);
    contents.act(Action::KernelSettings {
        path: KERNEL_SETTINGS_FILE,
    });
}

/// <https://github.com/containerd/containerd/blob/main/docs/hosts.md>
fn add_insecure_registry(registry: &str, contents: &mut Contents) -> Result<(), RenderError> {
    let folder = format!("{REGISTRIES}/{registry}");
    contents.act(Action::Directory {
        path: folder.clone(),
        access: Access::of_root(0o755),
    });
    let server = format!("http://{registry}");
    let mut hosts = Map::new();
    hosts.insert(server.clone(), json!({ "capabilities": ["pull", "resolve"] }));
    let text = toml::to_string(&json!({ "server": server, "host": hosts }))?;
    contents.file(&format!("{folder}/hosts.toml"), Access::PUBLIC, text, &[]);
    Ok(())
}

/// containerd's configuration, in the form of its releases since 2.0 where keelson brings it, and in the one before where
/// the machine does: every containerd that Kubernetes works with reads that.
/// <https://github.com/containerd/containerd/blob/main/docs/cri/config.md>
fn configuration(settings: &RuntimeSettings) -> Result<String, RenderError> {
    let base = match settings.source {
        RuntimeSource::Upstream { .. } => since_2_0(&settings.pause_image),
        RuntimeSource::Host => before_2_0(&settings.pause_image),
    };
    let merged = merge(base, &Value::Object(settings.configuration.clone()));
    Ok(toml::to_string(&merged)?)
}

fn since_2_0(pause_image: &str) -> Value {
    json!({
        "version": 3,
        "plugins": {
            "io.containerd.cri.v1.images": {
                "pinned_images": { "sandbox": pause_image },
                "registry": { "config_path": REGISTRIES },
            },
            "io.containerd.cri.v1.runtime": {
                "containerd": {
                    "default_runtime_name": "runc",
                    "runtimes": { "runc": {
                        "runtime_type": "io.containerd.runc.v2",
                        "options": {
                            "BinaryName": format!("{PROGRAM_FOLDER}/runc"),
                            "SystemdCgroup": true,
                        },
                    } },
                },
                "cni": { "bin_dirs": [PLUGIN_FOLDER], "conf_dir": "/etc/cni/net.d" },
            },
        },
    })
}

fn before_2_0(pause_image: &str) -> Value {
    json!({
        "version": 2,
        "plugins": { "io.containerd.grpc.v1.cri": {
            "sandbox_image": pause_image,
            "registry": { "config_path": REGISTRIES },
            "containerd": {
                "default_runtime_name": "runc",
                "runtimes": { "runc": {
                    "runtime_type": "io.containerd.runc.v2",
                    "options": { "SystemdCgroup": true },
                } },
            },
            "cni": { "bin_dir": PLUGIN_FOLDER, "conf_dir": "/etc/cni/net.d" },
        } },
    })
}
