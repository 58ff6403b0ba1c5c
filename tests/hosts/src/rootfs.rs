//! The root file system that all hosts share, built once.

use std::path::PathBuf;

use crate::command::tool;
use crate::{LabError, cached, machine};

const RECIPE: &str = include_str!("../scripts/rootfs.sh");
/// On a slow line; ninety seconds on a fast one.
const BUILD_LIMIT_SECONDS: u32 = 15 * 60;

/// The folder of the root file system; the first time this downloads and unpacks about two hundred packages of Debian.
///
/// # Errors
///
/// When this machine cannot carry test hosts, or the packages cannot be had.
pub fn root_filesystem() -> Result<PathBuf, LabError> {
    machine::check_machine()?;
    cached::folder("rootfs", RECIPE, |folder| {
        // Mounts that building needs stay in a namespace of their own, and go with it when it is interrupted.
        tool("unshare", BUILD_LIMIT_SECONDS)
            .words("--mount bash -c")
            .arg(RECIPE)
            .arg("rootfs.sh")
            .arg(folder)
            .run()
            .map(drop)
            .map_err(shorten)
    })
}

/// The whole recipe as an argument says nothing to whoever reads the error.
fn shorten(error: LabError) -> LabError {
    match error {
        LabError::Command { status, stderr, .. } => LabError::Command {
            command: "rootfs.sh".to_owned(),
            status,
            stderr,
        },
        other => other,
    }
}
