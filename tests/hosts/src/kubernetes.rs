//! Real Kubernetes for hosts: programs and images, from a folder that whoever runs the tests names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::LabError;
use crate::error::AboutFile;

/// Names the folder.
const VARIABLE: &str = "KEELSON_KUBERNETES_ASSETS";

/// What a spec needs for hosts of a lab that other machines do not, below `spec`: they share one kernel with control groups of
/// version 1 and one disk, however full it is, and may not lower scores of the out-of-memory killer (`oom_score_adj`).
pub const SPEC_OF_HOSTS: &str = r#"  kubelet:
    config:
      failCgroupV1: false
      imagePullCredentialsVerificationPolicy: NeverVerify
      evictionHard: { "memory.available": 50Mi, "nodefs.available": 1%, "imagefs.available": 1%, "nodefs.inodesFree": 1% }
  kubeProxy: { config: { conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s } } }
  containerd: { config: { plugins: { io.containerd.cri.v1.runtime: { restrict_oom_score_adj: true } } } }
"#;

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

impl KubernetesAssets {
    /// The newest etcd that there are programs of, without the `v`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn etcd(&self) -> Result<String, LabError> {
        let folder = self.folder.join("github.com/etcd-io/etcd/releases/download");
        let numbers = |version: &String| -> Vec<u32> {
            version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
        };
        let entries = fs::read_dir(&folder).about("failed to read", &folder)?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let versions = names.map(|name| name.trim_start_matches('v').to_owned());
        versions.max_by_key(numbers).ok_or_else(|| {
            LabError::refused(
                format!("{VARIABLE} names {}, which has no etcd", self.folder.display()),
                "put its release files below github.com/etcd-io/etcd/releases/download",
            )
        })
    }
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
