//! Where a spec's release files come from.

use std::path::Path;
use std::sync::Arc;

use keelson_provider_api::clock::SystemClock;

use super::{ConnectError, ConnectOptions, state_store};
use crate::assets::{Fetcher, Known, Origin, resolve, resolve_offline};
use crate::node::AssetIndex;
use crate::ops::{pinned_assets, release_files};
use crate::spec::{HttpUrl, Location, ValidSpec};
use crate::store::DirectoryStore;

/// The release files that a spec's machines need, and who reads them.
pub struct FoundAssets {
    /// The files.
    pub index: AssetIndex,
    /// Reads them.
    pub fetcher: Fetcher,
}

/// Finds the release files that the machines of `spec` need: upstream, or in `assets.files`. `base_directory` is what
/// relative paths in the spec are relative to; digests that are `known` are not looked for again.
///
/// # Errors
/// [`ConnectError::Assets`], with the place that was looked at.
pub async fn find_assets(
    spec: &ValidSpec,
    base_directory: &Path,
    known: &Known,
) -> Result<FoundAssets, ConnectError> {
    let fetcher = fetcher(spec)?;
    let origin = origin(spec, base_directory);
    let files = resolve(&origin, &release_files(spec), known, &fetcher).await?;
    Ok(FoundAssets {
        index: AssetIndex::Resolved(files),
        fetcher,
    })
}

/// The same without a network: digests are those that the last apply went by, where the state lies in a directory, those in a
/// folder that `assets.files` names, or [`UNKNOWN_DIGEST`](crate::node::UNKNOWN_DIGEST).
///
/// # Errors
/// [`ConnectError::Assets`] when a folder has not what it should have, [`ConnectError::Store`].
pub async fn find_assets_offline(
    spec: &ValidSpec,
    base_directory: &Path,
) -> Result<AssetIndex, ConnectError> {
    let known = known_assets_here(spec, base_directory).await?;
    let files = resolve_offline(&origin(spec, base_directory), &release_files(spec), &known)?;
    Ok(AssetIndex::Resolved(files))
}

/// The same for whoever installs nothing: digests are those that are `known`, and nothing is looked for.
#[cfg(feature = "ssh")]
pub(super) fn known_files(spec: &ValidSpec, base_directory: &Path, known: &Known) -> AssetIndex {
    AssetIndex::Resolved(crate::assets::resolve_known(
        &origin(spec, base_directory),
        &release_files(spec),
        known,
    ))
}

/// The digests that the last apply went by; none before the first, and none where the state is kept in a place that this
/// build does not know.
///
/// # Errors
/// [`ConnectError::Store`], [`ConnectError::StateStore`].
pub async fn known_assets(spec: &ValidSpec, options: &ConnectOptions) -> Result<Known, ConnectError> {
    match state_store::open(spec, options).await {
        Ok(store) => Ok(pinned_assets(store.as_ref(), spec.name()).await?),
        Err(ConnectError::NoStore(_) | ConnectError::WorldNeedsDirectory(_)) => Ok(Known::new()),
        Err(other) => Err(other),
    }
}

/// The same without a network: none where the state is kept in a bucket.
async fn known_assets_here(spec: &ValidSpec, base_directory: &Path) -> Result<Known, ConnectError> {
    let Ok(directory) = state_store::directory(spec, base_directory) else {
        return Ok(Known::new());
    };
    Ok(pinned_assets(&DirectoryStore::new(directory), spec.name()).await?)
}

/// Reads files for `spec`: through its proxy, where it names one, but from the hosts that it excepts.
///
/// # Errors
/// [`ConnectError::Assets`] when the system has no trusted authorities.
pub(super) fn fetcher(spec: &ValidSpec) -> Result<Fetcher, ConnectError> {
    let assets = &spec.spec().assets;
    let proxy = assets.proxy.as_ref().map(HttpUrl::as_str);
    Ok(Fetcher::new(proxy, &assets.no_proxy, Arc::new(SystemClock))?)
}

fn origin(spec: &ValidSpec, base_directory: &Path) -> Origin {
    match &spec.spec().assets.files {
        None => Origin::Upstream,
        Some(Location::Url(url)) => Origin::Mirror(url.as_str().trim_end_matches('/').to_owned()),
        Some(Location::Path(path)) => Origin::Folder(super::beside(base_directory, path)),
    }
}
