//! What a machine is given to run, and where a provider gets it from.
//!
//! There is one way to configure a machine: a bundle of files with one apply script that installs them. A provider
//! carries the bundle to the machine, by whatever way it has, and runs the script; it does not look inside.
//!
//! On the machine everything lives below [`ROOT`]:
//!
//! | path | holds |
//! |---|---|
//! | `bundles/<digest>/` | the files of a bundle: `apply`, and what it installs; the running one and the one before |
//! | `current`, `previous` | symbolic links to those two |
//! | `assets/<sha256>` | downloads and uploads, each verified, named by its digest |
//! | `installed` | what was put on the machine, a line each, so that exactly that is removed again |
//! | `bundle.json` | the bundle that is in force, as [`BundleRecord`], written last |
//!
//! Secrets come in a folder of their own for each run, which the script is told together with what is in it, and which is
//! gone with the run: over SSH `/run/keelson-incoming.*`, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::identity::ClusterIdentity;
use crate::kinds::NodeBundle;
use crate::provider::ProviderError;
use crate::values::{Digest, Secret};

/// The folder on a machine that is keelson's own.
pub const ROOT: &str = "/var/lib/keelson";

/// The folder where a machine keeps the snapshots of etcd that it takes by a schedule: `<name>/{snapshot,manifest.json}`.
pub const BACKUPS: &str = "/var/lib/keelson/backups";

/// The name of the script in a bundle. It is run as root with the bundle's folder as its working directory: with the argument
/// `apply`, which the folder and the names of new secrets may follow, to put the bundle in force, and with `remove` to take
/// away what it installed. It prints one line an action, [`PROGRESS_MARK`] in front, and can be run any number of times.
pub const APPLY_SCRIPT: &str = "apply";

/// What a line of an apply script's output begins with when it tells of an action.
pub const PROGRESS_MARK: &str = "keelson: ";

/// Everything that one machine needs to run what it is to run.
#[derive(Debug)]
pub struct Bundle {
    /// The bundle's name: the digest of its files and assets. Secrets are no part of it.
    pub digest: Digest,
    /// The files, by their path in the bundle's folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the script takes from `assets/`, or downloads, on the machine's architecture.
    pub assets: Vec<Asset>,
    /// Private keys and what else nobody may see, by the name that they come under: only those that the machine lacks.
    pub secrets: BTreeMap<String, Secret<Vec<u8>>>,
}

/// A file of a release that a machine needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asset {
    /// What it is, for people: `etcd 3.6.8`.
    pub name: String,
    /// Its SHA-256, by which it is verified and found in `assets/`.
    pub sha256: Digest,
    /// From where it comes.
    pub source: AssetSource,
}

/// From where an asset comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetSource {
    /// The machine downloads it from this URL.
    Url(String),
    /// It lies on the machine that runs keelson and is carried to `assets/` where it is missing.
    File(PathBuf),
}

/// The bundle that is in force on a machine, as its apply script wrote it down when it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleRecord {
    /// What was asked for.
    pub bundle: NodeBundle,
    /// The paths of the certificates that belong to it, without their keys.
    pub certificates: Vec<String>,
    /// The paths of their private keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Where certificates and keys are to lie on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificatePaths {
    /// The paths of the certificates.
    pub certificates: Vec<String>,
    /// The paths of private keys, and of what else nobody may see.
    pub keys: Vec<String>,
}

/// What a machine has already of what a bundle brings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundOnMachine {
    /// The certificates that its record names, or that were asked for, and that are there, by path, PEM.
    pub certificates: BTreeMap<String, String>,
    /// The paths of the private keys that its record names, or that were asked for, and that are not there, or are empty.
    pub missing_keys: BTreeSet<String>,
    /// Its architecture, as `uname -m` says.
    pub architecture: String,
}

/// Where a provider gets bundles from.
#[async_trait]
pub trait BundleSource: Send + Sync {
    /// Where the certificates and keys of the bundle for `machine` are to lie. They may be there before the first bundle is,
    /// and so before any record names them: the owner of an authority has put them there.
    fn paths(&self, machine: &str) -> CertificatePaths;

    /// The certificates that `machine` needs, that are not among `found` as they are to be, and that nobody issues here, because
    /// their authority's owner keeps its key: each with its file, and what is wrong.
    async fn lacking(&self, machine: &str, found: &FoundOnMachine) -> Vec<String>;

    /// The bundle that `wanted` stands for, for the machine on which `found` is. Certificates that are good and have
    /// their keys are kept, the others are issued anew and come among the secrets.
    ///
    /// # Errors
    /// When `wanted` is not what the spec asks for any more, or a certificate cannot be issued.
    async fn bundle(
        &self,
        cluster: &ClusterIdentity,
        wanted: &NodeBundle,
        found: &FoundOnMachine,
    ) -> Result<Bundle, ProviderError>;

    /// What to report as the bundle in force that `record` tells of, with `found` on its machine: as it was recorded, but
    /// with another digest of its `certificates` as soon as one is missing, has lost its key, is signed by someone else or
    /// about to end, or is not the one that the spec brings; and of its `authorities` as soon as one is not the cluster's.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    async fn judge(&self, record: &BundleRecord, found: &FoundOnMachine)
    -> Result<NodeBundle, ProviderError>;
}
