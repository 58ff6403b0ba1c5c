//! The folder that `keelson render` writes. A file in it lists what is keelson's; everything else is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use keelson_provider_api::values::ClusterName;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::files::{self, Permissions};
use crate::view::rendered::RenderedFile;

/// The list of what is keelson's, by which the folder is known again.
const MARKER: &str = ".keelson-rendered.json";
/// More than the list of ten thousand machines has.
const MARKER_LIMIT_BYTES: usize = 64 << 20;

/// What a folder was rendered from, and the files that are keelson's in it, by their path.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Marker {
    cluster: String,
    files: BTreeSet<String>,
}

/// What was done.
pub(super) struct Written {
    /// Files that were not there, or were different.
    pub changed: usize,
    /// Files of an earlier render that nobody needs any more.
    pub removed: usize,
}

/// Makes the folder hold `files`, by their paths in it. A run that is cut short is made good by the next.
pub(super) fn write(
    folder: &Path,
    cluster: &ClusterName,
    files: &BTreeMap<String, RenderedFile>,
    force: bool,
) -> Result<Written, Failure> {
    let before = own_files(folder, cluster, force)?;
    let paths: BTreeSet<String> = files.keys().cloned().collect();
    for path in before.union(&paths) {
        check_inside(folder, path)?;
    }
    if !force {
        for path in paths.difference(&before) {
            let file = folder.join(path);
            if file.symlink_metadata().is_ok() {
                return Err(files::exists(&file));
            }
        }
    }
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    // Whatever happens from here on, the next run knows what is keelson's.
    write_marker(folder, cluster, before.union(&paths).cloned().collect())?;
    let mut written = Written {
        changed: 0,
        removed: 0,
    };
    for path in before.difference(&paths) {
        written.removed += usize::from(remove(folder, path)?);
    }
    for (path, file) in files {
        written.changed += usize::from(put(&folder.join(path), file)?);
    }
    write_marker(folder, cluster, paths)?;
    Ok(written)
}

/// The files that an earlier render wrote; a folder of someone else's is refused.
fn own_files(folder: &Path, cluster: &ClusterName, force: bool) -> Result<BTreeSet<String>, Failure> {
    let shown = folder.display();
    let foreign = |problem: String| {
        Failure::failed(format!("{problem}; it was left as it is"))
            .with_help("choose another folder, or pass --force to write to this one")
    };
    let marker = folder.join(MARKER);
    if marker.symlink_metadata().is_err() {
        let is_free = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(unwritable(folder, &error)),
        };
        return if is_free || force {
            Ok(BTreeSet::new())
        } else {
            Err(foreign(format!(
                "{shown} holds other things than what keelson rendered"
            )))
        };
    }
    let bytes = files::read_bounded(&marker, MARKER_LIMIT_BYTES, "render to another folder")?;
    match serde_json::from_slice::<Marker>(&bytes) {
        Ok(found) if found.files.iter().any(|path| !is_inside(path)) => Err(foreign(format!(
            "{} names files outside of its folder",
            marker.display()
        ))),
        Ok(found) if found.cluster == cluster.as_str() || force => Ok(found.files),
        Ok(found) => Err(foreign(format!(
            "{shown} holds what was rendered for cluster {}",
            found.cluster.escape_debug()
        ))),
        Err(_) if force => Ok(BTreeSet::new()),
        Err(error) => Err(foreign(format!("{} is damaged: {error}", marker.display()))),
    }
}

fn is_inside(path: &str) -> bool {
    let mut components = Path::new(path).components();
    !path.is_empty() && components.all(|component| matches!(component, Component::Normal(_)))
}

/// Nothing is written or removed through a link that leads elsewhere.
fn check_inside(folder: &Path, path: &str) -> Result<(), Failure> {
    let mut place = folder.to_owned();
    let parents = Path::new(path).parent().into_iter().flat_map(Path::components);
    for component in parents {
        place.push(component);
        let is_link = place.symlink_metadata().is_ok_and(|found| found.is_symlink());
        if is_link {
            return Err(Failure::failed(format!(
                "{} is a link to another place; nothing was written",
                place.display()
            ))
            .with_help("remove the link, or choose another folder"));
        }
    }
    Ok(())
}

fn put(path: &Path, file: &RenderedFile) -> Result<bool, Failure> {
    let permissions = if file.is_executable {
        Permissions::Executable
    } else {
        Permissions::Readable
    };
    let is_same = fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o777 == permissions.mode())
        && fs::read(path).is_ok_and(|content| content == file.content);
    if is_same {
        return Ok(false);
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
    }
    files::put(path, &file.content, permissions, true)?;
    Ok(true)
}

/// Removes a file and the folders that are empty without it; tells whether it was there.
fn remove(folder: &Path, path: &str) -> Result<bool, Failure> {
    let file = folder.join(path);
    let was_there = match fs::remove_file(&file) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            let problem = format!("cannot remove {}: {}", file.display(), files::reason(&error));
            return Err(Failure::failed(problem).with_help("see what it is, and remove it"));
        }
    };
    let mut parent: Option<PathBuf> = file.parent().map(Path::to_owned);
    while let Some(place) = parent.filter(|place| place != folder) {
        // One that is not empty holds something else.
        if fs::remove_dir(&place).is_err() {
            break;
        }
        parent = place.parent().map(Path::to_owned);
    }
    Ok(was_there)
}

fn write_marker(folder: &Path, cluster: &ClusterName, paths: BTreeSet<String>) -> Result<(), Failure> {
    let marker = Marker {
        cluster: cluster.to_string(),
        files: paths,
    };
    // Texts and lists of them always have a JSON form.
    let mut content = serde_json::to_vec_pretty(&marker).unwrap_or_default();
    content.push(b'\n');
    let file = RenderedFile {
        content,
        is_executable: false,
    };
    put(&folder.join(MARKER), &file).map(drop)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!(
        "cannot write {}: {}",
        path.display(),
        files::reason(error)
    ))
    .with_help("name a folder that you may write to")
}
