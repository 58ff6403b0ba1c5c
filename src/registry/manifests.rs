//! Where manifests come from.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use keelson_provider_api::{ErrorClass, ProviderError, whole_file};

use crate::assets::Fetcher;
use crate::ops::ManifestReader;
use crate::spec::Location;

/// The largest manifest: everything that Kubernetes takes is smaller by far.
const LIMIT_BYTES: usize = 32 << 20;

/// Reads manifests from files and over HTTP.
pub struct Manifests {
    base_directory: PathBuf,
    fetcher: Fetcher,
}

impl Manifests {
    /// Manifests whose relative paths are relative to `base_directory`; URLs are read with `fetcher`.
    pub fn new(base_directory: &Path, fetcher: Fetcher) -> Self {
        Self {
            base_directory: base_directory.to_owned(),
            fetcher,
        }
    }
}

#[async_trait]
impl ManifestReader for Manifests {
    async fn read(&self, location: &Location) -> Result<Vec<u8>, ProviderError> {
        let permanent = |problem: String| ProviderError::new(ErrorClass::Permanent, problem);
        match location {
            Location::Path(path) => {
                let path = super::beside(&self.base_directory, path);
                read(&path).map_err(|error| permanent(format!("cannot read {}: {error}", path.display())))
            }
            Location::Url(url) => {
                let read = self.fetcher.bytes(url.as_str(), LIMIT_BYTES).await;
                let read =
                    read.map_err(|error| ProviderError::new(ErrorClass::Transient, error.to_string()))?;
                read.ok_or_else(|| permanent(format!("there is nothing at {url}")))
            }
        }
    }
}

/// Reads a file that is no larger than a manifest may be.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    whole_file::check_kind(path)?;
    let bytes = std::fs::metadata(path)?.len();
    if bytes > LIMIT_BYTES as u64 {
        let problem = format!("it is larger than {LIMIT_BYTES} bytes");
        return Err(std::io::Error::other(problem));
    }
    std::fs::read(path)
}
