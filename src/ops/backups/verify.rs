//! Reading backups again, to know that they are what was saved.

use keelson_provider_api::values::ClusterName;
use serde::Serialize;

use super::places::{BackupPlace, Everywhere, Placed, SilentPlace};
use crate::backup::{BackupError, BackupManifest, BackupName, BackupState};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// Which backups are read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum VerifyRequest {
    /// The newest of each etcd.
    #[default]
    Newest,
    /// Those of these names, wherever they lie.
    Named(Vec<BackupName>),
    /// All that counted once.
    All,
}

/// What was found when backups were read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// The cluster.
    pub name: ClusterName,
    /// Where the backups are kept.
    pub location: String,
    /// True when each of them is good.
    pub good: bool,
    /// The backups.
    pub backups: Vec<VerifiedBackup>,
    /// Places that did not answer: what lies there was not read.
    pub silent: Vec<SilentPlace>,
}

/// A backup that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedBackup {
    /// Its name.
    pub name: BackupName,
    /// Where it lies.
    pub place: BackupPlace,
    /// What is wrong with it; nothing for one that is good.
    pub problem: Option<String>,
    /// What was written down about it.
    pub manifest: Option<BackupManifest>,
}

impl Session {
    /// Reads backups to their ends, opens and unpacks them, and compares what comes out with what was written down when they
    /// were saved: in all places, or in `place` alone.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when one is not there, cannot be opened with the keys at hand, or the place where it is
    /// kept cannot be read; [`OperationError::UnknownPlace`]. One that is damaged is no error here, but in the report.
    pub async fn verify_backups(
        &self,
        request: &VerifyRequest,
        place: Option<&BackupPlace>,
    ) -> Result<VerifyReport, OperationError> {
        let everywhere = self.look_everywhere(place).await?;
        let mut backups = Vec::new();
        for placed in self.requested(&everywhere, request).await? {
            let (problem, manifest) = match &placed.backup.state {
                BackupState::Whole(manifest) => {
                    let problem = problem(placed.archive.verify(manifest).await)?;
                    (problem, Some((**manifest).clone()))
                }
                BackupState::Damaged { problem, .. } => (Some(problem.clone()), None),
                BackupState::Unfinished => (Some(UNFINISHED.to_owned()), None),
            };
            backups.push(VerifiedBackup {
                name: placed.backup.name.clone(),
                place: placed.place.clone(),
                problem,
                manifest,
            });
        }
        Ok(VerifyReport {
            name: self.spec().name().clone(),
            location: everywhere.location(),
            good: backups.iter().all(|backup| backup.problem.is_none()),
            backups,
            silent: everywhere.silent,
        })
    }

    async fn requested<'a>(
        &self,
        everywhere: &'a Everywhere<'a>,
        request: &VerifyRequest,
    ) -> Result<Vec<&'a Placed<'a>>, OperationError> {
        let all = || everywhere.backups.iter();
        match request {
            VerifyRequest::All => {
                let mut counted: Vec<_> = all()
                    .filter(|placed| placed.backup.state != BackupState::Unfinished)
                    .collect();
                counted.sort_by(|one, other| one.backup.name.cmp(&other.backup.name));
                Ok(counted)
            }
            VerifyRequest::Named(names) => {
                let mut requested = Vec::new();
                for name in names {
                    let before = requested.len();
                    requested.extend(all().filter(|placed| placed.backup.name == *name));
                    if requested.len() == before {
                        return Err(everywhere.not_there(name));
                    }
                }
                Ok(requested)
            }
            VerifyRequest::Newest => {
                let uid = self.living().await?.map(|record| record.uid);
                let instances = self.spec().etcd.instances().iter();
                let newest = instances.map(|etcd| {
                    let newest = everywhere.newest_whole(etcd.cluster, uid.as_ref(), self.clock().now());
                    newest
                        .map(|(placed, _)| placed)
                        .ok_or_else(|| everywhere.none_whole(etcd.cluster))
                });
                newest.collect()
            }
        }
    }
}

/// What is wrong with a backup that has no manifest.
pub(super) const UNFINISHED: &str = "it has no manifest: whoever saved it did not come to the end";

/// What is wrong with a backup, or that it is not the backup that is to blame.
fn problem(verified: Result<(), BackupError>) -> Result<Option<String>, BackupError> {
    match verified {
        Ok(()) => Ok(None),
        Err(BackupError::Damaged { problem, .. }) => Ok(Some(problem)),
        Err(other) => Err(other),
    }
}
