//! Real Kubernetes for hosts: programs and images, from a folder that whoever runs the tests names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::error::AboutFile;

/// Names the folder.
const VARIABLE: &str = "KEELSON_KUBERNETES_ASSETS";

/// A folder of real programs and images: a mirror in the layout of `assets.files`, `images/*.tar` to
/// [serve](crate::serve_registry), and `versions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesAssets {
    /// The folder: upstream's `https://HOST/PATH` is at `HOST/PATH` in it.
    pub folder: PathBuf,
    /// The folder of the OCI archives in it.
    pub images: PathBuf,
    /// The versions of Kubernetes, as in the file `versions`, without the `v`; most tests take the first.
    pub versions: Vec<String>,
}

/// The folder that `KEELSON_KUBERNETES_ASSETS` names; nothing where it names none.
///
/// # Errors
///
/// When it names something that is not laid out so.
pub fn kubernetes_assets() -> Result<Option<KubernetesAssets>, LabError> {
    match std::env::var_os(VARIABLE) {
        Some(folder) if !folder.is_empty() => read(Path::new(&folder)).map(Some),
        _ => Ok(None),
    }
}

fn read(folder: &Path) -> Result<KubernetesAssets, LabError> {
    let file = folder.join("versions");
    let text = fs::read_to_string(&file).about("failed to read", &file)?;
    let versions = text.lines().map(|line| line.trim().trim_start_matches('v'));
    let versions: Vec<_> = versions
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let images = folder.join("images");
    if versions.is_empty() || !images.is_dir() {
        return Err(LabError::refused(
            format!(
                "{VARIABLE} names {}, which has no versions or no images",
                folder.display()
            ),
            "put a version a line into the file `versions`, and OCI archives into the folder `images`",
        ));
    }
    Ok(KubernetesAssets {
        folder: folder.to_owned(),
        images,
        versions,
    })
}

/// The folder, for a test that needs real Kubernetes; without one the test says by its name that it is skipped.
///
/// # Errors
///
/// When the variable names something that is not laid out so: a test must not be skipped for that.
pub fn skip_without_kubernetes(test: &str) -> Result<Option<KubernetesAssets>, LabError> {
    if crate::skip_without_root(test) {
        return Ok(None);
    }
    let assets = kubernetes_assets()?;
    if assets.is_none() {
        crate::skip(
            test,
            format!("{VARIABLE} names no folder of real programs and images"),
        );
    }
    Ok(assets)
}
