//! Where a spec's release files come from.

use std::path::Path;
use std::sync::Arc;

use keelson_provider_api::clock::SystemClock;

use super::ConnectError;
use crate::assets::{Fetcher, Known, Origin, resolve};
use crate::node::AssetIndex;
use crate::ops::release_files;
use crate::spec::{HttpUrl, Location, ValidSpec};

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
    let assets = &spec.spec().assets;
    let proxy = assets.proxy.as_ref().map(HttpUrl::as_str);
    let fetcher = Fetcher::new(proxy, Arc::new(SystemClock))?;
    let origin = match &assets.files {
        None => Origin::Upstream,
        Some(Location::Url(url)) => Origin::Mirror(url.as_str().trim_end_matches('/').to_owned()),
        Some(Location::Path(path)) => Origin::Folder(base_directory.join(path)),
    };
    let files = resolve(&origin, &release_files(spec), known, &fetcher).await?;
    Ok(FoundAssets {
        index: AssetIndex::Resolved(files),
        fetcher,
    })
}
