//! Finding a backup, wherever it lies.

use keelson_provider_api::StoreError;

use super::newest::{PassedOver, Wanted};
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
    /// What is newer, and damaged or from a clock that is ahead; nothing for one that was named.
    pub passed_over: Vec<PassedOver>,
    /// The next older one that is listed as whole, and where it lies; nothing for one that was named.
    older: Option<(BackupName, BackupPlace)>,
    archive: Archive,
}

impl FoundBackup {
    /// Opens it, to read the snapshot in it as etcd takes it.
    ///
    /// # Errors
    /// [`OperationError::Backup`], [`OperationError::NewestDamaged`].
    pub async fn open(&self) -> Result<Unpacker, OperationError> {
        let opened = self.archive.open(&self.manifest).await;
        opened.map_err(|error| self.unread(error))
    }

    /// That it could not be read to its end: where it was taken as the newest and is damaged, with the one before it.
    pub fn unread(&self, error: BackupError) -> OperationError {
        let is_damage = matches!(
            error,
            BackupError::Damaged { .. } | BackupError::Store(StoreError::Damaged { .. })
        );
        match &self.older {
            Some((name, place)) if is_damage => OperationError::NewestDamaged {
                error: Box::new(error),
                older: name.clone(),
                place: place.clone(),
            },
            _ => error.into(),
        }
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
    /// [`OperationError::Backup`] when it is not there, is damaged or cannot be read; [`OperationError::AmbiguousBackup`] when
    /// several places have one of that name; [`OperationError::NewerUnread`] when what may be the newest cannot be read, and
    /// [`OperationError::UnreadablePlace`] when the bucket cannot, where something newer may lie; [`OperationError::UnknownPlace`].
    /// Machines that are silent are told of: who restores needs all of them anyway.
    pub async fn find_backup(
        &self,
        which: &WhichBackup,
        place: Option<&BackupPlace>,
    ) -> Result<FoundBackup, OperationError> {
        let everywhere = self.look_everywhere(place).await?;
        let ((placed, manifest), passed_over, older) = match which {
            WhichBackup::Named(name) => (everywhere.named(name)?, Vec::new(), None),
            WhichBackup::Newest(etcd) => {
                everywhere.check_bucket()?;
                let uid = self.living().await?.map(|record| record.uid);
                let now = self.clock().now();
                let wanted = Wanted {
                    etcd,
                    uid: uid.as_ref(),
                    now,
                };
                let newest = everywhere.newest(wanted);
                let passed_over = newest.passed_over(now)?;
                let whole = newest.whole.ok_or_else(|| everywhere.none_whole(etcd))?;
                let older = everywhere.before(wanted, whole.1);
                let older = older.map(|placed| (placed.backup.name.clone(), placed.place.clone()));
                (whole, passed_over, older)
            }
        };
        Ok(FoundBackup {
            manifest: manifest.clone(),
            place: placed.place.clone(),
            archive: placed.archive.clone(),
            silent: everywhere.silent,
            passed_over,
            older,
        })
    }
}

impl Everywhere<'_> {
    /// Makes sure that the bucket is not among the places that are silent.
    pub(super) fn check_bucket(&self) -> Result<(), OperationError> {
        let is_bucket = |silent: &&SilentPlace| silent.place == BackupPlace::Bucket;
        match self.silent.iter().find(is_bucket) {
            Some(silent) => Err(OperationError::UnreadablePlace {
                place: BackupPlace::Bucket,
                problem: silent.problem.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The one that is whole among those of that name.
    fn named(&self, name: &BackupName) -> Result<(&Placed<'_>, &BackupManifest), OperationError> {
        let named = || self.backups.iter().filter(|placed| placed.backup.name == *name);
        let whole: Vec<_> = named()
            .filter_map(|placed| Some((placed, placed.backup.whole()?)))
            .collect();
        match whole.as_slice() {
            [one] => Ok(*one),
            [] => {
                let is_unread =
                    |placed: &&Placed<'_>| matches!(placed.backup.state, BackupState::Unread { .. });
                Err(match named().find(is_unread).or_else(|| named().next()) {
                    Some(placed) => unfit(placed),
                    None => self.not_there(name),
                })
            }
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

/// Why a backup that is not whole cannot be taken.
fn unfit(placed: &Placed<'_>) -> OperationError {
    let (archive, name) = (placed.archive, &placed.backup.name);
    let error = match &placed.backup.state {
        BackupState::Damaged { problem, .. } => archive.damaged(name, problem),
        BackupState::Unread { problem, .. } => archive.unread(name, problem),
        BackupState::Whole(_) | BackupState::Unfinished => archive.damaged(name, UNFINISHED),
    };
    error.into()
}
