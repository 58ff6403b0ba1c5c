//! Taking a snapshot and keeping it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::etcd_maintenance::read_whole;
use keelson_provider_api::{ClusterIdentity, EtcdInstance, Progress, StoreError, WrittenSnapshot};
use tokio::sync::mpsc;

use super::{BackupParts, SavedBackup};
use crate::backup::{BackupError, BackupManifest, BackupName, Packed, StoredObject, Sum};
use crate::ops::error::OperationError;
use crate::ops::etcd::of_machine;
use crate::ops::session::Session;

/// So many pieces are on their way at most.
const PIECES_AT_ONCE: usize = 4;
/// How long another save of the same snapshot may take to write its manifest.
const OTHER_SAVE_POLLS: u32 = 20;
const OTHER_SAVE_PAUSE: Duration = Duration::from_millis(500);

/// What is to be saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaveRequest {
    /// The etcd, `main` or `events`; nothing for each that the cluster has.
    pub etcd: Option<String>,
    /// What it is for, for whoever reads the list.
    pub purpose: String,
}

/// A snapshot that is being taken.
struct Taking<'a> {
    name: BackupName,
    taken_at: Timestamp,
    purpose: &'a str,
}

impl Session {
    /// Has a member of each etcd write a snapshot, checks it, and keeps it.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`], [`OperationError::ExternalEtcd`], [`OperationError::UnknownEtcd`],
    /// [`OperationError::Machine`] when no member can write one, [`OperationError::Backup`] when it cannot be kept. What was
    /// saved of another etcd before stays.
    pub async fn save_backups(
        &self,
        request: &SaveRequest,
        progress: &Progress<'_>,
    ) -> Result<Vec<SavedBackup>, OperationError> {
        let parts = self.backup_parts()?;
        let instances = self.etcd_instances(request.etcd.as_deref())?;
        parts.archive.check_packs()?;
        self.drive(async {
            let identity = self.existing_identity().await?;
            let mut saved = Vec::new();
            for etcd in instances {
                let manifest = self.save_one(parts, &identity, etcd, request, progress).await?;
                saved.push(SavedBackup {
                    manifest,
                    location: parts.archive.location(),
                });
            }
            Ok(saved)
        })
        .await
    }

    async fn save_one(
        &self,
        parts: &BackupParts,
        identity: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        request: &SaveRequest,
        progress: &Progress<'_>,
    ) -> Result<BackupManifest, OperationError> {
        let taken_at = self.clock().now();
        let written = parts
            .maintenance
            .write_snapshot(identity, etcd, progress)
            .await
            .map_err(of_machine)?;
        let contents = written.contents;
        progress.tell(&format!(
            "keep the snapshot of etcd {}: revision {}, {} keys",
            etcd.cluster, contents.revision, contents.total_keys
        ));
        let taking = Taking {
            name: BackupName::of(etcd.cluster, taken_at, contents.revision),
            taken_at,
            purpose: &request.purpose,
        };
        let kept = self.keep(parts, identity, &taking, &written).await;
        // One that cannot be deleted now is taken away by a later save on that machine.
        if let Err(error) = parts.maintenance.discard_snapshot(identity, &written).await {
            progress.tell(&format!(
                "leave {} on {} for a later save: {error}",
                written.file, written.machine
            ));
        }
        kept
    }

    /// Keeps a snapshot that lies on its machine, until it counts.
    async fn keep(
        &self,
        parts: &BackupParts,
        identity: &ClusterIdentity,
        taking: &Taking<'_>,
        written: &WrittenSnapshot,
    ) -> Result<BackupManifest, OperationError> {
        match self.carry(parts, identity, &taking.name, written).await? {
            Some(packed) => {
                let manifest = self.manifest(identity, taking, written.clone(), packed).await?;
                parts.archive.count(&manifest).await?;
                Ok(manifest)
            }
            // Someone else saves the same snapshot at the same moment: one of the two is enough.
            None => self.saved_by_other(parts, &taking.name).await,
        }
    }

    /// Carries a snapshot from its machine to the archive. Nothing, when it is there already.
    async fn carry(
        &self,
        parts: &BackupParts,
        identity: &ClusterIdentity,
        name: &BackupName,
        written: &WrittenSnapshot,
    ) -> Result<Option<Packed>, OperationError> {
        let expected = Sum {
            size_bytes: written.size_bytes,
            sha256: written.sha256.clone(),
        };
        let (sender, mut receiver) = mpsc::channel(PIECES_AT_ONCE);
        let reading = read_whole(&*parts.maintenance, self.clock(), identity, written, sender);
        let keeping = async {
            let kept = parts.archive.keep(name, &expected, &mut receiver).await;
            // Whoever still reads for it stops.
            drop(receiver);
            kept
        };
        let (read, kept) = tokio::join!(reading, keeping);
        match (kept, read) {
            (Ok(packed), _) => Ok(Some(packed)),
            (Err(BackupError::Store(StoreError::Conflict { .. })), _) => Ok(None),
            // What came was cut off or altered, and why is the better answer.
            (Err(BackupError::Altered(_)), Err(error)) => Err(of_machine(error)),
            (Err(error), _) => Err(error.into()),
        }
    }

    async fn manifest(
        &self,
        identity: &ClusterIdentity,
        taking: &Taking<'_>,
        written: WrittenSnapshot,
        packed: Packed,
    ) -> Result<BackupManifest, OperationError> {
        let keys = self.living().await?.map(|record| record.keys).unwrap_or_default();
        let authorities: BTreeMap<String, String> = keys
            .into_iter()
            .map(|(name, digest)| (name, digest.to_string()))
            .collect();
        let uid = identity.uid.clone().ok_or_else(|| OperationError::NoCluster {
            name: identity.name.clone(),
            location: self.store().location(),
        })?;
        let spec = self.spec();
        Ok(BackupManifest {
            form: BackupManifest::FORM,
            name: taking.name.clone(),
            cluster_uid: uid,
            cluster_name: identity.name.clone(),
            etcd_cluster: written.etcd_cluster,
            purpose: taking.purpose.to_owned(),
            taken_at: taking.taken_at,
            machine: written.machine,
            etcd_version: written.etcd_version,
            kubernetes_version: (!spec.is_etcd_alone()).then(|| spec.spec().kubernetes_version.to_string()),
            authorities,
            contents: written.contents,
            size_bytes: packed.plain.size_bytes,
            sha256: packed.plain.sha256,
            stored: StoredObject {
                size_bytes: packed.stored.size_bytes,
                sha256: packed.stored.sha256,
                packing: packed.packing,
            },
        })
    }

    async fn saved_by_other(
        &self,
        parts: &BackupParts,
        name: &BackupName,
    ) -> Result<BackupManifest, OperationError> {
        let mut polls = 0;
        loop {
            match parts.archive.manifest(name).await {
                Err(BackupError::Damaged { .. } | BackupError::Unread { .. }) if polls < OTHER_SAVE_POLLS => {
                    polls += 1;
                    self.clock().sleep(OTHER_SAVE_PAUSE).await;
                }
                found => return Ok(found?),
            }
        }
    }
}
