//! Reading backups again, to know that they are what was saved.

use keelson_provider_api::values::ClusterName;
use serde::Serialize;

use crate::backup::{BackupError, BackupManifest, BackupName, BackupState};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

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
}

/// A backup that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifiedBackup {
    /// Its name.
    pub name: BackupName,
    /// What is wrong with it; nothing for one that is good.
    pub problem: Option<String>,
    /// What was written down about it.
    pub manifest: Option<BackupManifest>,
}

impl Session {
    /// Reads the backups `names` to their ends, opens and unpacks them, and compares what comes out with what was written
    /// down when they were saved.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when one is not there, cannot be opened with the keys at hand, or the place where they are
    /// kept cannot be read. One that is damaged is no error here, but in the report.
    pub async fn verify_backups(&self, names: &[BackupName]) -> Result<VerifyReport, OperationError> {
        let archive = &self.backup_parts()?.archive;
        let mut backups = Vec::new();
        for name in names {
            let verified = match archive.manifest(name).await {
                Ok(manifest) => {
                    let problem = problem(archive.verify(&manifest).await)?;
                    (problem, Some(manifest))
                }
                Err(error) => (problem(Err(error))?, None),
            };
            backups.push(VerifiedBackup {
                name: name.clone(),
                problem: verified.0,
                manifest: verified.1,
            });
        }
        Ok(VerifyReport {
            name: self.spec().name().clone(),
            location: archive.location(),
            good: backups.iter().all(|backup| backup.problem.is_none()),
            backups,
        })
    }

    /// The names of all backups that counted once, the oldest first.
    ///
    /// # Errors
    /// [`OperationError::Backup`].
    pub async fn backup_names(&self) -> Result<Vec<BackupName>, OperationError> {
        let backups = self.backup_parts()?.archive.list().await?;
        let counted = backups
            .into_iter()
            .filter(|backup| backup.state != BackupState::Unfinished);
        Ok(counted.map(|backup| backup.name).collect())
    }
}

/// What is wrong with a backup, or that it is not the backup that is to blame.
fn problem(verified: Result<(), BackupError>) -> Result<Option<String>, BackupError> {
    match verified {
        Ok(()) => Ok(None),
        Err(BackupError::Damaged { problem, .. }) => Ok(Some(problem)),
        Err(other) => Err(other),
    }
}
