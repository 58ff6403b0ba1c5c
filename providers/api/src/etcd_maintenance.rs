//! What is done to the etcd of a running cluster beside its membership: snapshots are taken, space is given back.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::etcd::EtcdInstance;
use crate::identity::ClusterIdentity;
use crate::provider::{Progress, ProviderError};

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
    ///
    /// # Errors
    /// When the machine does not answer any more, or has the file no longer.
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
}
