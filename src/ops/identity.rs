//! Which life of the cluster this is, and what belongs to it as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::{ClusterName, Digest};
use keelson_provider_api::{ClusterIdentity, ClusterUid, Precondition, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::backups::intent;
use super::{assets, kept_spec};
use crate::execute::{LeaseRecord, lease};
use crate::model::stored::folders_of_machines;
use crate::pki::kept_paths;

/// A cluster's entry in the state store: `<cluster>/cluster.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRecord {
    /// The name.
    pub name: ClusterName,
    /// The life.
    pub uid: ClusterUid,
    /// When the first apply began.
    pub created_at: Timestamp,
    /// True once the completed spec stands beside it, which is before anything is made: from then on a spec that is missing
    /// was lost. False again while the cluster ends.
    #[serde(default)]
    pub spec_is_kept: bool,
    /// The authorities and long-lived keys that the state store keeps for it, by name, each with a digest of what is
    /// public of it. What stands here is on machines: it is never made anew.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Digest>,
    /// The etcd clusters that have had data.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub etcd_clusters: BTreeSet<String>,
    /// The revision that the last restore of each etcd began at: the next one begins above whatever was given since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub restored_revisions: BTreeMap<String, u64>,
    /// What its spec says of fields that stay as they are for as long as it lives, by the fields' names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<String, String>,
}

/// How often an amendment is tried while others write the record at the same time.
const AMENDMENT_LIMIT: u32 = 16;

/// Where the record is kept.
pub(super) fn path(name: &ClusterName) -> String {
    format!("{name}/cluster.json")
}

/// Reads the record of a cluster.
pub(super) async fn read(store: &dyn Store, name: &ClusterName) -> Result<Option<ClusterRecord>, StoreError> {
    Ok(read_versioned(store, name).await?.map(|(record, _)| record))
}

async fn read_versioned(
    store: &dyn Store,
    name: &ClusterName,
) -> Result<Option<(ClusterRecord, ObjectVersion)>, StoreError> {
    let damaged = |problem: String| StoreError::Damaged {
        path: path(name),
        location: store.location(),
        problem,
    };
    let Some(object) = store.read(&path(name)).await? else {
        let Some(witness) = witness_of_life(store, name).await? else {
            return Ok(None);
        };
        // The first apply of someone else may have written both since.
        if store.read(&path(name)).await?.is_some() {
            return Ok(None);
        }
        return Err(damaged(format!("it is missing, although {witness}")));
    };
    let record: ClusterRecord =
        serde_json::from_slice(&object.content).map_err(|problem| damaged(problem.to_string()))?;
    if record.name != *name {
        return Err(damaged(format!("it is the record of cluster {}", record.name)));
    }
    Ok(Some((record, object.version)))
}

/// What shows that the cluster has begun and not ended, whatever has become of its record: that is written before all of
/// these, and deleted after them.
async fn witness_of_life(store: &dyn Store, name: &ClusterName) -> Result<Option<String>, StoreError> {
    for other in kept_paths(name).into_iter().chain([kept_spec::path(name)]) {
        if store.read(&other).await?.is_some() {
            return Ok(Some(format!("{other} is there")));
        }
    }
    let lease = lease::holder(store, name).await?;
    let witness = lease.and_then(|lease| lease.life).map(|uid| {
        format!(
            "{} says that the cluster lives, with the uid {uid}",
            lease::lease_path(name)
        )
    });
    Ok(witness)
}

/// Makes sure that `record` is of the life that `lease` tells of: by another uid everything that the cluster has would be taken
/// for somebody else's.
pub(super) async fn check_life(
    store: &dyn Store,
    record: &ClusterRecord,
    lease: &LeaseRecord,
) -> Result<(), StoreError> {
    let Some(noted) = lease.life.as_ref().filter(|noted| **noted != record.uid) else {
        return Ok(());
    };
    // Someone else may have ended that life and begun another since the record was read.
    if read(store, &record.name).await?.as_ref() != Some(record) {
        return Ok(());
    }
    Err(StoreError::Damaged {
        path: path(&record.name),
        location: store.location(),
        problem: format!(
            "its uid is {}, although {} says that the cluster lives with the uid {noted}",
            record.uid,
            lease::lease_path(&record.name)
        ),
    })
}

/// Changes the record of a cluster that has begun as `change` says, unless it says that already. Others may change it at the
/// same time.
pub(super) async fn amend(
    store: &dyn Store,
    name: &ClusterName,
    change: impl Fn(&mut ClusterRecord) + Send + Sync,
) -> Result<(), StoreError> {
    let mut last = Ok(());
    for _ in 0..AMENDMENT_LIMIT {
        let Some((record, version)) = read_versioned(store, name).await? else {
            return Err(StoreError::Damaged {
                path: path(name),
                location: store.location(),
                problem: "it is missing, although the cluster has begun".to_owned(),
            });
        };
        let mut amended = record.clone();
        change(&mut amended);
        if amended == record {
            return Ok(());
        }
        match write(store, &amended, Precondition::Version(version)).await {
            Err(conflict @ StoreError::Conflict { .. }) => last = Err(conflict),
            written => return written,
        }
    }
    last
}

async fn write(
    store: &dyn Store,
    record: &ClusterRecord,
    precondition: Precondition,
) -> Result<(), StoreError> {
    // Texts, times and digests always have a JSON form.
    let content = serde_json::to_vec_pretty(record).unwrap_or_default();
    store
        .write(&path(&record.name), &content, precondition)
        .await
        .map(drop)
}

/// Reads the record of a cluster, or thinks of a new life, which begins when it is [written](begin). `mark` makes the
/// uid differ from that of any other life: it names who began it.
pub(super) async fn read_or_new(
    store: &dyn Store,
    name: &ClusterName,
    now: Timestamp,
    mark: &str,
) -> Result<ClusterRecord, StoreError> {
    if let Some(record) = read(store, name).await? {
        return Ok(record);
    }
    let uid = Digest::of_bytes(format!("{name}\n{}\n{mark}", now.as_nanosecond()).as_bytes()).short(24);
    let record = ClusterRecord {
        name: name.clone(),
        uid: ClusterUid::new(uid),
        created_at: now,
        spec_is_kept: false,
        keys: BTreeMap::new(),
        etcd_clusters: BTreeSet::new(),
        restored_revisions: BTreeMap::new(),
        fixed: BTreeMap::new(),
    };
    Ok(record)
}

/// Begins a life, or finds it begun.
pub(super) async fn begin(store: &dyn Store, record: &ClusterRecord) -> Result<(), StoreError> {
    let begun = read(store, &record.name).await?;
    if begun.is_some_and(|begun| begun.uid == record.uid) {
        return Ok(());
    }
    write(store, record, Precondition::Absent).await
}

/// Ends a life: removes authorities and keys, what is kept for machines, the list of release files, the spec, and last the record, so that an end that
/// was cut short is taken up by the next destroy. The lease, the journal, backups and pinned keys of hosts stay: fencing
/// generations never go back, and the rest is for the time after.
pub(super) async fn end(store: &dyn Store, name: &ClusterName) -> Result<(), StoreError> {
    if read(store, name).await?.is_some() {
        // Nothing of these is missed any more.
        amend(store, name, |record| {
            record.spec_is_kept = false;
            record.keys.clear();
            record.etcd_clusters.clear();
        })
        .await?;
    }
    let mut doomed = kept_paths(name);
    for folder in folders_of_machines(name) {
        doomed.extend(store.list(&folder).await?);
    }
    doomed.extend([
        assets::path(name),
        intent::path(name),
        kept_spec::path(name),
        path(name),
    ]);
    for path in doomed {
        store.delete(&path, Precondition::None).await?;
    }
    Ok(())
}

/// The cluster `name`, with its life where it has begun.
///
/// # Errors
/// When the state store cannot be read, or what it has is damaged.
pub async fn begun_identity(store: &dyn Store, name: &ClusterName) -> Result<ClusterIdentity, StoreError> {
    let record = read(store, name).await?;
    Ok(identity(name, record.as_ref()))
}

/// The identity that goes with a record, or with none yet.
pub(super) fn identity(name: &ClusterName, record: Option<&ClusterRecord>) -> ClusterIdentity {
    ClusterIdentity {
        name: name.clone(),
        uid: record.map(|record| record.uid.clone()),
    }
}
