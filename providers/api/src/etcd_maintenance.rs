//! What is done to the etcd of a running cluster beside its membership: snapshots are taken, space is given back.

mod reading;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::etcd::EtcdInstance;
use crate::identity::ClusterIdentity;
use crate::provider::{Progress, ProviderError, StepContext};

pub use reading::read_whole;

/// What is done to the etcds of a cluster, wherever its machines are. Named as etcd names it: its service `Maintenance`.
#[async_trait]
pub trait EtcdMaintenance: Send + Sync {
    /// Has a member write a snapshot and check it: one that is well, and not the leader where there is a choice. The file
    /// stays on the member's machine until it is [discarded](Self::discard_snapshot).
    ///
    /// # Errors
    /// When no member can, or when what it wrote does not check out.
    async fn write_snapshot(
        &self,
        cluster: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        progress: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError>;

    /// Sends the file of `snapshot` to `pieces`, from the byte `from` on. Whoever does not want the rest drops the other end.
    /// What comes is not compared with what was written: whoever puts it together does that, as [`read_whole`] does.
    ///
    /// # Errors
    /// When the machine does not answer any more, or has the file no longer, or with another size. Where the error
    /// [may pass](crate::provider::ErrorClass::may_pass), what came is the file's, and more of it can be had from there on.
    async fn read_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError>;

    /// Deletes the file of `snapshot`, if it is there.
    ///
    /// # Errors
    /// When the machine does not answer.
    async fn discard_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
    ) -> Result<(), ProviderError>;

    /// Gives the space of the database on `machine` back to its disk that keys have left which are compacted away. The member
    /// answers nobody meanwhile, which takes seconds for each GiB in use; it stays in its cluster. Which member is next, and
    /// whether the cluster can spare it, is decided by whoever calls.
    ///
    /// # Errors
    /// When the member is not one of the cluster's that is well, when there is no quorum, or no room for the new database
    /// beside the old one: surely nothing was done then. Otherwise the database is the old one or the new one.
    async fn defragment(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
        machine: &str,
    ) -> Result<Defragmented, ProviderError>;

    /// Takes back the alarms that members have raised because their databases had reached their quota (`NOSPACE`): etcd takes
    /// no writes until then. It helps when there is space again: after revisions were compacted and members defragmented, or
    /// the quota was raised; a member that has none raises its alarm again.
    ///
    /// Gives what was raised and is gone, each as `NOSPACE on <machine>`.
    ///
    /// # Errors
    /// When there is no quorum, or when a member has raised another alarm (`CORRUPT`), which nobody must take back who has not
    /// replaced the member: then no alarm is touched.
    async fn disarm_alarms(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError>;
}

/// What came of defragmenting a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Defragmented {
    /// Its database before.
    pub before: DatabaseSize,
    /// Its database afterwards.
    pub after: DatabaseSize,
}

/// How large the database of a member is: what it says of itself, `etcdctl endpoint status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseSize {
    /// Its file in bytes.
    pub bytes: u64,
    /// How many of them are in use; the others are free for new keys, and lost to everyone else.
    pub in_use_bytes: u64,
}

/// A snapshot that a member has written and etcd has checked, as it lies on the member's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenSnapshot {
    /// The etcd cluster: `main` or `events`.
    pub etcd_cluster: String,
    /// The machine.
    pub machine: String,
    /// The name of its file, which is nobody else's.
    pub file: String,
    /// The release of the member that wrote it.
    pub etcd_version: String,
    /// What etcd found when it checked it.
    pub contents: SnapshotContents,
    /// The size of the file in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// What etcd says of a snapshot's contents: `etcdutl snapshot status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotContents {
    /// etcd's own hash of the keys and values.
    pub hash: u32,
    /// The revision that it was taken at; 0 for an etcd that nobody has written to.
    pub revision: u64,
    /// How many revisions of keys are in it.
    pub total_keys: u64,
    /// The size of the database in bytes.
    pub total_bytes: u64,
    /// The keys that the member served at that revision; nothing where they were compacted meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveKeys>,
}

/// The keys that a member serves at a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveKeys {
    /// How many: `etcdctl get --count-only`.
    pub keys: u64,
    /// The hash of them and of their history; nothing where that was too large to be read beside other work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryHash>,
}

/// etcd's hash of keys and their history, `etcdctl endpoint hashkv`: the same for every member that has the same, in 3.5 and 3.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryHash {
    /// The hash.
    pub hash: u32,
    /// The revision up to which the history was compacted, -1 where it never was. Hashes with another one are of another
    /// history.
    pub compact_revision: i64,
}
