//! Taking etcd off a machine that is given back.

use std::time::Duration;

use keelson_provider_api::ClusterUid;
use keelson_provider_api::etcd::INSTANCES;

use super::mark::fragment;
use crate::shell::Job;

/// Stops the members that a cluster has on a machine, and deletes their data, what was moved aside, their marks and the
/// cluster's snapshots. What belongs to another cluster, or has no mark, stays.
pub const SCRIPT: &str = include_str!("../scripts/etcd-wipe.sh");

/// The arguments of [`SCRIPT`] for the cluster `uid`.
pub fn arguments(uid: &ClusterUid) -> Vec<String> {
    let members = INSTANCES
        .iter()
        .flat_map(|instance| {
            [
                instance.cluster,
                instance.unit,
                instance.data_folder,
                instance.snapshot_timer,
                instance.snapshot_unit,
            ]
        })
        .map(str::to_owned);
    std::iter::once(fragment(uid)).chain(members).collect()
}

/// The job of [`SCRIPT`], without fencing: for whoever releases a machine, under their own. Doing it twice is doing it
/// once.
pub fn job(uid: &ClusterUid) -> Job<'static> {
    Job {
        name: "wipe etcd",
        script: SCRIPT,
        arguments: arguments(uid),
        input: Vec::new(),
        timeout: Duration::from_secs(120),
    }
}
