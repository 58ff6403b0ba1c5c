//! A mirror of upstream's releases, made of Debian's packages.

use std::fs;
use std::path::PathBuf;

use crate::error::AboutFile;
use crate::{LabError, cached, machine};

const RECIPE: &str = concat!(
    include_str!("../scripts/apt.sh"),
    include_str!("../scripts/assets.sh")
);
const ETCD_RELEASES: &str = "github.com/etcd-io/etcd/releases/download";

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
    Ok(Assets {
        folder,
        etcd_versions,
    })
}

/// 3.5.9 comes before 3.5.16.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}
