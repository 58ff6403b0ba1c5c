//! Folders that are made once and used again by every later run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::LabError;
use crate::command::tool;
use crate::error::AboutFile;
use crate::lock::Lock;
use crate::places;

/// On a slow line; ninety seconds on a fast one.
const RECIPE_LIMIT_SECONDS: u32 = 15 * 60;
/// As long as another process may take that makes the same folder.
const WAIT_FOR_OTHERS: Duration = Duration::from_secs(20 * 60);
/// What nobody has used for so long is removed when something new is made.
const KEPT_UNUSED: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The folder `<kind>-<digest of the recipe>` of the cache. When it does not exist, `make` is given a path to make it
/// at, and it gets its name only when it is complete; whoever wants the same meanwhile waits.
pub(crate) fn folder(
    kind: &str,
    recipe: &str,
    make: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<PathBuf, LabError> {
    let name = name(kind, recipe);
    let cache = places::cache()?;
    let folder = cache.join(&name);
    let lock = cache.join(format!("{name}.lock"));
    if folder.is_dir() {
        // When it was used last: see `prune`.
        fs::write(&lock, "").about("failed to write", &lock)?;
        return Ok(folder);
    }
    let _lock = Lock::take(&lock, WAIT_FOR_OTHERS)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let unfinished = cache.join(format!("{name}.unfinished"));
    remove(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &folder).about("failed to rename", &unfinished)?;
    prune(&cache, kind)?;
    Ok(folder)
}

/// The folder that was made by the recipe, if it was.
pub(crate) fn existing(kind: &str, recipe: &str) -> Result<Option<PathBuf>, LabError> {
    let folder = places::cache()?.join(name(kind, recipe));
    Ok(folder.is_dir().then_some(folder))
}

fn name(kind: &str, recipe: &str) -> String {
    let digest = Sha256::digest(recipe);
    let digest = u64::from_be_bytes(std::array::from_fn(|index| digest[index]));
    format!("{kind}-{digest:016x}")
}

/// Removes what earlier recipes made and nobody has used for a long time.
fn prune(cache: &Path, kind: &str) -> Result<(), LabError> {
    for entry in fs::read_dir(cache).about("failed to list", cache)? {
        let entry = entry.about("failed to list", cache)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(folder) = name.strip_suffix(".lock") else {
            continue;
        };
        let used = entry.metadata().and_then(|metadata| metadata.modified());
        let unused = used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > KEPT_UNUSED));
        if unused && folder.starts_with(&format!("{kind}-")) {
            remove(&cache.join(folder))?;
            fs::remove_file(entry.path()).about("failed to remove", &entry.path())?;
        }
    }
    Ok(())
}

/// Its mounts, if it was ended in the middle, went with its namespace.
fn remove(folder: &Path) -> Result<(), LabError> {
    if folder.exists() {
        fs::remove_dir_all(folder).about("failed to remove", folder)?;
    }
    Ok(())
}

/// Runs a recipe that is a script and makes the folder that it is given.
pub(crate) fn run_recipe(name: &str, recipe: &str, folder: &Path) -> Result<(), LabError> {
    // Mounts that it needs stay in a namespace of their own, and go with it when it is interrupted.
    let made = tool("unshare", RECIPE_LIMIT_SECONDS)
        .words("--mount bash -c")
        .args([recipe, name])
        .arg(folder)
        .run();
    // The whole recipe says nothing to whoever reads the error.
    made.map(drop).map_err(|error| error.of_command(name))
}
