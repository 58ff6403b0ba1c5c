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

/// How a member is made to write a snapshot, and how that is checked, is the text that saves have, too.
macro_rules! program {
    ($($place:literal),+) => {
        concat!(
            "#!/bin/sh\n",
            include_str!("../../providers/ssh/src/scripts/etcdctl.sh"),
            include_str!("../../providers/ssh/src/scripts/etcd-live-keys.sh"),
            include_str!("../../providers/ssh/src/scripts/room.sh"),
            include_str!("../../providers/ssh/src/scripts/sha256.sh"),
            include_str!("../../providers/ssh/src/scripts/etcd-snapshot.sh"),
            include_str!("../../templates/etcd/snapshots-turn.sh"),
            $(include_str!(concat!("../../templates/etcd/", $place)),)+
            include_str!("../../templates/etcd/snapshots.sh"),
        )
    };
}

/// The program that keeps snapshots on its machine.
pub(super) const PROGRAM: &str = program!["snapshots-rules.sh", "snapshots-here.sh"];

/// The program that keeps them in a bucket.
pub(super) const BUCKET_PROGRAM: &str =
    program!["object-store.sh", "snapshots-rules.sh", "snapshots-bucket.sh"];

/// Where the secret part of a bucket's key is on a machine: its id and its secret, a line each.
pub const BUCKET_KEY: &str = "/etc/keelson/etcd-snapshots.key";

/// Where the authority is that the bucket's server shows a certificate of.
pub const BUCKET_AUTHORITY: &str = "/etc/keelson/etcd-snapshots-ca.crt";

/// Where a machine that takes snapshots finds the digests of the cluster's authorities and keys, as their manifests have them:
/// a line of JSON.
pub const SNAPSHOT_AUTHORITIES: &str = "/etc/keelson/etcd-snapshots-authorities.json";

/// Snapshots that are taken by a schedule.
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
    /// Where they are kept; nothing for the machines that take them.
    pub bucket: Option<BucketSettings>,
}

/// A bucket as machines write to it.
#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// Its server, `https://…`.
    pub endpoint: String,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// What stands before the names of snapshots, with a slash at its end.
    pub folder: String,
    /// Whether its name stands in the path of its URLs.
    pub has_path_style: bool,
    /// Whether its server's authority is [brought](BUCKET_AUTHORITY).
    pub has_authority: bool,
    /// The id of the key, which is no secret: with another key machines are set up anew.
    pub access_key_id: String,
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
    let text = match settings.bucket {
        Some(_) => BUCKET_PROGRAM,
        None => PROGRAM,
    };
    contents.file(&program, Access::of_root(0o755), text.to_owned(), &[]);
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
    let of_bucket =
        |field: &dyn Fn(&BucketSettings) -> &str| settings.bucket.as_ref().map_or("", field).to_owned();
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
        "bucket_endpoint": of_bucket(&|bucket| &bucket.endpoint),
        "bucket_name": of_bucket(&|bucket| &bucket.name),
        "bucket_region": of_bucket(&|bucket| &bucket.region),
        "bucket_folder": of_bucket(&|bucket| &bucket.folder),
        "bucket_path_style": of_bucket(&|bucket| if bucket.has_path_style { "yes" } else { "no" }),
        "bucket_authority": of_bucket(&|bucket| if bucket.has_authority { BUCKET_AUTHORITY } else { "" }),
        "bucket_key_id": of_bucket(&|bucket| &bucket.access_key_id),
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
