//! Deleting backups that no rule keeps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::age_key;
use super::intent::{self, SnapshotOrigin};
use crate::backup::{
    Archive, Backup, BackupError, BackupManifest, BackupName, BackupState, KeepReason, KeepRules, Line,
    PrunePlan, line_of,
};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// What a prune does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PruneReport {
    /// Where the backups are kept.
    pub location: String,
    /// True once it is done.
    pub done: bool,
    /// How many remains of saves that were killed were taken away.
    pub swept: usize,
    /// The backups that go.
    pub deleted: Vec<PrunedBackup>,
    /// The backups that stay, and the rules that keep them.
    pub kept: BTreeMap<BackupName, BTreeSet<KeepReason>>,
    /// Those that stay although they are damaged or could not be read, and what is wrong with them.
    pub damaged: BTreeMap<BackupName, String>,
    /// Those that somebody may be saving now.
    pub unfinished: BTreeSet<BackupName>,
}

/// A backup that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrunedBackup {
    /// Its name.
    pub name: BackupName,
    /// What was written down about it; nothing for one that never counted.
    pub manifest: Option<BackupManifest>,
}

/// A prune that was planned.
pub struct PlannedPrune {
    plan: PrunePlan,
    /// What it does.
    pub report: PruneReport,
}

impl Session {
    /// Plans which backups go by `rules`; by those of the spec, where none are given. Where something of an etcd goes, its newest
    /// is read to its end first: what counts as the newest good one is good. What a restore has begun with stays until that has
    /// come to its end.
    ///
    /// # Errors
    /// [`OperationError::Backup`]; [`OperationError::Store`] when it cannot be seen whether a restore has begun.
    pub async fn plan_prune(&self, rules: Option<KeepRules>) -> Result<PlannedPrune, OperationError> {
        let archive = &self.backup_parts()?.archive;
        let keep = self.spec().etcd.snapshots.keep;
        let rules = rules.unwrap_or(KeepRules {
            last: keep.last.unwrap_or(0),
            hourly: keep.hourly,
            daily: keep.daily,
            weekly: keep.weekly,
        });
        let mut backups = archive.list().await?;
        let now = self.clock().now();
        let mut plan = PrunePlan::of(rules, &backups, now);
        if prove_newest(archive, &mut backups, &plan, now).await? {
            plan = PrunePlan::of(rules, &backups, now);
        }
        if let Some(name) = self.begun_with().await? {
            plan.keep(&name, KeepReason::Restore);
        }
        let deleted = backups
            .iter()
            .filter(|backup| plan.deleted.contains(&backup.name));
        let deleted = deleted.map(|backup| PrunedBackup {
            name: backup.name.clone(),
            manifest: backup.whole().cloned(),
        });
        let report = PruneReport {
            location: archive.location(),
            done: false,
            swept: 0,
            deleted: deleted.collect(),
            kept: plan.kept.clone(),
            damaged: plan.damaged.clone(),
            unfinished: plan.unfinished.clone(),
        };
        Ok(PlannedPrune { plan, report })
    }

    /// Deletes what was planned, but for what a restore has begun with meanwhile.
    ///
    /// # Errors
    /// [`OperationError::Backup`]; what was deleted by then is gone, and doing it again goes on. [`OperationError::Store`] as above.
    pub async fn prune(&self, planned: PlannedPrune) -> Result<PruneReport, OperationError> {
        let PlannedPrune { mut plan, mut report } = planned;
        if let Some(name) = self.begun_with().await? {
            plan.keep(&name, KeepReason::Restore);
            report.deleted.retain(|pruned| pruned.name != name);
            report.kept = plan.kept.clone();
        }
        let pruned = self.backup_parts()?.archive.prune(&plan).await?;
        Ok(PruneReport {
            done: true,
            swept: pruned.swept,
            ..report
        })
    }

    /// The backup that a restore has begun with which did not come to its end. Wherever it lies, one of the same name is the same.
    async fn begun_with(&self) -> Result<Option<BackupName>, OperationError> {
        let standing = intent::read(self.store(), self.spec().name()).await?;
        Ok(standing.and_then(|standing| match standing.intent.origin {
            SnapshotOrigin::Backup { name, .. } => Some(name),
            SnapshotOrigin::File(_) => None,
        }))
    }
}

/// Reads the newest backup of each etcd of which `plan` deletes something, and while that is damaged the one before it. What is
/// found damaged counts as such from then on; true where something is.
async fn prove_newest(
    archive: &Archive,
    backups: &mut [Backup],
    plan: &PrunePlan,
    now: Timestamp,
) -> Result<bool, BackupError> {
    let mut found = false;
    let loses = backups
        .iter()
        .filter(|backup| plan.deleted.contains(&backup.name));
    let lines: BTreeSet<Line> = loses
        .filter_map(|backup| backup.counted(now).map(line_of))
        .collect();
    for line in lines {
        let mut whole: Vec<(usize, BackupManifest)> = backups
            .iter()
            .enumerate()
            .filter_map(|(index, backup)| Some((index, backup.counted(now)?.clone())))
            .filter(|(_, manifest)| line_of(manifest) == line)
            .collect();
        whole.sort_by(|(_, one), (_, other)| age_key(other).cmp(&age_key(one)));
        for (index, manifest) in whole {
            let Err(error) = archive.check_object(&manifest).await else {
                break;
            };
            let problem = error.into_damage()?;
            found = true;
            if let Some(backup) = backups.get_mut(index) {
                backup.state = BackupState::Damaged {
                    manifest: Some(Box::new(manifest)),
                    problem,
                };
            }
        }
    }
    Ok(found)
}
