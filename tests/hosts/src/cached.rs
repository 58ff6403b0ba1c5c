//! Folders that are made once and used again by every later run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::LabError;
use crate::error::AboutFile;
use crate::lock::Lock;
use crate::places;

/// As long as another process may take that makes the same folder.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(20 * 60);

/// The folder `<kind>-<digest of the recipe>` of the cache. When it does not exist, `make` is given a path to make it
/// at, and it gets its name only when it is complete; whoever wants the same meanwhile waits.
pub(crate) fn folder(
    kind: &str,
    recipe: &str,
    make: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<PathBuf, LabError> {
    let digest = Sha256::digest(recipe);
    let digest = u64::from_be_bytes(std::array::from_fn(|index| digest[index]));
    let name = format!("{kind}-{digest:016x}");
    let cache = places::cache()?;
    let folder = cache.join(&name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let _lock = Lock::take(&cache.join(format!("{name}.lock")), WAIT_FOR_OTHERS)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let unfinished = cache.join(format!("{name}.unfinished"));
    remove(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &folder).about("failed to rename", &unfinished)?;
    Ok(folder)
}

/// What a process left that was ended in the middle. Its mounts went with its namespace.
fn remove(folder: &Path) -> Result<(), LabError> {
    if folder.exists() {
        fs::remove_dir_all(folder).about("failed to remove", folder)?;
    }
    Ok(())
}
