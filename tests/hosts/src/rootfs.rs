//! The root file system that all hosts share, built once.

use std::path::PathBuf;

use crate::{LabError, cached, machine};

const RECIPE: &str = concat!(
    include_str!("../scripts/apt.sh"),
    include_str!("../scripts/rootfs.sh")
);

/// The folder of the root file system; the first time this downloads and unpacks about two hundred packages of Debian.
///
/// # Errors
///
/// When this machine cannot carry test hosts, or the packages cannot be had.
pub fn root_filesystem() -> Result<PathBuf, LabError> {
    machine::check_machine()?;
    cached::folder("rootfs", RECIPE, |folder| {
        cached::run_recipe("rootfs.sh", RECIPE, folder)
    })
}
