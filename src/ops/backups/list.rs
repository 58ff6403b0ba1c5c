//! Which backups there are.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use serde::Serialize;

use super::places::{BackupPlace, Placed, SilentPlace};
use crate::backup::{BackupManifest, BackupName, BackupState};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// The backups of a cluster, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupList {
    /// The cluster.
    pub name: ClusterName,
    /// Where they are kept, each place.
    pub locations: Vec<String>,
    /// The places that did not answer.
    pub silent: Vec<SilentPlace>,
    /// The time that ages count from.
    pub now: Timestamp,
    /// The backups.
    pub backups: Vec<BackupEntry>,
}

/// A backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupEntry {
    /// Its name.
    pub name: BackupName,
    /// Where it lies.
    pub place: BackupPlace,
    /// How it is, as far as can be seen without reading all of it.
    pub condition: Condition,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// True for one of an earlier cluster of the same name.
    pub of_earlier_life: bool,
    /// What was written down about it.
    pub manifest: Option<BackupManifest>,
}

/// How a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// All of it is there.
    Whole,
    /// It counted once, and something of it is missing or another.
    Damaged,
    /// The place where it lies does not show it: it may be whole.
    Unread,
    /// It never counted: somebody saves it now, or did not come to the end.
    Unfinished,
}

impl Session {
    /// Lists the cluster's backups, also when the cluster is gone.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when the state store cannot be read.
    pub async fn backups(&self) -> Result<BackupList, OperationError> {
        let everywhere = self.look_everywhere(None).await?;
        let uid = self.living().await?.map(|record| record.uid);
        let mut backups: Vec<BackupEntry> = everywhere.backups.into_iter().map(entry).collect();
        for backup in &mut backups {
            let of = backup.manifest.as_ref().map(|manifest| &manifest.cluster_uid);
            backup.of_earlier_life = of.is_some() && of != uid.as_ref();
        }
        backups.sort_by_cached_key(|backup| {
            let taken = backup.manifest.as_ref().map(|manifest| manifest.taken_at);
            std::cmp::Reverse((
                taken,
                backup.name.clone(),
                std::cmp::Reverse(backup.place.clone()),
            ))
        });
        Ok(BackupList {
            name: self.spec().name().clone(),
            locations: everywhere.locations,
            silent: everywhere.silent,
            now: self.clock().now(),
            backups,
        })
    }
}

fn entry(placed: Placed<'_>) -> BackupEntry {
    let (condition, problem, manifest) = match placed.backup.state {
        BackupState::Whole(manifest) => (Condition::Whole, None, Some(manifest)),
        BackupState::Damaged { manifest, problem } => (Condition::Damaged, Some(problem), manifest),
        BackupState::Unread { manifest, problem } => (Condition::Unread, Some(problem), manifest),
        BackupState::Unfinished => (Condition::Unfinished, None, None),
    };
    BackupEntry {
        name: placed.backup.name,
        place: placed.place,
        condition,
        problem,
        of_earlier_life: false,
        manifest: manifest.map(|manifest| *manifest),
    }
}
