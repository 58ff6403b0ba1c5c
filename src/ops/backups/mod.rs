//! Backups of a cluster's etcd: taken, looked at, read again, restored, deleted when no rule keeps them.
//!
//! None of it but a restore takes the lease: whoever saves changes nothing of the cluster, so an apply that goes on for an hour is no
//! reason to go without a backup, and one that is deleted was not needed by anybody.

mod drill;
pub(super) mod intent;
mod list;
mod prune;
mod restore;
mod save;
mod unpacked;
mod verify;

use std::sync::Arc;

use jiff::Timestamp;
use keelson_provider_api::{ClusterUid, EtcdDrill, EtcdMaintenance, EtcdRestore};
use serde::Serialize;

pub use drill::DrillReport;
pub use list::{BackupEntry, BackupList, Condition as BackupCondition};
pub use prune::{PlannedPrune, PruneReport, PrunedBackup};
pub use restore::RestoredEtcd;
pub use save::SaveRequest;
pub use unpacked::{RestoreSource, UnpackedSnapshot};
pub use verify::{VerifiedBackup, VerifyReport};

use super::error::OperationError;
use super::session::Session;
use crate::backup::{Archive, Backup, BackupError, BackupManifest, BackupName, Unpacker};
use crate::spec::EtcdPlacement;

/// What backups take: where they are kept, who has members write snapshots, and who gives them back.
#[derive(Clone)]
pub struct BackupParts {
    /// Where they are kept.
    pub archive: Archive,
    /// Who has members write snapshots.
    pub maintenance: Arc<dyn EtcdMaintenance>,
    /// Who gives members the data of snapshots; `None` where there is no such data.
    pub restore: Option<Arc<dyn EtcdRestore>>,
    /// Who restores snapshots for trial; `None` where there is no such data.
    pub drill: Option<Arc<dyn EtcdDrill>>,
}

/// Which backup is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichBackup {
    /// The newest of this etcd that is whole: of the cluster that lives, or of any where none does.
    Newest(String),
    /// The one of that name.
    Named(BackupName),
}

/// A backup that was saved just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedBackup {
    /// What was written down about it.
    #[serde(flatten)]
    pub manifest: BackupManifest,
    /// Where it is kept.
    pub location: String,
}

impl Session {
    pub(super) fn backup_parts(&self) -> Result<&BackupParts, OperationError> {
        let name = self.spec().name();
        if let EtcdPlacement::External(_) = self.spec().etcd.placement {
            return Err(OperationError::ExternalEtcd(name.clone()));
        }
        self.parts
            .backups
            .as_ref()
            .ok_or_else(|| OperationError::Simulated {
                name: name.clone(),
                lacks: "backups",
            })
    }

    /// Finds a backup.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when it is not there, or is damaged.
    pub async fn find_backup(&self, which: &WhichBackup) -> Result<BackupManifest, OperationError> {
        let archive = &self.backup_parts()?.archive;
        match which {
            WhichBackup::Named(name) => Ok(archive.manifest(name).await?),
            WhichBackup::Newest(etcd) => {
                let backups = archive.list().await?;
                let uid = self.living().await?.map(|record| record.uid);
                let newest = newest_whole(&backups, etcd, uid.as_ref(), self.clock().now()).cloned();
                newest.ok_or_else(|| {
                    OperationError::Backup(BackupError::NoneWhole {
                        etcd: etcd.clone(),
                        location: archive.location(),
                    })
                })
            }
        }
    }

    /// Opens a backup, to read the snapshot in it as etcd takes it.
    ///
    /// # Errors
    /// [`OperationError::Backup`].
    pub async fn open_backup(&self, manifest: &BackupManifest) -> Result<Unpacker, OperationError> {
        Ok(self.backup_parts()?.archive.open(manifest).await?)
    }
}

/// The newest backup of `etcd` that is whole: of the cluster that lives, or of any where none does.
pub(super) fn newest_whole<'a>(
    backups: &'a [Backup],
    etcd: &str,
    uid: Option<&ClusterUid>,
    now: Timestamp,
) -> Option<&'a BackupManifest> {
    let counted = backups.iter().filter_map(|backup| backup.counted(now));
    counted
        .filter(|manifest| manifest.etcd_cluster == etcd)
        .filter(|manifest| uid.is_none_or(|uid| manifest.cluster_uid == *uid))
        .max_by_key(|manifest| age_key(manifest))
}

/// What backups are sorted by: when they were taken, and by name where that is the same.
fn age_key(manifest: &BackupManifest) -> (Timestamp, &BackupName) {
    (manifest.taken_at, &manifest.name)
}
