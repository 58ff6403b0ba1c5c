//! A snapshot on the machine that keelson runs on, as etcd reads it, while it is needed there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use keelson_provider_api::{ClusterUid, NotedContents, SnapshotContents};

use super::intent::SnapshotOrigin;
use super::{BackupPlace, PassedOver, SilentPlace, WhichBackup};
use crate::backup::{Scratch, Sum, check_snapshot};
use crate::execute::Interrupt;
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
    /// The digests of that cluster's authorities and keys, by their names, as far as they were written down.
    pub authorities: BTreeMap<String, String>,
    /// When it was taken; nothing for a file of somebody's.
    pub taken_at: Option<Timestamp>,
    /// Where it lies; nothing for a file of somebody's.
    pub place: Option<BackupPlace>,
    /// The time that its age counts from.
    pub now: Timestamp,
    /// Its size and digest.
    pub sum: Sum,
    /// What was written down about its contents; nothing for a file of somebody's.
    pub contents: Option<SnapshotContents>,
    /// The release of etcd that told of its contents, where that was written down.
    pub etcd_version: Option<String>,
    /// Places that did not answer: something newer may lie there.
    pub silent: Vec<SilentPlace>,
    /// What is newer, and damaged or from a clock that is ahead; nothing for one that was named.
    pub passed_over: Vec<PassedOver>,
    pub(super) file: PathBuf,
    /// Where it was found, and is found again.
    pub(super) origin: SnapshotOrigin,
    /// What holds it, where it was unpacked.
    _scratch: Option<Scratch>,
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

impl Session {
    /// Has a snapshot ready to be restored: reads all of it, and finds it whole. A backup is unpacked into a folder of its own
    /// in `work_folder`, which nobody else can read and which goes with the value.
    ///
    /// # Errors
    /// [`OperationError::Backup`], [`OperationError::SnapshotFile`] when a file cannot be read or is no whole snapshot;
    /// [`OperationError::Interrupted`].
    pub async fn unpack_snapshot(
        &self,
        source: &RestoreSource,
        work_folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<UnpackedSnapshot, OperationError> {
        let unpacking = async {
            match source {
                RestoreSource::File { file, etcd } => check_file(file, etcd, self.clock().now()).await,
                RestoreSource::Backup { which, place } => {
                    self.unpack_backup(which, place.as_ref(), work_folder).await
                }
            }
        };
        tokio::select! {
            biased;
            () = interrupt.stopped() => Err(OperationError::Interrupted(None)),
            unpacked = unpacking => unpacked,
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
        let failed = |file: &Path, source: io::Error| OperationError::SnapshotFile {
            file: file.to_owned(),
            source,
        };
        let mut scratch = Scratch::begin(work_folder).map_err(|error| failed(work_folder, error))?;
        let mut pieces = found.open().await?;
        while let Some(piece) = pieces.next().await.map_err(|error| found.unread(error))? {
            let written = scratch.opened.write_all(&piece);
            written.map_err(|error| failed(&scratch.file, error))?;
        }
        Ok(UnpackedSnapshot {
            source: found.words(),
            etcd_cluster: manifest.etcd_cluster.clone(),
            of_cluster: Some((manifest.cluster_name.to_string(), manifest.cluster_uid.clone())),
            authorities: manifest.authorities.clone(),
            taken_at: Some(manifest.taken_at),
            place: Some(found.place.clone()),
            now: self.clock().now(),
            sum: manifest.sum(),
            contents: Some(manifest.contents),
            etcd_version: Some(manifest.etcd_version.clone()),
            silent: found.silent.clone(),
            passed_over: found.passed_over.clone(),
            origin: SnapshotOrigin::Backup {
                name: manifest.name.clone(),
                place: found.place.clone(),
            },
            file: scratch.file.clone(),
            _scratch: Some(scratch),
        })
    }
}

/// What a file is packed with, as backups are kept, by how it begins: RFC 8878, RFC 1952, and <https://age-encryption.org/v1>.
/// No snapshot begins like that: the first page of a database begins with its number, which is 0.
fn packing_of(file: &mut File) -> io::Result<Option<&'static str>> {
    const BEGINNINGS: [(&[u8], &str); 3] = [
        (b"\x28\xb5\x2f\xfd", "packed by zstd"),
        (b"\x1f\x8b", "packed by gzip"),
        (b"age-encryption.org/", "encrypted by age"),
    ];
    let mut beginning = Vec::new();
    Read::by_ref(file).take(32).read_to_end(&mut beginning)?;
    file.rewind()?;
    let known = BEGINNINGS.iter().find(|(bytes, _)| beginning.starts_with(bytes));
    Ok(known.map(|(_, packing)| *packing))
}

/// Reads a file of somebody's to its end.
async fn check_file(file: &Path, etcd: &str, now: Timestamp) -> Result<UnpackedSnapshot, OperationError> {
    let failed = |source: io::Error| OperationError::SnapshotFile {
        file: file.to_owned(),
        source,
    };
    let mut opened = File::open(file).map_err(failed)?;
    if let Some(packing) = packing_of(&mut opened).map_err(failed)? {
        return Err(OperationError::PackedSnapshot {
            file: file.to_owned(),
            packing,
        });
    }
    let sum = check_snapshot(opened).await;
    let whole_path = std::path::absolute(file).map_err(failed)?;
    Ok(UnpackedSnapshot {
        source: file.display().to_string(),
        etcd_cluster: etcd.to_owned(),
        of_cluster: None,
        authorities: BTreeMap::new(),
        taken_at: None,
        place: None,
        now,
        sum: sum.map_err(failed)?,
        contents: None,
        etcd_version: None,
        silent: Vec::new(),
        passed_over: Vec::new(),
        origin: SnapshotOrigin::File(whole_path.display().to_string()),
        file: file.to_owned(),
        _scratch: None,
    })
}
