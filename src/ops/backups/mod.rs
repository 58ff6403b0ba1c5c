//! Backups of a cluster's etcd: taken, looked at, read again, restored, deleted when no rule keeps them.
//!
//! None of it but a restore takes the lease: whoever saves changes nothing of the cluster, so an apply that goes on for an hour is no
//! reason to go without a backup, and one that is deleted was not needed by anybody.

mod beginning;
mod begun;
mod drill;
mod finding;
pub(super) mod intent;
mod list;
pub(super) mod newest;
mod other_keys;
pub(super) mod places;
mod prune;
mod restore;
mod save;
mod unpacked;
mod verify;
mod waiting;

use std::sync::Arc;

use jiff::Timestamp;
use keelson_provider_api::{EtcdDrill, EtcdMaintenance, EtcdRestore, ScheduledSnapshots};
use serde::Serialize;

pub use beginning::RestoreTerms;
pub use begun::{BegunRestore, begun_restore};
pub use drill::DrillReport;
pub use finding::{FoundBackup, WhichBackup};
pub use list::{BackupEntry, BackupList, Condition as BackupCondition};
pub use newest::PassedOver;
pub use places::{BackupPlace, HostArchive, SilentPlace};
pub use prune::{PlannedPrune, PruneReport, PrunedBackup};
pub use restore::RestoredEtcd;
pub use save::SaveRequest;
pub use unpacked::{RestoreSource, UnpackedSnapshot};
pub use verify::{GoneBackup, VerifiedBackup, VerifyReport, VerifyRequest};

use super::error::OperationError;
use super::session::Session;
use crate::backup::{Archive, BackupManifest, BackupName};
use crate::spec::EtcdPlacement;

/// What backups take: where they are kept, who has members write snapshots, and who gives them back.
#[derive(Clone)]
pub struct BackupParts {
    /// Where they are saved to, and kept.
    pub archive: Archive,
    /// Those that machines keep which take them by a schedule.
    pub hosts: Vec<HostArchive>,
    /// What machines keep in a bucket by a schedule, where they do, or why it cannot be read.
    pub bucket: Option<Result<Archive, String>>,
    /// Who knows how that goes; `None` where no machine does.
    pub scheduled: Option<Arc<dyn ScheduledSnapshots>>,
    /// Who has members write snapshots.
    pub maintenance: Arc<dyn EtcdMaintenance>,
    /// Who gives members the data of snapshots; `None` where there is no such data.
    pub restore: Option<Arc<dyn EtcdRestore>>,
    /// Who restores snapshots for trial; `None` where there is no such data.
    pub drill: Option<Arc<dyn EtcdDrill>>,
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
}

/// What backups are sorted by: when they were taken, and by name where that is the same.
fn age_key(manifest: &BackupManifest) -> (Timestamp, &BackupName) {
    (manifest.taken_at, &manifest.name)
}
