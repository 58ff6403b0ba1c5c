//! Addons and mirrors.

use keelson_provider_api::values::{Digest, Name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::word_or_map::word_or_map;
use crate::spec::text::formats::{HostName, Registry};
use crate::spec::text::{HttpUrl, Location};

/// The addons that keelson brings with it.
pub const BUILT_IN_ADDONS: &[&str] = &["metrics-server"];

/// The addons that every cluster has, whether a spec names them or not.
pub const EVERY_CLUSTERS_ADDONS: &[&str] = &["cluster-access", "kube-proxy", "coredns"];

/// Something that is installed into the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addon {
    /// One that keelson brings with it: one of [`BUILT_IN_ADDONS`].
    BuiltIn(String),
    /// A manifest.
    Custom(CustomAddon),
}

impl Addon {
    /// The addon's name.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(name) => name,
            Self::Custom(custom) => custom.name.as_str(),
        }
    }
}

/// A manifest that is installed into the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomAddon {
    /// The addon's name, unique in the cluster. What it once installed and no longer contains is removed by it.
    #[schemars(example = &"ingress")]
    pub name: Name,
    /// The manifest, by URL or path. A relative path is relative to the spec's directory.
    pub manifest: Location,
    /// The SHA-256 digest of the manifest; required for a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

word_or_map!(Addon, CustomAddon, "the name of a built-in addon, or a map with name and manifest", {
    "enum": BUILT_IN_ADDONS,
}, {
    read: |word| BUILT_IN_ADDONS.contains(&word).then(|| Addon::BuiltIn(word.to_owned())),
    custom: Addon::Custom,
    write: |addon| match addon {
        Addon::BuiltIn(name) => Err(name),
        Addon::Custom(custom) => Ok(custom),
    },
});

/// Mirrors of what nodes download.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Assets {
    /// A mirror of release files: a URL, or a directory on the machine that runs keelson. What is upstream at
    /// `https://HOST/PATH` is there at `HOST/PATH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"https://mirror.example.com/keelson")]
    pub files: Option<Location>,
    /// The proxy that machines download through, `http://HOST:PORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"http://proxy.example.com:3128")]
    pub proxy: Option<HttpUrl>,
    /// Hosts that are downloaded from without the proxy, such as that of a mirror: a DNS name stands for the names below it,
    /// too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<HostName>", example = serde_json::json!(["mirror.example.com"]))]
    pub no_proxy: Vec<String>,
    /// A registry that takes the place of registry.k8s.io for every image that keelson names. Images of your own manifests
    /// are left as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Registry>")]
    pub registry: Option<String>,
    /// Lets nodes reach that registry without TLS.
    pub insecure_registry: bool,
}
