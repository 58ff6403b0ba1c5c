//! A snapshot on the machine that keelson runs on, as etcd reads it, while it is needed there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use keelson_provider_api::{ClusterUid, NotedContents, SnapshotContents};

use super::{BackupPlace, SilentPlace, WhichBackup};
use crate::backup::{Sum, check_snapshot};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// Where a snapshot comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreSource {
    /// A backup.
    Backup {
        /// Which one.
        which: WhichBackup,
        /// Where it lies; nothing for wherever it is found.
        place: Option<BackupPlace>,
    },
    /// A file of somebody's, as `etcdctl snapshot save` writes it, and the etcd that is to have it.
    File {
        /// The file.
        file: PathBuf,
        /// The etcd, `main` or `events`.
        etcd: String,
    },
}

/// A snapshot that is whole, and lies on the machine that keelson runs on.
pub struct UnpackedSnapshot {
    /// The backup or the file, in words.
    pub source: String,
    /// The etcd that is to have it.
    pub etcd_cluster: String,
    /// The cluster that it is of, where that is known.
    pub of_cluster: Option<(String, ClusterUid)>,
    /// Its size and digest.
    pub sum: Sum,
    /// What was written down about its contents; nothing for a file of somebody's.
    pub contents: Option<SnapshotContents>,
    /// The release of etcd that told of its contents, where that was written down.
    pub etcd_version: Option<String>,
    /// Places that did not answer: something newer may lie there.
    pub silent: Vec<SilentPlace>,
    pub(super) file: PathBuf,
    /// What is removed when it is not needed any more.
    folder: Option<PathBuf>,
}

impl UnpackedSnapshot {
    /// The revision that it was taken at; 0 where that is not known.
    pub fn revision(&self) -> u64 {
        self.contents.map_or(0, |contents| contents.revision)
    }

    /// What it is to hold, where that was written down.
    pub(super) fn noted(&self) -> Option<NotedContents> {
        let (contents, etcd_version) = (self.contents?, self.etcd_version.clone()?);
        Some(NotedContents {
            contents,
            etcd_version,
        })
    }
}

impl Drop for UnpackedSnapshot {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

impl Session {
    /// Has a snapshot ready to be restored: reads all of it, and finds it whole. A backup is unpacked into a folder of its own
    /// in `work_folder`, which nobody else can read and which goes with the value.
    ///
    /// # Errors
    /// [`OperationError::Backup`], [`OperationError::SnapshotFile`] when a file cannot be read or is no whole snapshot.
    pub async fn unpack_snapshot(
        &self,
        source: &RestoreSource,
        work_folder: &Path,
    ) -> Result<UnpackedSnapshot, OperationError> {
        match source {
            RestoreSource::File { file, etcd } => {
                let checked = File::open(file).and_then(check_snapshot);
                let sum = checked.map_err(|source| OperationError::SnapshotFile {
                    file: file.clone(),
                    source,
                })?;
                Ok(UnpackedSnapshot {
                    source: file.display().to_string(),
                    etcd_cluster: etcd.clone(),
                    of_cluster: None,
                    sum,
                    contents: None,
                    etcd_version: None,
                    silent: Vec::new(),
                    file: file.clone(),
                    folder: None,
                })
            }
            RestoreSource::Backup { which, place } => {
                self.unpack_backup(which, place.as_ref(), work_folder).await
            }
        }
    }

    async fn unpack_backup(
        &self,
        which: &WhichBackup,
        place: Option<&BackupPlace>,
        work_folder: &Path,
    ) -> Result<UnpackedSnapshot, OperationError> {
        let found = self.find_backup(which, place).await?;
        let manifest = &found.manifest;
        let folder = work_folder.join(format!("keelson-{}-{}", std::process::id(), manifest.name));
        let file = folder.join("snapshot.db");
        let failed = |source: io::Error| OperationError::SnapshotFile {
            file: file.clone(),
            source,
        };
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let unpacked = UnpackedSnapshot {
            source: found.words(),
            etcd_cluster: manifest.etcd_cluster.clone(),
            of_cluster: Some((manifest.cluster_name.to_string(), manifest.cluster_uid.clone())),
            sum: manifest.sum(),
            contents: Some(manifest.contents),
            etcd_version: Some(manifest.etcd_version.clone()),
            silent: found.silent.clone(),
            file: file.clone(),
            folder: Some(folder),
        };
        let mut opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .map_err(failed)?;
        let mut pieces = found.open().await?;
        while let Some(piece) = pieces.next().await? {
            opened.write_all(&piece).map_err(failed)?;
        }
        Ok(unpacked)
    }
}
