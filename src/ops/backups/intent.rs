//! What is written down while an etcd is given the data of a snapshot: `<cluster>/restore.json`. While it is there no apply and no
//! other restore begins, and the same one goes on from wherever it was cut off, or is begun anew. A destroy ends it with the
//! cluster.

use jiff::Timestamp;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{Precondition, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{BackupPlace, RestoreSource, WhichBackup};
use crate::backup::BackupName;
use crate::ops::error::OperationError;
use crate::plan::StandingRestore;

/// A restore that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::ops) struct RestoreIntent {
    /// The form of this document.
    pub form: u32,
    /// What tells it from every other restore.
    pub id: String,
    /// The etcd.
    pub etcd_cluster: String,
    /// The backup, or the file, in words.
    pub source: String,
    /// Where whoever goes on with it finds the snapshot again.
    pub origin: SnapshotOrigin,
    /// The SHA-256 of the snapshot.
    pub sha256: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// The machines whose members are given the data.
    pub founders: Vec<String>,
    /// By how much revisions go up.
    pub bump_revision: u64,
    /// The least revision that its members begin after.
    pub begins_after: u64,
}

impl RestoreIntent {
    /// The form that this keelson writes, and the only one that it reads.
    pub(super) const FORM: u32 = 1;
}

/// Where a snapshot was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::ops) enum SnapshotOrigin {
    /// Among the backups.
    Backup {
        /// What it is called.
        name: BackupName,
        /// Where it lies.
        place: BackupPlace,
    },
    /// In a file of somebody's, on the machine that keelson ran on.
    File(String),
}

impl SnapshotOrigin {
    /// What has the snapshot of `etcd` read from there again.
    pub(super) fn again(self, etcd: &str) -> RestoreSource {
        match self {
            Self::Backup { name, place } => RestoreSource::Backup {
                which: WhichBackup::Named(name),
                place: Some(place),
            },
            Self::File(file) => RestoreSource::File {
                file: file.into(),
                etcd: etcd.to_owned(),
            },
        }
    }
}

/// What stands in the state store.
pub(super) struct Standing {
    pub(super) intent: RestoreIntent,
    pub(super) version: ObjectVersion,
}

/// Where it is written down.
pub(in crate::ops) fn path(name: &ClusterName) -> String {
    format!("{name}/restore.json")
}

pub(super) async fn read(store: &dyn Store, name: &ClusterName) -> Result<Option<Standing>, StoreError> {
    let path = path(name);
    let Some(object) = store.read(&path).await? else {
        return Ok(None);
    };
    match parse(&object.content) {
        Ok(intent) => Ok(Some(Standing {
            intent,
            version: object.version,
        })),
        Err(problem) => Err(StoreError::Damaged {
            path,
            location: store.location(),
            problem,
        }),
    }
}

fn parse(content: &[u8]) -> Result<RestoreIntent, String> {
    #[derive(Deserialize)]
    struct Form {
        form: u32,
    }
    // What another form has is not looked at: its own error would tell of fields, and not of the keelson that knows them.
    let form: Form = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    if form.form != RestoreIntent::FORM {
        return Err(format!(
            "it has the form {}, which this keelson does not know: go on with the one that began the restore",
            form.form
        ));
    }
    serde_json::from_slice(content).map_err(|error| error.to_string())
}

/// Writes it down, where the store is still as `precondition` says, and gives its version.
pub(super) async fn write(
    store: &dyn Store,
    name: &ClusterName,
    intent: &RestoreIntent,
    precondition: Precondition,
) -> Result<ObjectVersion, StoreError> {
    let path = path(name);
    let text = serde_json::to_vec_pretty(intent).map_err(|error| StoreError::Unavailable {
        verb: "write",
        path: path.clone(),
        location: store.location(),
        source: error.into(),
    })?;
    store.write(&path, &text, precondition).await
}

/// Takes that `version` of it away: the restore has come to its end. Whoever was suspended meanwhile may find that of another one,
/// which stays.
///
/// # Errors
/// [`OperationError::RestoreUnderWay`] when another one has begun, [`OperationError::Store`].
pub(super) async fn clear(
    store: &dyn Store,
    name: &ClusterName,
    version: &ObjectVersion,
) -> Result<(), OperationError> {
    let precondition = Precondition::Version(version.clone());
    let Err(error) = store.delete(&path(name), precondition).await else {
        return Ok(());
    };
    // An answer may be lost of what was done, and what is gone is as it should be.
    match read(store, name).await? {
        None => Ok(()),
        Some(standing) if matches!(error, StoreError::Conflict { .. }) => Err(under_way(standing.intent)),
        Some(_) => Err(error.into()),
    }
}

/// Makes sure that no restore has begun that did not come to its end.
///
/// # Errors
/// [`OperationError::RestoreUnderWay`].
pub(in crate::ops) async fn check_none(store: &dyn Store, name: &ClusterName) -> Result<(), OperationError> {
    match read(store, name).await? {
        Some(standing) => Err(under_way(standing.intent)),
        None => Ok(()),
    }
}

/// What plans tell of the restore that stands, if one does: the words that an apply is refused with.
///
/// # Errors
/// When what is written down about it cannot be read.
pub(in crate::ops) async fn standing(
    store: &dyn Store,
    name: &ClusterName,
) -> Result<Option<StandingRestore>, StoreError> {
    let standing = read(store, name).await?;
    Ok(standing.map(|Standing { intent, .. }| StandingRestore {
        etcd: intent.etcd_cluster.clone(),
        reason: under_way(intent).to_string(),
        help: "`keelson etcd restore` goes on with it".to_owned(),
    }))
}

pub(super) fn under_way(begun: RestoreIntent) -> OperationError {
    OperationError::RestoreUnderWay {
        etcd: begun.etcd_cluster,
        source_words: begun.source,
        begun_at: begun.begun_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"{
  "form": 1,
  "id": "one",
  "etcdCluster": "main",
  "source": "20261128T034333Z-12 on a",
  "origin": { "backup": { "name": "20261128T034333Z-12", "place": { "host": "a" } } },
  "sha256": "00",
  "begunAt": "2026-11-28T04:00:00Z",
  "founders": ["a", "b"],
  "bumpRevision": 7,
  "beginsAfter": 19
}"#;

    #[test]
    fn only_what_is_known_whole_is_gone_on_with() {
        let intent = parse(WRITTEN.as_bytes()).unwrap();
        let again = serde_json::to_vec(&intent).unwrap();
        assert_eq!(parse(&again).as_ref(), Ok(&intent));
        let named = intent.origin.again("main");
        assert!(
            matches!(&named, RestoreSource::Backup { which: WhichBackup::Named(name), place: Some(BackupPlace::Host(machine)) }
                if name.as_str() == "20261128T034333Z-12" && machine == "a"),
            "{named:?}"
        );
        let rows = [
            (String::new(), "EOF"),
            ("{}".to_owned(), "missing field `form`"),
            (WRITTEN.replace("\"form\": 1", "\"form\": 2"), "it has the form 2"),
            (
                WRITTEN.replace("\"id\"", "\"other\": 1, \"id\""),
                "unknown field `other`",
            ),
            (
                WRITTEN.replace("\"sha256\": \"00\",", ""),
                "missing field `sha256`",
            ),
        ];
        for (text, problem) in rows {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
