//! A mirror of upstream's releases, made of Debian's packages.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::AboutFile;
use crate::{LabError, cached, machine};

const RECIPE: &str = concat!(
    include_str!("../scripts/apt.sh"),
    include_str!("../scripts/assets.sh")
);
const ETCD_RELEASES: &str = "github.com/etcd-io/etcd/releases/download";
/// The variable that names a folder of real binaries, laid out as a mirror.
const NAMED_FOLDER: &str = "KEELSON_KUBERNETES_ASSETS";
/// The first etcd that Debian does not have.
const NEWER_ETCD: [u32; 2] = [3, 6];

/// A folder laid out the way `assets.files` of a spec wants a mirror, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// The mirror: upstream's `https://HOST/PATH` is at `HOST/PATH` in it.
    pub folder: PathBuf,
    /// The versions of etcd, oldest first, without the `v`.
    pub etcd_versions: Vec<String>,
}

/// The mirror; the first time this downloads packages of etcd from Debian's newer suites.
///
/// # Errors
///
/// When this machine cannot carry test hosts, or the packages cannot be had.
pub fn assets() -> Result<Assets, LabError> {
    machine::check_machine()?;
    let folder = cached::folder("assets", RECIPE, |folder| {
        cached::run_recipe("assets.sh", RECIPE, folder)
    })?;
    let etcd_versions = etcd_versions(&folder)?;
    Ok(Assets {
        folder,
        etcd_versions,
    })
}

/// The mirror that whoever runs the tests has named, and the releases of etcd in it, when it has one that is newer than
/// Debian's; otherwise none, after saying that `test` is skipped.
///
/// # Errors
///
/// When the folder cannot be listed.
pub fn newer_etcd_or_skip(test: &str) -> Result<Option<Assets>, LabError> {
    let folder = std::env::var_os(NAMED_FOLDER).map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join(ETCD_RELEASES).is_dir());
    if let Some(folder) = folder {
        let mut etcd_versions = etcd_versions(&folder)?;
        etcd_versions.retain(|version| numbers(version) >= NEWER_ETCD.to_vec());
        if !etcd_versions.is_empty() {
            return Ok(Some(Assets {
                folder,
                etcd_versions,
            }));
        }
    }
    crate::skip(
        test,
        format!("{NAMED_FOLDER} names no folder with etcd 3.6 or newer"),
    );
    Ok(None)
}

/// The versions of etcd in a mirror, oldest first.
fn etcd_versions(folder: &Path) -> Result<Vec<String>, LabError> {
    let releases = folder.join(ETCD_RELEASES);
    let mut etcd_versions = Vec::new();
    for entry in fs::read_dir(&releases).about("failed to list", &releases)? {
        let name = entry.about("failed to list", &releases)?.file_name();
        etcd_versions.extend(
            name.to_str()
                .and_then(|name| name.strip_prefix('v'))
                .map(str::to_owned),
        );
    }
    etcd_versions.sort_by_key(|version| numbers(version));
    Ok(etcd_versions)
}

/// 3.5.9 comes before 3.5.16.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
