//! A spec that passed every check.

use std::fmt;
use std::net::IpAddr;

use keelson_provider_api::values::{ClusterName, Digest};

use super::errors::{Labels, SpecError};
use super::text::Location;
use super::types::{Addon, Cluster, ClusterSpec, EtcdPlacement, Plugin};

/// A spec that passed every check, with all defaults filled in. Only [`load`](super::load) makes one.
#[derive(Debug, Clone)]
pub struct ValidSpec {
    cluster: Cluster,
    warnings: SpecWarnings,
    /// The text of the file that `api.oidc.ca` names, once it was read.
    oidc_authority: Option<String>,
    /// The digest of the file that `etcd.placement.external.ca` names, once it was read.
    etcd_authority: Option<Digest>,
}

/// What is allowed in a spec but probably not meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SpecWarnings {
    /// Where the spec came from.
    pub origin: String,
    /// The warnings, sorted by position.
    pub warnings: Vec<SpecError>,
}

impl ValidSpec {
    pub(super) fn new(cluster: Cluster, warnings: SpecWarnings) -> Self {
        Self {
            cluster,
            warnings,
            oidc_authority: None,
            etcd_authority: None,
        }
    }

    /// The cluster's name.
    pub fn name(&self) -> &ClusterName {
        &self.cluster.metadata.name
    }

    /// What the cluster is to be. Filled in are: `etcd.version`, `control_plane.taints`, and with bare hosts the node
    /// groups and all numbers of replicas.
    pub fn spec(&self) -> &ClusterSpec {
        &self.cluster.spec
    }

    /// The whole document.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What is allowed but probably not meant; for the user's eyes, on stderr.
    pub fn warnings(&self) -> &SpecWarnings {
        &self.warnings
    }

    /// The same spec with the digest of every manifest that lies in a file and has none in the spec, so that a change of
    /// the file is a change of the spec. `digest_of` reads a path.
    ///
    /// # Errors
    /// Those of `digest_of`.
    pub fn with_manifest_digests<E>(
        mut self,
        mut digest_of: impl FnMut(&str) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        let spec = &mut self.cluster.spec;
        let plugin = match &mut spec.network.plugin {
            Plugin::Custom(plugin) => Some((&plugin.manifest, &mut plugin.sha256)),
            Plugin::Routed => None,
        };
        let addons = spec.addons.iter_mut().filter_map(|addon| match addon {
            Addon::Custom(custom) => Some((&custom.manifest, &mut custom.sha256)),
            Addon::BuiltIn(_) => None,
        });
        for (manifest, sha256) in plugin.into_iter().chain(addons) {
            if let (Location::Path(path), None) = (manifest, &sha256) {
                *sha256 = Some(digest_of(path)?);
            }
        }
        Ok(self)
    }

    /// The same spec with the text of the file that `api.oidc.ca` names, if it names one: API servers are given it. `read`
    /// reads a path.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn with_oidc_authority<E>(mut self, read: impl FnOnce(&str) -> Result<String, E>) -> Result<Self, E> {
        let oidc = self.cluster.spec.api.oidc.as_ref();
        if let Some(path) = oidc.and_then(|oidc| oidc.ca.as_deref()) {
            self.oidc_authority = Some(read(path)?);
        }
        Ok(self)
    }

    /// The certificates that vouch for the OpenID Connect provider, PEM, if they were read.
    pub fn oidc_authority(&self) -> Option<&str> {
        self.oidc_authority.as_deref()
    }

    /// The same spec with the digest of the file that `etcd.placement.external.ca` names, if it names one: API servers read
    /// whom they trust when they start. `digest_of` reads a path.
    ///
    /// # Errors
    /// Those of `digest_of`.
    pub fn with_etcd_authority<E>(
        mut self,
        digest_of: impl FnOnce(&str) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        if let EtcdPlacement::External(external) = &self.cluster.spec.etcd.placement {
            self.etcd_authority = Some(digest_of(&external.ca)?);
        }
        Ok(self)
    }

    /// The digest of what vouches for an etcd that someone else runs, if it was read.
    pub fn etcd_authority(&self) -> Option<Digest> {
        self.etcd_authority
    }

    /// The same spec with an address for a host that is `local`, runs a kubelet, and has no `privateAddress`: pods reach
    /// their node's kubelet and API server under it. `address` finds it.
    ///
    /// # Errors
    /// Those of `address`.
    pub fn with_local_address<E>(mut self, address: impl FnOnce() -> Result<IpAddr, E>) -> Result<Self, E> {
        if self.is_etcd_alone() {
            return Ok(self);
        }
        let mut hosts = self.cluster.spec.provider.hosts_mut().iter_mut();
        // There is at most one: it is alone.
        if let Some(host) = hosts.find(|host| host.is_local() && host.private_address.is_none()) {
            host.private_address = Some(address()?);
        }
        Ok(self)
    }

    /// The completed spec as YAML. Loading it again gives an equal value.
    pub fn to_yaml(&self) -> String {
        let options = serde_saphyr::ser_options! {
            // Block scalars fold long lines; a quoted text comes back exactly as it was.
            prefer_block_scalars: false,
        };
        // Every value of a spec has a YAML form: names are strings, numbers finite. JSON, which is YAML too, stands in.
        serde_saphyr::to_string_with_options(&self.cluster, options)
            .unwrap_or_else(|_| serde_json::to_string(&self.cluster).unwrap_or_default())
    }

    /// The digest of the completed spec: equal for specs that mean the same, however they are written.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&self.cluster)
    }
}

impl PartialEq for ValidSpec {
    /// Compares what is specified; neither warnings, which know lines of a file, nor what other files say count.
    fn eq(&self, other: &Self) -> bool {
        self.cluster == other.cluster
    }
}

impl std::ops::Deref for ValidSpec {
    type Target = ClusterSpec;

    fn deref(&self) -> &ClusterSpec {
        &self.cluster.spec
    }
}

impl SpecWarnings {
    /// The warnings as a reader sees them, each beginning with `labels`.
    pub fn labelled(&self, labels: &Labels) -> String {
        let written = self
            .warnings
            .iter()
            .map(|warning| warning.written(labels, &self.origin));
        written.collect()
    }
}

impl fmt::Display for SpecWarnings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.labelled(&Labels::plain("warning")))
    }
}
