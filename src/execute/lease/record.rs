//! The lease as it is stored.

use jiff::Timestamp;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{ClusterUid, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::process::HolderProcess;

/// The lease as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRecord {
    /// Who holds it, for people: user, machine, process.
    pub holder: String,
    /// What the holder does.
    pub purpose: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless it is renewed.
    pub expires_at: Timestamp,
    /// The fencing generation.
    pub generation: u64,
    /// True when the holder let it go.
    pub released: bool,
    /// The process that holds it, where that can be told from every other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<HolderProcess>,
    /// The life of the cluster, from when its record is written until it is ended: as long as it stands here, a record that
    /// is not there was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<ClusterUid>,
}

/// Where a cluster's lease is kept in the state store.
pub fn lease_path(cluster: &ClusterName) -> String {
    format!("{cluster}/lease")
}

pub(super) async fn read(
    store: &dyn Store,
    path: &str,
) -> Result<Option<(LeaseRecord, ObjectVersion)>, StoreError> {
    let Some(object) = store.read(path).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&object.content) {
        Ok(record) => Ok(Some((record, object.version))),
        Err(problem) => Err(StoreError::Damaged {
            path: path.to_owned(),
            location: store.location(),
            problem: problem.to_string(),
        }),
    }
}

/// That there is no lease of `cluster` although there has to be one: `why`. Beginning again at generation 1 would make
/// everyone who has seen a higher one refuse this run, or obey an older one.
pub fn missing(store: &dyn Store, cluster: &ClusterName, why: &str) -> StoreError {
    StoreError::Damaged {
        path: lease_path(cluster),
        location: store.location(),
        problem: format!("it is missing, although {why}"),
    }
}

/// Reads who holds the lease of `cluster`, if anyone ever did.
///
/// # Errors
/// When the store cannot be read, or holds something that is not a lease.
pub async fn holder(store: &dyn Store, cluster: &ClusterName) -> Result<Option<LeaseRecord>, StoreError> {
    Ok(read(store, &lease_path(cluster)).await?.map(|(record, _)| record))
}

pub(super) fn encode(record: &LeaseRecord) -> Vec<u8> {
    // A record of texts, numbers and times always has a JSON form.
    serde_json::to_vec_pretty(record).unwrap_or_default()
}
