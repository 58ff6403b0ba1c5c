//! Snapshots that the machines of an etcd take by themselves: a timer and a unit for each etcd, and the program that both run.
//!
//! Every machine has the same, and the program finds out whose turn it is (`templates/etcd/snapshots-turn.sh`).

use keelson_provider_api::EtcdInstance;
use keelson_provider_api::bundle::BACKUPS;
use keelson_provider_api::values::Version;
use serde_json::json;

use super::action::{Access, Action};
use super::contents::{Contents, RenderError};
use super::etcd::PROGRAM_FOLDER;
use super::templates;

/// The program. How a member is made to write a snapshot, and how that is checked, is the text that saves have, too.
pub(super) const PROGRAM: &str = concat!(
    "#!/bin/sh\n",
    include_str!("../../providers/ssh/src/scripts/etcdctl.sh"),
    include_str!("../../providers/ssh/src/scripts/etcd-live-keys.sh"),
    include_str!("../../providers/ssh/src/scripts/etcd-snapshot.sh"),
    include_str!("../../templates/etcd/snapshots-turn.sh"),
    include_str!("../../templates/etcd/snapshots-prune.sh"),
    include_str!("../../templates/etcd/snapshots.sh"),
);

/// Snapshots that are taken by a schedule and kept where they are taken.
#[derive(Debug, Clone)]
pub struct SnapshotSettings {
    /// When, as a calendar expression of systemd's with its time zone.
    pub schedule: String,
    /// The cluster's name.
    pub cluster: String,
    /// The release of Kubernetes that it is to run; nothing for etcd alone.
    pub kubernetes_version: Option<Version>,
    /// The last so many stay.
    pub last: u32,
    /// The newest of each of the last so many hours that have one.
    pub hourly: u32,
    /// The newest of each of the last so many days that have one.
    pub daily: u32,
    /// The newest of each of the last so many weeks that have one.
    pub weekly: u32,
}

/// Adds snapshots of the members of `instances` to what a machine runs.
pub(super) fn add(
    settings: &SnapshotSettings,
    instances: &[&'static EtcdInstance],
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let program = format!("{PROGRAM_FOLDER}/keelson-etcd-snapshot");
    contents.directory(BACKUPS, Access::of_root(0o700));
    // A run that goes on ends with what it began with.
    contents.file(&program, Access::of_root(0o755), PROGRAM.to_owned(), &[]);
    for instance in instances {
        add_instance(settings, instance, &program, contents)?;
    }
    Ok(())
}

fn add_instance(
    settings: &SnapshotSettings,
    instance: &EtcdInstance,
    program: &str,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let EtcdInstance { cluster, .. } = *instance;
    let kubernetes_version = settings.kubernetes_version.map(|version| version.to_string());
    let values = json!({
        "etcd": cluster,
        "port": instance.client_port,
        "cluster": settings.cluster,
        "kubernetes_version": kubernetes_version.unwrap_or_default(),
        "last": settings.last,
        "hourly": settings.hourly,
        "daily": settings.daily,
        "weekly": settings.weekly,
    });
    let environment_file = format!("/etc/keelson/etcd-snapshots-{cluster}.env");
    let environment = templates::render(templates::SNAPSHOTS_ENVIRONMENT, &values)?;
    contents.file(&environment_file, Access::PUBLIC, environment, &[]);
    let unit = instance.snapshot_unit;
    let values = json!({
        "cluster": cluster,
        "member": instance.unit,
        "program": program,
        "environment": environment_file,
        "backups": BACKUPS,
        "scratch": unit.trim_end_matches(".service"),
    });
    contents.unit(
        unit,
        0o644,
        templates::render(templates::SNAPSHOTS_UNIT, &values)?,
    );
    let timer = instance.snapshot_timer;
    let values = json!({ "cluster": cluster, "schedule": settings.schedule });
    contents.unit(
        timer,
        0o644,
        templates::render(templates::SNAPSHOTS_TIMER, &values)?,
    );
    contents.act(Action::Start { unit: timer });
    Ok(())
}
