//! The release files of a cluster: which it needs, and the digests that were found for them once.

use std::collections::BTreeMap;

use keelson_provider_api::values::{ClusterName, Digest};
use keelson_provider_api::{Precondition, Store, StoreError};

use super::error::OperationError;
use super::session::Session;
use crate::model::{self, Blueprint};
use crate::node::{AssetIndex, ReleaseFile, UNKNOWN_DIGEST};
use crate::spec::ValidSpec;

/// Where the digests are kept.
pub(super) fn path(cluster: &ClusterName) -> String {
    format!("{cluster}/assets.json")
}

/// The release files that the machines of `spec` need.
pub fn release_files(spec: &ValidSpec) -> Vec<ReleaseFile> {
    model::release_files(&Blueprint::of(spec))
}

/// The digests that `cluster` was last applied with, by the path of the file.
///
/// # Errors
/// When the store cannot be read, or what it keeps is damaged.
pub async fn pinned_assets(
    store: &dyn Store,
    cluster: &ClusterName,
) -> Result<BTreeMap<String, Digest>, StoreError> {
    let path = path(cluster);
    let Some(object) = store.read(&path).await? else {
        return Ok(BTreeMap::new());
    };
    serde_json::from_slice(&object.content).map_err(|problem| StoreError::Damaged {
        path,
        location: store.location(),
        problem: problem.to_string(),
    })
}

impl Session {
    /// Keeps the digests of what is about to be installed, so that later plans do not depend on a mirror's mood.
    pub(super) async fn pin_assets(&self) -> Result<(), OperationError> {
        let AssetIndex::Resolved(files) = &self.parts.assets else {
            return Ok(());
        };
        let digests: BTreeMap<&String, Digest> = files
            .iter()
            .map(|(path, file)| (path, file.asset.sha256))
            .filter(|(_, digest)| *digest != UNKNOWN_DIGEST)
            .collect();
        // A map of texts always has a JSON form.
        let content = serde_json::to_vec_pretty(&digests).unwrap_or_default();
        let path = path(self.spec().name());
        self.store().write(&path, &content, Precondition::None).await?;
        Ok(())
    }
}
