//! Locks between processes, held as long as the value lives.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::LabError;
use crate::error::AboutFile;
use crate::wait::wait_for;

/// A lock that this process holds.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of this file, once whoever holds it is done, but waits no longer than said.
    pub(crate) fn take(path: &Path, time: Duration) -> Result<Self, LabError> {
        let late = || {
            (
                format!("the lock {} is still held by another process", path.display()),
                format!("see who holds it: fuser {}", path.display()),
            )
        };
        wait_for(time, late, || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).about("failed to make", folder)?;
            }
            let file = match File::options().create(true).append(true).open(path) {
                // The folder was removed with its last lab, right now.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file.about("failed to open the lock", path)?,
            };
            match file.try_lock() {
                Ok(()) => Ok(stands_at(&file, path).then_some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(source)) => Err(source).about("failed to lock", path),
            }
        })
    }
}

/// Whoever held the lock before may have removed its file.
fn stands_at(file: &File, path: &Path) -> bool {
    let same =
        |one: &fs::Metadata, other: &fs::Metadata| one.dev() == other.dev() && one.ino() == other.ino();
    matches!((file.metadata(), fs::metadata(path)), (Ok(one), Ok(other)) if same(&one, &other))
}
