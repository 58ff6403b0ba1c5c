//! Deleting backups that no rule keeps.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::age_key;
use crate::backup::{
    Backup, BackupError, BackupManifest, BackupName, BackupState, KeepReason, KeepRules, Line, PrunePlan,
    line_of,
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
    /// Those that stay although they are damaged, and what is wrong with them.
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
    /// Plans which backups go by `rules`; by those of the spec, where none are given. The newest of each etcd is read to its
    /// end first: what counts as the newest good one is good.
    ///
    /// # Errors
    /// [`OperationError::Backup`].
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
        self.prove_newest(&mut backups).await?;
        let plan = PrunePlan::of(rules, &backups, self.clock().now());
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

    /// Deletes what was planned.
    ///
    /// # Errors
    /// [`OperationError::Backup`]; what was deleted by then is gone, and doing it again goes on.
    pub async fn prune(&self, planned: PlannedPrune) -> Result<PruneReport, OperationError> {
        let pruned = self.backup_parts()?.archive.prune(&planned.plan).await?;
        Ok(PruneReport {
            done: true,
            swept: pruned.swept,
            ..planned.report
        })
    }

    /// Reads the newest backup of each etcd, and while that is damaged the one before it. What is found damaged counts as
    /// such from then on.
    async fn prove_newest(&self, backups: &mut [Backup]) -> Result<(), OperationError> {
        let archive = &self.backup_parts()?.archive;
        let now = self.clock().now();
        let lines: BTreeSet<Line> = backups
            .iter()
            .filter_map(|backup| backup.counted(now))
            .map(line_of)
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
                let problem = match archive.check_object(&manifest).await {
                    Ok(()) => break,
                    Err(BackupError::Damaged { problem, .. }) => problem,
                    Err(error) => return Err(error.into()),
                };
                if let Some(backup) = backups.get_mut(index) {
                    backup.state = BackupState::Damaged {
                        manifest: Some(Box::new(manifest)),
                        problem,
                    };
                }
            }
        }
        Ok(())
    }
}
