//! The release files that machines need: where upstream has them, and how their digests are found.
//!
//! Nothing here reads a network. What a release needs is asked for as [`ReleaseFile`]s; who can read them answers with
//! a [`ResolvedRelease`].

use std::collections::BTreeMap;

use keelson_provider_api::values::{Digest, Version};
use keelson_provider_api::{Asset, AssetSource};
use serde::{Deserialize, Serialize};

use super::action::Architecture;

/// What stands for a digest that nobody has looked up. No file has it, so nothing that holds it can be installed.
pub const UNKNOWN_DIGEST: Digest = Digest::from_bytes([0; 32]);

/// A file of an upstream release, for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFile {
    /// The release, for people: `etcd 3.6.8`. At least one architecture of each is needed.
    pub release: String,
    /// What it is, for people: `etcd 3.6.8 for amd64`.
    pub name: String,
    /// What kind of file it is.
    pub packaging: Packaging,
    /// The architecture.
    pub architecture: Architecture,
    /// Where upstream has it, without `https://`. A mirror has it at the same path below its own root.
    pub path: String,
    /// Where upstream has its SHA-256, without `https://`: a file of lines `DIGEST  NAME`, or of the digest alone.
    pub checksums: String,
}

/// How a release brings its programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packaging {
    /// The file is the program.
    Program,
    /// It is a `.tar.gz` that has them in this folder, which ends with a slash; empty where they are at the top.
    Archive(String),
}

impl ReleaseFile {
    /// The files of `release` that are programs, one an architecture; `paths` gives where its list of digests and where it
    /// is itself.
    pub(super) fn programs(release: &str, paths: impl Fn(Architecture) -> (String, String)) -> Vec<Self> {
        let file = |architecture| Self::of(release, Packaging::Program, architecture, paths(architecture));
        Architecture::ALL.map(file).to_vec()
    }

    /// The files of `release` that are archives with programs in `folder`, one an architecture; `paths` as above.
    pub(super) fn archives(
        release: &str,
        folder: &str,
        paths: impl Fn(Architecture) -> (String, String),
    ) -> Vec<Self> {
        let packaging = Packaging::Archive(folder.to_owned());
        let file = |architecture| Self::of(release, packaging.clone(), architecture, paths(architecture));
        Architecture::ALL.map(file).to_vec()
    }

    fn of(
        release: &str,
        packaging: Packaging,
        architecture: Architecture,
        (checksums, path): (String, String),
    ) -> Self {
        Self {
            release: release.to_owned(),
            name: format!("{release} for {}", architecture.name()),
            packaging,
            architecture,
            path,
            checksums,
        }
    }

    /// The last part of its path.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// The files of an etcd release, one an architecture (<https://github.com/etcd-io/etcd/releases>).
pub fn etcd(version: Version) -> Vec<ReleaseFile> {
    let folder = format!("github.com/etcd-io/etcd/releases/download/v{version}");
    let file = |architecture: Architecture| {
        let name = format!("etcd-v{version}-linux-{}", architecture.name());
        ReleaseFile::of(
            &format!("etcd {version}"),
            // Its archives hold one folder, of their own name without its ending.
            Packaging::Archive(format!("{name}/")),
            architecture,
            (format!("{folder}/SHA256SUMS"), format!("{folder}/{name}.tar.gz")),
        )
    };
    Architecture::ALL.map(file).to_vec()
}

/// A file of a release whose digest and source are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolvedFile {
    /// The architecture.
    pub architecture: Architecture,
    /// The file.
    pub asset: Asset,
    /// How it brings its programs.
    pub packaging: Packaging,
}

/// A release whose files are known, one an architecture. An architecture for which there is none is left out.
pub type ResolvedRelease = Vec<ResolvedFile>;

impl ResolvedFile {
    /// The URL that machines download it from; `None` when keelson carries it to them.
    pub fn url(&self) -> Option<&str> {
        match &self.asset.source {
            AssetSource::Url(url) => Some(url),
            AssetSource::File(_) => None,
        }
    }
}

/// A program of a release.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// Its name.
    pub(super) name: &'static str,
    /// Where it goes.
    pub(super) folder: &'static str,
    /// The units that run it.
    pub(super) units: Vec<&'static str>,
}

/// The release files whose digests and sources are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssetIndex {
    /// None is: each stands in plans under a digest of its path. For the simulated world, where nobody downloads, and
    /// for plans that nobody carries out.
    Imagined,
    /// These are, by [`ReleaseFile::path`].
    Resolved(BTreeMap<String, ResolvedFile>),
}

impl AssetIndex {
    /// Those of `files` that are known.
    pub fn release(&self, files: &[ReleaseFile]) -> ResolvedRelease {
        match self {
            Self::Imagined => files.iter().map(imagined).collect(),
            Self::Resolved(known) => files
                .iter()
                .filter_map(|file| known.get(&file.path))
                .cloned()
                .collect(),
        }
    }
}

fn imagined(file: &ReleaseFile) -> ResolvedFile {
    let source = AssetSource::Url(format!("https://{}", file.path));
    file.resolved(Digest::of_bytes(file.path.as_bytes()), source)
}

impl ReleaseFile {
    /// The file with its digest and from where it comes.
    pub fn resolved(&self, sha256: Digest, source: AssetSource) -> ResolvedFile {
        ResolvedFile {
            architecture: self.architecture,
            asset: Asset {
                name: self.name.clone(),
                sha256,
                source,
            },
            packaging: self.packaging.clone(),
        }
    }
}
