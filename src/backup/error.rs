//! Why something about backups did not work.

use keelson_provider_api::StoreError;

use crate::pki::PkiError;

/// Why something about backups did not work.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place where backups are kept could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A snapshot could not be encrypted or opened.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// There is no backup of that name.
    #[error("there is no backup `{name}` in {location}")]
    NotThere {
        /// The name.
        name: String,
        /// Where it was looked for.
        location: String,
    },
    /// There is no backup that could be taken.
    #[error("there is no backup of etcd {etcd} of this cluster in {location} that is whole")]
    NoneWhole {
        /// The etcd.
        etcd: String,
        /// Where it was looked for.
        location: String,
    },
    /// What is kept is not what was written.
    #[error("the backup {name} in {location} is damaged: {problem}")]
    Damaged {
        /// The backup.
        name: String,
        /// Where it is kept.
        location: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The place where a backup lies does not show it: it may be whole.
    #[error("the backup {name} in {location} cannot be read: {problem}")]
    Unread {
        /// The backup.
        name: String,
        /// Where it is kept.
        location: String,
        /// Why not.
        problem: String,
    },
    /// What came is not the snapshot that was to be kept.
    #[error("what came is not the snapshot that was to be kept: {0}")]
    Altered(String),
    /// Nothing could be made that unpacks a snapshot.
    #[error("cannot unpack a snapshot")]
    Unpack {
        /// Why not.
        source: std::io::Error,
    },
    /// A snapshot could not be packed.
    #[error("cannot pack a snapshot")]
    Pack {
        /// Why not.
        source: std::io::Error,
    },
}

impl BackupError {
    /// What is wrong with the backup that was read, where that is what the error tells.
    ///
    /// # Errors
    /// Every other error, as it is: it says nothing of the backup.
    pub fn into_damage(self) -> Result<String, Self> {
        match self {
            Self::Damaged { problem, .. } | Self::Store(StoreError::Damaged { problem, .. }) => Ok(problem),
            other => Err(other),
        }
    }
}
