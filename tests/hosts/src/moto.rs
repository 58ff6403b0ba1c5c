//! An emulator of AWS, for tests that talk to one.

use std::path::{Path, PathBuf};

use crate::{LabError, cached};

const PACKAGES: &str = include_str!("../scripts/moto.txt");
const RECIPE: &str = concat!(
    include_str!("../scripts/moto.txt"),
    include_str!("../scripts/moto.sh")
);
const SCRIPT: &str = include_str!("../scripts/moto.sh");
const KIND: &str = "moto";
/// On a slow line; 40 seconds on a fast one.
const LIMIT_SECONDS: u32 = 15 * 60;

/// A Python with moto in it; the first time this downloads 60 MB from wherever pip gets its packages.
///
/// # Errors
///
/// When there is no Python 3 with `venv`, or the packages cannot be had.
pub fn moto() -> Result<PathBuf, LabError> {
    let folder = cached::folder(KIND, RECIPE, |folder| {
        let made = crate::command::tool("bash", LIMIT_SECONDS).args(["-c", SCRIPT, "moto.sh"]);
        made.arg(folder).stdin(PACKAGES).run().map(drop)
    })?;
    Ok(python_in(&folder))
}

/// The Python that [`moto`] has made; otherwise none, after saying that `test` is skipped.
pub fn moto_or_skip(test: &str) -> Option<PathBuf> {
    match cached::existing(KIND, RECIPE) {
        Ok(Some(folder)) => Some(python_in(&folder)),
        Ok(None) => {
            crate::skip(test, "there is no moto; `test-hosts moto` makes it");
            None
        }
        Err(error) => {
            crate::skip(test, error);
            None
        }
    }
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}
