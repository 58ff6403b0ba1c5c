//! The newest snapshot of each etcd.

use std::collections::BTreeMap;

use keelson_provider_api::{EtcdInstance, Kind, Observation, Resource};

use super::SnapshotStatus;
use crate::backup::BackupManifest;

/// The newest snapshot of each etcd that a cluster has, by the name of the etcd; nothing where there is none.
pub(super) type LastSnapshots = BTreeMap<String, Option<SnapshotStatus>>;

/// Of `etcds` those that lie on machines, where they were taken before something that could go wrong.
pub(super) fn observed(etcds: &[&EtcdInstance], observation: &Observation) -> LastSnapshots {
    let newest = |etcd: &EtcdInstance| {
        let all = observation.owned_of(Kind::EtcdSnapshot);
        let its = all.filter_map(|(key, existing)| match &existing.resource {
            Resource::EtcdSnapshot(snapshot) if snapshot.cluster == etcd.cluster => Some(SnapshotStatus {
                name: key.name().to_owned(),
                taken_at: existing.created_at,
                purpose: snapshot.purpose.clone(),
            }),
            _ => None,
        });
        its.max_by_key(|snapshot| snapshot.taken_at)
    };
    let each = etcds.iter();
    each.map(|etcd| (etcd.cluster.to_owned(), newest(etcd))).collect()
}

/// Puts each of `kept`, backups by the names of their etcds, in the place of what is not newer.
pub(super) fn take_newer(last: &mut LastSnapshots, kept: BTreeMap<&str, SnapshotStatus>) {
    for (etcd, backup) in kept {
        let slot = last.entry(etcd.to_owned()).or_default();
        if slot.as_ref().is_none_or(|last| last.taken_at <= backup.taken_at) {
            *slot = Some(backup);
        }
    }
}

impl From<&BackupManifest> for SnapshotStatus {
    fn from(manifest: &BackupManifest) -> Self {
        Self {
            name: manifest.name.to_string(),
            taken_at: manifest.taken_at,
            purpose: manifest.purpose.clone(),
        }
    }
}
