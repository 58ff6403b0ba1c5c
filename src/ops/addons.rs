//! What the add-ons of a spec are made of: rendered, or read from a manifest.

use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_api::kinds::Addon;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ClusterIdentity, ErrorClass, ProviderError};

use super::bundles::permanent;
use crate::addons::{self, Object};
use crate::cluster::AddonObjects;
use crate::model::{self, AddonSource, Blueprint, addon_settings};
use crate::spec::{Location, ValidSpec};

/// Reads manifests.
#[async_trait]
pub trait ManifestReader: Send + Sync {
    /// The manifest at `location`.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn read(&self, location: &Location) -> Result<Vec<u8>, ProviderError>;
}

/// The add-ons that a spec asks for.
pub struct SpecAddons {
    spec: ValidSpec,
    manifests: Arc<dyn ManifestReader>,
}

impl SpecAddons {
    /// The add-ons of `spec`; manifests come from `manifests`.
    pub fn new(spec: ValidSpec, manifests: Arc<dyn ManifestReader>) -> Self {
        Self { spec, manifests }
    }
}

#[async_trait]
impl AddonObjects for SpecAddons {
    async fn objects(
        &self,
        _cluster: &ClusterIdentity,
        name: &str,
        wanted: &Addon,
    ) -> Result<Vec<Object>, ProviderError> {
        let changed = || {
            let message = format!("addon/{name} is not what the spec asks for any more");
            ProviderError::new(ErrorClass::Permanent, message)
                .with_help("plan again: the spec has changed since")
        };
        let addons = model::addons(&self.spec);
        let addon = addons
            .iter()
            .find(|addon| addon.name == name)
            .ok_or_else(changed)?;
        // Not held while a manifest is read.
        let settings = addon_settings(&Blueprint::of(&self.spec));
        let asked = addon.resource(&settings).map_err(|error| permanent(&error))?;
        if asked != *wanted {
            return Err(changed());
        }
        match &addon.source {
            AddonSource::BuiltIn => {
                let rendered = addons::render(name, &settings).map_err(|error| permanent(&error))?;
                rendered.ok_or_else(changed)
            }
            AddonSource::Manifest { location, sha256 } => {
                let bytes = self.manifests.read(location).await?;
                check(name, location, *sha256, &bytes)?;
                read(name, location, &bytes)
            }
        }
    }
}

/// Refuses a manifest that is not the one that was meant.
fn check(name: &str, location: &Location, sha256: Option<Digest>, bytes: &[u8]) -> Result<(), ProviderError> {
    let found = Digest::of_bytes(bytes);
    match sha256 {
        Some(wanted) if wanted != found => {
            let message = format!(
                "the manifest of addon/{name}, {location}, is not the one that was meant: its digest is {found}, not {wanted}"
            );
            let help = match location {
                Location::Url(_) => {
                    "what is served there has changed: look at it, then name its new digest in `sha256`"
                }
                Location::Path(_) => "the file has changed since the plan was made: plan again",
            };
            Err(ProviderError::new(ErrorClass::Permanent, message).with_help(help))
        }
        _ => Ok(()),
    }
}

fn read(name: &str, location: &Location, bytes: &[u8]) -> Result<Vec<Object>, ProviderError> {
    let unreadable = |problem: &dyn std::fmt::Display| {
        let message = format!("the manifest of addon/{name}, {location}, cannot be used: {problem}");
        ProviderError::new(ErrorClass::Permanent, message)
    };
    let text = std::str::from_utf8(bytes).map_err(|problem| unreadable(&problem))?;
    addons::parse(text).map_err(|problem| unreadable(&problem))
}
