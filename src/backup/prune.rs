//! Deleting backups that no rule keeps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::ClusterUid;

use super::archive::Archive;
use super::error::BackupError;
use super::keep::{KeepReason, KeepRules};
use super::manifest::{BackupManifest, BackupName};
use super::state::Backup;

/// A snapshot without a manifest may be one that somebody saves right now; no save takes so long.
const UNFINISHED_LEAST_AGE: SignedDuration = SignedDuration::from_hours(24);

/// So far the clocks of two machines may be apart.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(10);

/// Whose newest backup is no other's: a life of a cluster and an etcd.
pub type Line = (ClusterUid, String);

/// What a prune would delete, and what it would leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// What stays because of a rule, and the rules.
    pub kept: BTreeMap<BackupName, BTreeSet<KeepReason>>,
    /// What stays although it is damaged, could not be read, or was taken by a clock that is ahead: whoever is in need may still
    /// find something in it. No rule counts it.
    pub damaged: BTreeMap<BackupName, String>,
    /// What somebody may still be saving.
    pub unfinished: BTreeSet<BackupName>,
    /// What goes.
    pub deleted: BTreeSet<BackupName>,
}

/// What a prune came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The backups that were deleted.
    pub deleted: Vec<BackupName>,
    /// How many remains of saves that were killed were taken away.
    pub swept: usize,
}

impl PrunePlan {
    /// What `rules` make of `backups` at the time `now`. Each etcd of each life of the cluster has backups of its own: the newest
    /// of events does not stand for the newest of everything else, nor that of a new cluster for one that was destroyed.
    pub fn of(rules: KeepRules, backups: &[Backup], now: Timestamp) -> Self {
        let mut plan = Self::default();
        let mut lines: BTreeMap<Line, Vec<(&str, Timestamp)>> = BTreeMap::new();
        for backup in backups {
            let name = &backup.name;
            if let Some(problem) = backup.trouble(now) {
                plan.damaged.insert(name.clone(), problem);
            } else if let Some(manifest) = backup.whole() {
                let line = lines.entry(line_of(manifest)).or_default();
                line.push((name.as_str(), manifest.taken_at));
            } else {
                let begun = name.tells().map(|(_, begun)| begun);
                let place = if begun.is_some_and(|begun| now.duration_since(begun) > UNFINISHED_LEAST_AGE) {
                    &mut plan.deleted
                } else {
                    &mut plan.unfinished
                };
                place.insert(name.clone());
            }
        }
        let kept: BTreeMap<&str, BTreeSet<KeepReason>> = lines
            .into_values()
            .flat_map(|backups| rules.kept(backups))
            .collect();
        for backup in backups.iter().filter(|backup| backup.counted(now).is_some()) {
            match kept.get(backup.name.as_str()) {
                Some(reasons) => {
                    plan.kept.insert(backup.name.clone(), reasons.clone());
                }
                None => {
                    plan.deleted.insert(backup.name.clone());
                }
            }
        }
        plan
    }

    /// Leaves the backup `name` where it is, also where no rule keeps it, for `reason`.
    pub fn keep(&mut self, name: &BackupName, reason: KeepReason) {
        if self.deleted.remove(name) || self.kept.contains_key(name) {
            self.kept.entry(name.clone()).or_default().insert(reason);
        }
    }
}

/// The etcd, and whose it is.
pub fn line_of(manifest: &BackupManifest) -> Line {
    (manifest.cluster_uid.clone(), manifest.etcd_cluster.clone())
}

/// True when it was taken by a clock that is ahead of this one: nobody knows how old it is.
pub(super) fn is_ahead(manifest: &BackupManifest, now: Timestamp) -> bool {
    manifest.taken_at.duration_since(now) > CLOCKS_APART
}

impl Archive {
    /// Deletes what `plan` says, and what saves that were killed have left.
    ///
    /// # Errors
    /// [`BackupError::Store`]; what was deleted by then is gone, and doing it again goes on.
    pub async fn prune(&self, plan: &PrunePlan) -> Result<Pruned, BackupError> {
        let mut pruned = Pruned::default();
        for name in &plan.deleted {
            self.delete(name).await?;
            pruned.deleted.push(name.clone());
        }
        pruned.swept = self.sweep().await?;
        Ok(pruned)
    }
}
