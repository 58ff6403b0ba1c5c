//! How a backup is, as far as can be seen without reading all of it.

use jiff::Timestamp;
use keelson_provider_api::{StoreError, with_causes};

use super::manifest::{BackupManifest, BackupName};
use super::prune::is_ahead;

/// What is wrong with a backup that never counted.
pub const UNFINISHED: &str = "it has no manifest: whoever saved it did not come to the end";
pub(super) const NO_SNAPSHOT: &str = "its snapshot is not there";

/// A backup as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its name.
    pub name: BackupName,
    /// How it is.
    pub state: BackupState,
}

/// How a backup is, as far as can be seen without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupState {
    /// It has a manifest, and a snapshot of the size that it tells of.
    Whole(Box<BackupManifest>),
    /// It counted once, and is none any more.
    Damaged {
        /// What was written down about it, if that can be read.
        manifest: Option<Box<BackupManifest>>,
        /// What is wrong with it.
        problem: String,
    },
    /// The place where it lies did not show all of it: nobody knows how it is, and the next look may find it whole.
    Unread {
        /// What was written down about it, if that could be read.
        manifest: Option<Box<BackupManifest>>,
        /// Why not all of it could be seen.
        problem: String,
    },
    /// Its snapshot is there and no manifest: it never counted. Somebody saves it now, or did not come to the end.
    Unfinished,
}

impl Backup {
    /// What was written down about it, if it can be the newest or the last of anything: it is whole, and not from a clock that
    /// is ahead of `now`.
    pub fn counted(&self, now: Timestamp) -> Option<&BackupManifest> {
        self.whole().filter(|manifest| !is_ahead(manifest, now))
    }

    /// What was written down about it, if it is whole.
    pub fn whole(&self) -> Option<&BackupManifest> {
        match &self.state {
            BackupState::Whole(manifest) => Some(manifest),
            _ => None,
        }
    }

    /// What was written down about it, if that can be read.
    pub fn manifest(&self) -> Option<&BackupManifest> {
        match &self.state {
            BackupState::Whole(manifest) => Some(manifest),
            BackupState::Damaged { manifest, .. } | BackupState::Unread { manifest, .. } => {
                manifest.as_deref()
            }
            BackupState::Unfinished => None,
        }
    }

    /// Why it does not [count](Self::counted) at the time `now`, although it did once. Nothing for one that never did.
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        match &self.state {
            BackupState::Whole(manifest) if is_ahead(manifest, now) => Some(format!(
                "it was taken at {:.0}, which is still to come",
                manifest.taken_at
            )),
            BackupState::Whole(_) | BackupState::Unfinished => None,
            BackupState::Damaged { problem, .. } | BackupState::Unread { problem, .. } => {
                Some(problem.clone())
            }
        }
    }
}

/// What there is of a backup.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) manifest: Option<Vec<u8>>,
    /// The size of its snapshot in bytes.
    pub(super) size: Option<u64>,
    /// Why not all of it can be seen.
    pub(super) trouble: Option<StoreError>,
}

impl Parts {
    /// How the backup `name` is of which this is there; `None` for nothing.
    pub(super) fn judge(self, name: &BackupName) -> Option<BackupState> {
        let damaged = |manifest, problem| Some(BackupState::Damaged { manifest, problem });
        let manifest = self
            .manifest
            .map(|content| read_manifest(&content, name).map(Box::new));
        match self.trouble {
            Some(StoreError::Damaged { problem, .. }) => {
                return damaged(manifest.and_then(Result::ok), problem);
            }
            Some(error) => {
                return Some(BackupState::Unread {
                    manifest: manifest.and_then(Result::ok),
                    problem: with_causes(&error),
                });
            }
            None => {}
        }
        let manifest = match manifest {
            Some(Ok(manifest)) => manifest,
            Some(Err(problem)) => return damaged(None, problem),
            None => return self.size.map(|_| BackupState::Unfinished),
        };
        let wanted = manifest.stored.size_bytes;
        match self.size {
            Some(size) if size == wanted => Some(BackupState::Whole(manifest)),
            Some(size) => damaged(
                Some(manifest),
                format!("its snapshot has {size} bytes, and had {wanted}"),
            ),
            None => damaged(Some(manifest), NO_SNAPSHOT.to_owned()),
        }
    }
}

/// Reads a manifest that lies where that of `name` belongs.
fn read_manifest(content: &[u8], name: &BackupName) -> Result<BackupManifest, String> {
    #[derive(serde::Deserialize)]
    struct Form {
        form: u32,
    }
    let unreadable = |error: serde_json::Error| format!("its manifest cannot be read: {error}");
    let form: Form = serde_json::from_slice(content).map_err(unreadable)?;
    if form.form != BackupManifest::FORM {
        return Err(format!(
            "its manifest has the form {}, which this keelson does not know",
            form.form
        ));
    }
    let manifest: BackupManifest = serde_json::from_slice(content).map_err(unreadable)?;
    if manifest.name != *name {
        return Err(format!("its manifest is that of {}", manifest.name));
    }
    Ok(manifest)
}
