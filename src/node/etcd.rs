//! etcd on a machine: a systemd unit under its own user, not a pod, so that it can be operated while kubelet or
//! containerd are broken.
//!
//! Ports, paths and flags are kubeadm's where it has them (`cmd/kubeadm/app/phases/etcd/local.go` of Kubernetes 1.36.1).
//! What comes and goes with a member's life, how it joins and who its fellows are, is no part of the bundle: it stands in
//! the file `<cluster>.member.env`, which is written when the member is made.

use keelson_provider_api::EtcdInstance;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::values::Version;
use serde_json::json;

use super::action::{Access, Action};
use super::assets::{Program, ResolvedRelease};
use super::contents::{Contents, RenderError};
use super::etcd_snapshots::{self, SnapshotSettings};
use super::templates;

/// Where etcd's programs are.
pub(super) const PROGRAM_FOLDER: &str = "/opt/keelson/bin";

/// etcd's folder for configuration.
pub(super) const CONFIGURATION_FOLDER: &str = "/etc/etcd";

/// The user and group that etcd runs as.
pub const USER: &str = "etcd";

/// The first release whose experimental flags have become feature gates and plain flags.
const FEATURE_GATES_SINCE: Version = Version::new(3, 6, 0);

/// The file with what the members of the cluster of `instance` have in common. kube-bench looks at `/etc/etcd/etcd.conf` where
/// etcd is no pod (checks 1.1.7 and 1.1.8; `etcdconf` in its `cfg/config.yaml`).
fn settings_file(instance: &EtcdInstance) -> String {
    if instance.cluster == MAIN.cluster {
        format!("{CONFIGURATION_FOLDER}/etcd.conf")
    } else {
        format!("{CONFIGURATION_FOLDER}/etcd-{}.conf", instance.cluster)
    }
}

/// The file with how the member of `instance` comes into its cluster.
fn member_file(instance: &EtcdInstance) -> String {
    format!("{CONFIGURATION_FOLDER}/{}.member.env", instance.cluster)
}

/// What the etcds of a cluster have in common.
#[derive(Debug, Clone)]
pub struct EtcdSettings {
    /// The release.
    pub version: Version,
    /// Its files.
    pub release: ResolvedRelease,
    /// The instances on each machine.
    pub instances: Vec<&'static EtcdInstance>,
    /// How often the leader reports, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long a member waits for it, in milliseconds.
    pub election_timeout_ms: u64,
    /// How large a database may grow.
    pub quota_bytes: u64,
    /// Snapshots that are taken by a schedule.
    pub snapshots: Option<SnapshotSettings>,
    /// The files that a member shows and trusts.
    pub certificates: EtcdCertificates,
}

/// Paths of an etcd member's certificates.
#[derive(Debug, Clone)]
pub struct EtcdCertificates {
    /// The authority's certificate.
    pub authority: String,
    /// What clients are shown.
    pub server: String,
    /// Its key.
    pub server_key: String,
    /// What other members are shown.
    pub peer: String,
    /// Its key.
    pub peer_key: String,
}

/// Adds etcd to what a machine runs.
pub(super) fn add(settings: &EtcdSettings, contents: &mut Contents) -> Result<(), RenderError> {
    let units: Vec<&'static str> = settings.instances.iter().map(|instance| instance.unit).collect();
    contents.act(Action::User {
        name: USER,
        home: MAIN.data_folder,
    });
    for folder in ["/opt/keelson", PROGRAM_FOLDER, CONFIGURATION_FOLDER] {
        contents.directory(folder, Access::of_root(0o755));
    }
    let programs = ["etcd", "etcdctl", "etcdutl"].map(|name| Program {
        name,
        folder: PROGRAM_FOLDER,
        // Clients of etcd are no reason to restart it.
        units: if name == "etcd" { units.clone() } else { Vec::new() },
    });
    contents.install(&settings.release, &programs);
    for instance in &settings.instances {
        add_instance(settings, instance, contents)?;
    }
    match &settings.snapshots {
        Some(snapshots) => etcd_snapshots::add(snapshots, &settings.instances, contents),
        None => Ok(()),
    }
}

fn add_instance(
    settings: &EtcdSettings,
    instance: &EtcdInstance,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let EtcdInstance { cluster, unit, .. } = *instance;
    contents.act(Action::Directory {
        path: instance.data_folder.to_owned(),
        access: Access {
            mode: 0o700,
            owner: USER,
            group: USER,
        },
    });
    let certificates = &settings.certificates;
    let environment = templates::render(
        templates::ETCD_ENVIRONMENT,
        &json!({
            "authority": certificates.authority,
            "certificate": certificates.server,
            "key": certificates.server_key,
            "peer_certificate": certificates.peer,
            "peer_key": certificates.peer_key,
            "heartbeat_ms": settings.heartbeat_ms,
            "election_timeout_ms": settings.election_timeout_ms,
            "quota_bytes": settings.quota_bytes,
            "has_feature_gates": settings.version >= FEATURE_GATES_SINCE,
        }),
    )?;
    let environment_file = settings_file(instance);
    contents.file(&environment_file, Access::of_root(0o600), environment, &[unit]);
    let text = templates::render(
        templates::ETCD_UNIT,
        &json!({
            "cluster": cluster,
            "program": format!("{PROGRAM_FOLDER}/etcd"),
            "environment": environment_file,
            "member": member_file(instance),
            "data_folder": instance.data_folder,
            "client_port": instance.client_port,
            "peer_port": instance.peer_port,
            "metrics_port": instance.metrics_port,
        }),
    )?;
    contents.unit(unit, 0o600, text);
    Ok(())
}
