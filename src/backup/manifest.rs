//! What is written down about a backup.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::values::{ClusterName, InvalidText};
use keelson_provider_api::{ClusterUid, SnapshotContents};
use serde::{Deserialize, Serialize};

use super::sum::Sum;

/// What a backup is called: the moment when it was taken, its revision, and before that the etcd, where that is not `main`:
/// `20261128T034333Z-12345`, `events-20261128T034333Z-7`. A folder is named by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackupName(String);

const NAME_LIMIT_CHARS: usize = 100;

impl BackupName {
    /// The name of a backup of the etcd `etcd_cluster` that was taken at `taken` with `revision`.
    pub fn of(etcd_cluster: &str, taken: Timestamp, revision: u64) -> Self {
        let moment = taken.strftime("%Y%m%dT%H%M%SZ");
        if etcd_cluster == MAIN.cluster {
            Self(format!("{moment}-{revision}"))
        } else {
            Self(format!("{etcd_cluster}-{moment}-{revision}"))
        }
    }

    /// Reads a name.
    ///
    /// # Errors
    /// When it could not be the name of a folder.
    pub fn parse(text: &str) -> Result<Self, InvalidText> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !text.is_empty() && text.len() <= NAME_LIMIT_CHARS && text.bytes().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidText::new(format!(
            "`{}` is no name of a backup",
            text.escape_debug()
        )))
    }

    /// The etcd that it is of and the moment when it was taken, to the second, as the name tells; nothing where keelson did not
    /// give it.
    pub fn tells(&self) -> Option<(&str, Timestamp)> {
        let (taken, _revision) = self.0.rsplit_once('-')?;
        let (etcd, moment) = taken.rsplit_once('-').unwrap_or((MAIN.cluster, taken));
        let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", moment).ok()?;
        Some((etcd, TimeZone::UTC.to_timestamp(civil).ok()?))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for BackupName {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        Self::parse(&text)
    }
}

impl From<BackupName> for String {
    fn from(name: BackupName) -> Self {
        name.0
    }
}

/// What is written down about a backup of an etcd. Sizes are in bytes, digests are SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupManifest {
    /// The form of this document.
    pub form: u32,
    /// The backup.
    pub name: BackupName,
    /// The cluster that it is of.
    pub cluster_uid: ClusterUid,
    /// Its name, for people.
    pub cluster_name: ClusterName,
    /// The etcd: `main` or `events`.
    pub etcd_cluster: String,
    /// What it was taken for, in somebody's words.
    pub purpose: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The machine whose member wrote it.
    pub machine: String,
    /// That member's release.
    pub etcd_version: String,
    /// The release of Kubernetes that the cluster is to run; nothing for one that is etcd alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// The digests of the cluster's authorities and keys, by their names: objects in it were signed and encrypted with them.
    #[serde(default)]
    pub authorities: BTreeMap<String, String>,
    /// What is in it.
    pub contents: SnapshotContents,
    /// The size of the snapshot, as etcd reads it.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// The object in which it is kept.
    pub stored: StoredObject,
}

impl BackupManifest {
    /// The form of manifests that this keelson writes, and the only one that it reads.
    pub const FORM: u32 = 1;

    /// What the snapshot is to be.
    pub fn sum(&self) -> Sum {
        Sum {
            size_bytes: self.size_bytes,
            sha256: self.sha256.clone(),
        }
    }
}

/// The object in which a snapshot is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredObject {
    /// Its size.
    pub size_bytes: u64,
    /// Its digest.
    pub sha256: String,
    /// How the snapshot is packed in it.
    pub packing: Packing,
}

impl StoredObject {
    /// What the object is to be.
    pub fn sum(&self) -> Sum {
        Sum {
            size_bytes: self.size_bytes,
            sha256: self.sha256.clone(),
        }
    }
}

/// How a snapshot is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packing {
    /// Compressed: `zstd -d` reads it.
    #[serde(rename = "zstd")]
    Zstd,
    /// Compressed, and then encrypted: `age -d | zstd -d` reads it.
    #[serde(rename = "zstd+age")]
    ZstdAge,
    /// Compressed, by a machine that keeps it for itself: `gzip -d` reads it.
    #[serde(rename = "gzip")]
    Gzip,
}

impl Packing {
    /// True when it takes a key to open it.
    pub fn is_encrypted(self) -> bool {
        self == Self::ZstdAge
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_stay_in_their_folder() {
        let taken: Timestamp = "2026-11-28T03:43:33.9Z".parse().unwrap();
        assert_eq!(BackupName::of("main", taken, 12).as_str(), "20261128T034333Z-12");
        assert_eq!(
            BackupName::of("events", taken, 7).as_str(),
            "events-20261128T034333Z-7"
        );
        let whole_seconds: Timestamp = "2026-11-28T03:43:33Z".parse().unwrap();
        for etcd in ["main", "events"] {
            let name = BackupName::of(etcd, taken, 12);
            assert_eq!(name.tells(), Some((etcd, whole_seconds)), "{name}");
        }
        for text in ["mine", "my-own-folder", "20261128T034333Z", "20261328T034333Z-1"] {
            assert_eq!(BackupName::parse(text).unwrap().tells(), None, "{text}");
        }
        let long = "a".repeat(NAME_LIMIT_CHARS + 1);
        for text in ["", ".", "..", "a/b", "../a", "a b", "a\n", "ä", &long] {
            assert!(BackupName::parse(text).is_err(), "{text}");
        }
    }
}
