//! Restoring a snapshot for trial: a backup that was never restored is a hope.

use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::etcd::EtcdInstance;
use crate::etcd_maintenance::{LiveKeys, SnapshotContents};
use crate::identity::ClusterIdentity;
use crate::provider::{Progress, ProviderError};

/// A snapshot that is to be restored for trial. It lies on the machine that keelson runs on, as etcd reads it.
#[derive(Debug, Clone, Copy)]
pub struct DrillSnapshot<'a> {
    /// The etcd that it is of.
    pub etcd: &'static EtcdInstance,
    /// The file.
    pub file: &'a Path,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'a str,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// Restores snapshots for trial: into a member that is alone, in a folder of its own, that nobody else can reach and that is
/// gone afterwards. Nothing of the cluster is changed or even asked.
#[async_trait]
pub trait EtcdDrill: Send + Sync {
    /// Restores `snapshot` on `machine`, or where none is named on one that can spare it best, starts a member with it, asks
    /// it what it has, and takes everything away again. What the member says is not judged here.
    ///
    /// # Errors
    /// When no machine answers or has room, when etcd does not take the snapshot, or when the member does not come to serve.
    async fn drill(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &DrillSnapshot<'_>,
        machine: Option<&str>,
        progress: &Progress<'_>,
    ) -> Result<Drilled, ProviderError>;
}

/// What a member that was given a snapshot for trial has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drilled {
    /// The machine.
    pub machine: String,
    /// The member's release.
    pub etcd_version: String,
    /// What etcd said of the file before it was restored.
    pub contents: SnapshotContents,
    /// The revision that the member serves.
    pub revision: u64,
    /// The keys that it serves.
    pub live: LiveKeys,
}
