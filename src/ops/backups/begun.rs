//! A restore that stands: what it is of, and what is said to whoever comes upon it.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Store, StoreError};

use super::WhichBackup;
use super::intent::{self, Standing};
use super::unpacked::RestoreSource;
use crate::backup::BackupName;
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// A restore that has begun and did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRestore {
    /// The etcd.
    pub etcd_cluster: String,
    /// What has its snapshot read again.
    pub source: RestoreSource,
    /// The backup, or the file, in words.
    pub words: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// The machines whose members are to be given the data.
    pub founders: Vec<String>,
}

impl BegunRestore {
    /// True where it may be that it began with the backup `name`: it did not begin with another one.
    pub fn may_be_of(&self, name: &BackupName) -> bool {
        match &self.source {
            RestoreSource::Backup {
                which: WhichBackup::Named(begun),
                ..
            } => begun == name,
            _ => true,
        }
    }

    /// That somebody has asked to stop while it was to be gone on with, or to be begun anew: it stands.
    pub fn stopped(&self) -> OperationError {
        stopped(&self.etcd_cluster, &self.words)
    }

    /// Why nothing but it is done.
    pub fn refusal(&self) -> OperationError {
        OperationError::RestoreUnderWay {
            etcd: self.etcd_cluster.clone(),
            source_words: self.words.clone(),
            begun_at: self.begun_at,
        }
    }
}

impl Session {
    /// The restore of the cluster that has begun and did not come to its end, if there is one.
    ///
    /// # Errors
    /// [`OperationError::Store`], also when what is written down about it cannot be read.
    pub async fn begun_restore(&self) -> Result<Option<BegunRestore>, OperationError> {
        Ok(begun_restore(self.store(), self.spec().name()).await?)
    }
}

/// The restore of the cluster `name` that has begun and did not come to its end, if there is one.
///
/// # Errors
/// Those of the store, also when what is written down about it cannot be read.
pub async fn begun_restore(
    store: &dyn Store,
    name: &ClusterName,
) -> Result<Option<BegunRestore>, StoreError> {
    let standing = intent::read(store, name).await?;
    Ok(standing.map(|Standing { intent, .. }| BegunRestore {
        source: intent.origin.again(&intent.etcd_cluster),
        etcd_cluster: intent.etcd_cluster,
        words: intent.source,
        begun_at: intent.begun_at,
        founders: intent.founders,
    }))
}

/// That somebody has asked to stop a restore that has begun: it stands.
pub(super) fn stopped(etcd: &str, source: &str) -> OperationError {
    OperationError::StoppedAmid(format!("etcd {etcd} is being restored from {source}"))
}
