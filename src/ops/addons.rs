//! What the add-ons of a spec are made of: rendered, or read from a manifest.

use std::sync::Arc;

use async_trait::async_trait;
use keelson_provider_api::kinds::Addon;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Clock, ClusterIdentity, ErrorClass, Kubelets, ProviderError, ReachApi};

use super::authorities::Authorities;
use super::bundles::permanent;
use super::credentials::AuthorityCredentials;
use crate::addons::{self, Object};
use crate::cluster::{AddonObjects, ClusterParts, ClusterProvider};
use crate::model::{self, AddonBlueprint, AddonSource, Blueprint, addon_settings};
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

/// The provider of a cluster's nodes and add-ons: those of `spec`, with manifests from `manifests`, through API servers that
/// `reach` leads to, in the name of a user that `authorities` vouch for.
pub fn cluster_provider(
    spec: ValidSpec,
    authorities: Authorities,
    manifests: Arc<dyn ManifestReader>,
    reach: Arc<dyn ReachApi>,
    kubelets: Arc<dyn Kubelets>,
    clock: Arc<dyn Clock>,
) -> ClusterProvider {
    ClusterProvider::new(ClusterParts {
        reach,
        kubelets,
        credentials: Arc::new(AuthorityCredentials::new(authorities)),
        addons: Arc::new(SpecAddons::new(spec, manifests)),
        clock,
    })
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
                objects_of(name, location, *sha256, &bytes)
            }
        }
    }
}

/// A manifest that lies in a file.
#[derive(Debug, Clone)]
pub struct ManifestFile {
    /// The add-on that it is of.
    name: String,
    /// Where it is, as the spec says it.
    pub path: String,
    sha256: Option<Digest>,
}

/// The manifests of `spec` that lie in files.
pub fn manifest_files(spec: &ValidSpec) -> Vec<ManifestFile> {
    let addons = model::addons(spec).into_iter();
    let file = |addon: AddonBlueprint| match addon.source {
        AddonSource::Manifest {
            location: Location::Path(path),
            sha256,
        } => Some(ManifestFile {
            name: addon.name,
            path,
            sha256,
        }),
        _ => None,
    };
    addons.filter_map(file).collect()
}

impl ManifestFile {
    /// Makes sure that `content`, which was read from it, can be applied.
    ///
    /// # Errors
    /// As those of an apply that comes to it: when it is not the one that is meant, or is no manifest.
    pub fn check(&self, content: &[u8]) -> Result<(), ProviderError> {
        let location = Location::Path(self.path.clone());
        objects_of(&self.name, &location, self.sha256, content)?;
        Ok(())
    }
}

fn objects_of(
    name: &str,
    location: &Location,
    sha256: Option<Digest>,
    content: &[u8],
) -> Result<Vec<Object>, ProviderError> {
    check(name, location, sha256, content)?;
    read(name, location, content)
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
            .with_help("mend it and see what kubectl says of it: `kubectl apply --dry-run=client -f FILE`")
    };
    let text = std::str::from_utf8(bytes).map_err(|problem| unreadable(&problem))?;
    addons::parse(text).map_err(|problem| unreadable(&problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::load;

    const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";

    /// Serves the same whatever is asked for.
    struct Serves(&'static str);

    #[async_trait]
    impl ManifestReader for Serves {
        async fn read(&self, _: &Location) -> Result<Vec<u8>, ProviderError> {
            Ok(self.0.as_bytes().to_vec())
        }
    }

    fn spec() -> ValidSpec {
        let digest = Digest::of_bytes(MANIFEST.as_bytes());
        let text = format!(
            "apiVersion: keelson.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: a }}\nspec:\n  provider: {{ simulated: \
             {{}} }}\n  addons: [{{ name: mine, manifest: \"https://example.com/m.yaml\", sha256: \"{digest}\" }}]\n"
        );
        load(text.as_bytes(), "test").unwrap()
    }

    fn wanted(name: &str) -> Addon {
        let spec = spec();
        let settings = addon_settings(&Blueprint::of(&spec));
        let addons = model::addons(&spec);
        let addon = addons.iter().find(|addon| addon.name == name).unwrap();
        addon.resource(&settings).unwrap()
    }

    fn objects(serves: &'static str, name: &str, wanted: &Addon) -> Result<Vec<Object>, ProviderError> {
        let source = SpecAddons::new(spec(), Arc::new(Serves(serves)));
        let identity = ClusterIdentity {
            name: "a".parse().unwrap(),
            uid: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(source.objects(&identity, name, wanted))
    }

    #[test]
    fn what_is_yielded_is_what_the_plan_names() {
        let built_in = wanted("coredns");
        let rendered = objects(MANIFEST, "coredns", &built_in).unwrap();
        assert!(
            rendered
                .iter()
                .any(|object| object.id().to_string() == "Deployment kube-system/coredns")
        );
        let read = objects(MANIFEST, "mine", &wanted("mine")).unwrap();
        assert_eq!(read, addons::parse(MANIFEST).unwrap());
    }

    #[test]
    fn what_is_not_what_the_plan_names_is_refused() {
        let other = Addon {
            digest: Digest::of_bytes(b"another plan"),
            ..wanted("coredns")
        };
        let error = objects(MANIFEST, "coredns", &other).unwrap_err();
        assert_eq!(
            error.message,
            "addon/coredns is not what the spec asks for any more"
        );
        let error = objects("kind: Changed", "mine", &wanted("mine")).unwrap_err();
        assert!(error.message.contains("is not the one that was meant"), "{error}");
        assert!(objects(MANIFEST, "nobody", &other).is_err());
    }
}
