//! What is written down while an etcd is given the data of a snapshot: `<cluster>/restore.json`. While it is there nothing else
//! changes the cluster, and the same restore goes on from wherever it was cut off.

use jiff::Timestamp;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Precondition, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::ops::error::OperationError;

/// A restore that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::ops) struct RestoreIntent {
    /// What tells it from every other restore.
    pub id: String,
    /// The etcd.
    pub etcd_cluster: String,
    /// The backup, or the file, in words.
    pub source: String,
    /// The SHA-256 of the snapshot.
    pub sha256: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// The machines whose members are given the data.
    pub founders: Vec<String>,
    /// By how much revisions go up.
    pub bump_revision: u64,
}

/// Where it is written down.
pub(in crate::ops) fn path(name: &ClusterName) -> String {
    format!("{name}/restore.json")
}

pub(in crate::ops) async fn read(
    store: &dyn Store,
    name: &ClusterName,
) -> Result<Option<RestoreIntent>, StoreError> {
    let path = path(name);
    let Some(object) = store.read(&path).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&object.content)
        .map(Some)
        .map_err(|error| StoreError::Damaged {
            path,
            location: store.location(),
            problem: error.to_string(),
        })
}

/// The same restore as it has begun before, or the one that is `wanted`, which nothing is written of yet.
///
/// # Errors
/// [`OperationError::RestoreUnderWay`] when another has begun.
pub(super) async fn begun_or(
    store: &dyn Store,
    name: &ClusterName,
    wanted: RestoreIntent,
) -> Result<RestoreIntent, OperationError> {
    match read(store, name).await? {
        Some(begun) if begun.sha256 == wanted.sha256 && begun.etcd_cluster == wanted.etcd_cluster => {
            Ok(begun)
        }
        Some(begun) => Err(under_way(begun)),
        None => Ok(wanted),
    }
}

/// Writes it down, unless it is.
pub(super) async fn write(
    store: &dyn Store,
    name: &ClusterName,
    intent: &RestoreIntent,
) -> Result<(), OperationError> {
    match read(store, name).await? {
        Some(begun) if begun == *intent => Ok(()),
        Some(begun) => Err(under_way(begun)),
        None => {
            let text = serde_json::to_vec_pretty(intent).unwrap_or_default();
            store.write(&path(name), &text, Precondition::Absent).await?;
            Ok(())
        }
    }
}

/// Takes it away: the restore has come to its end.
pub(super) async fn clear(store: &dyn Store, name: &ClusterName) -> Result<(), StoreError> {
    store.delete(&path(name), Precondition::None).await
}

/// Makes sure that no restore has begun that did not come to its end.
///
/// # Errors
/// [`OperationError::RestoreUnderWay`].
pub(in crate::ops) async fn check_none(store: &dyn Store, name: &ClusterName) -> Result<(), OperationError> {
    match read(store, name).await? {
        Some(begun) => Err(under_way(begun)),
        None => Ok(()),
    }
}

fn under_way(begun: RestoreIntent) -> OperationError {
    OperationError::RestoreUnderWay {
        etcd: begun.etcd_cluster,
        source_words: begun.source,
        begun_at: begun.begun_at,
    }
}
