//! Finding a backup, wherever it lies.

use super::places::{BackupPlace, Everywhere, Placed, SilentPlace};
use crate::backup::{Archive, BackupError, BackupManifest, BackupName, BackupState, UNFINISHED, Unpacker};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// Which backup is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichBackup {
    /// The newest of this etcd that is whole: of the cluster that lives, or of any where none does.
    Newest(String),
    /// The one of that name.
    Named(BackupName),
}

/// A backup that was found.
#[derive(Clone)]
pub struct FoundBackup {
    /// What was written down about it.
    pub manifest: BackupManifest,
    /// Where it lies.
    pub place: BackupPlace,
    /// Places that did not answer: something newer may lie there.
    pub silent: Vec<SilentPlace>,
    archive: Archive,
}

impl FoundBackup {
    /// Opens it, to read the snapshot in it as etcd takes it.
    ///
    /// # Errors
    /// [`OperationError::Backup`].
    pub async fn open(&self) -> Result<Unpacker, OperationError> {
        Ok(self.archive.open(&self.manifest).await?)
    }

    /// What it is called: by its name, and where it lies if that is not the state store.
    pub fn words(&self) -> String {
        format!("{}{}", self.manifest.name, self.place.words())
    }
}

impl Session {
    /// Finds a backup in all places, or in `place` alone.
    ///
    /// # Errors
    /// [`OperationError::Backup`] when it is not there, or is damaged; [`OperationError::AmbiguousBackup`] when several places
    /// have one of that name; [`OperationError::UnknownPlace`].
    pub async fn find_backup(
        &self,
        which: &WhichBackup,
        place: Option<&BackupPlace>,
    ) -> Result<FoundBackup, OperationError> {
        let everywhere = self.look_everywhere(place).await?;
        let (placed, manifest) = match which {
            WhichBackup::Named(name) => everywhere.named(name)?,
            WhichBackup::Newest(etcd) => {
                let uid = self.living().await?.map(|record| record.uid);
                let newest = everywhere.newest_whole(etcd, uid.as_ref(), self.clock().now());
                newest.ok_or_else(|| everywhere.none_whole(etcd))?
            }
        };
        Ok(FoundBackup {
            manifest: manifest.clone(),
            place: placed.place.clone(),
            archive: placed.archive.clone(),
            silent: everywhere.silent,
        })
    }
}

impl Everywhere<'_> {
    /// The one that is whole among those of that name.
    fn named(&self, name: &BackupName) -> Result<(&Placed<'_>, &BackupManifest), OperationError> {
        let named = || self.backups.iter().filter(|placed| placed.backup.name == *name);
        let whole: Vec<_> = named()
            .filter_map(|placed| Some((placed, placed.backup.whole()?)))
            .collect();
        match whole.as_slice() {
            [one] => Ok(*one),
            [] => Err(match named().next() {
                Some(placed) => damaged(placed),
                None => self.not_there(name),
            }),
            several => Err(OperationError::AmbiguousBackup {
                name: name.clone(),
                places: several
                    .iter()
                    .map(|(placed, _)| placed.place.to_string())
                    .collect(),
            }),
        }
    }

    pub(super) fn not_there(&self, name: &BackupName) -> OperationError {
        OperationError::Backup(BackupError::NotThere {
            name: name.to_string(),
            location: self.location(),
        })
    }

    pub(super) fn none_whole(&self, etcd: &str) -> OperationError {
        OperationError::Backup(BackupError::NoneWhole {
            etcd: etcd.to_owned(),
            location: self.location(),
        })
    }
}

fn damaged(placed: &Placed<'_>) -> OperationError {
    let problem = match &placed.backup.state {
        BackupState::Damaged { problem, .. } => problem,
        _ => UNFINISHED,
    };
    placed.archive.damaged(&placed.backup.name, problem).into()
}
