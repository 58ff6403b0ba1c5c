//! Add-ons.

use crate::values::Digest;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// A set of Kubernetes objects that keelson applies and prunes as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addon {
    /// Where the manifest comes from: `built-in`, a path, or a URL.
    pub source: String,

    /// The digest of what is applied.
    pub digest: Digest,
}

impl Addon {
    /// The [`source`](Self::source) of an add-on that keelson brings with it.
    pub const BUILT_IN: &'static str = "built-in";
}

impl Catalogued for Addon {
    const SUMMARY: &'static str = "A set of Kubernetes objects that keelson applies and prunes as one.";
    const LIFETIME: Lifetime = Lifetime::Cluster;
    const FIELDS: &'static [Field] = &[
        Field::new("source", Effect::InPlace),
        Field::new("digest", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl Addon {
    pub(super) fn sample() -> Self {
        Self {
            source: "built-in".to_owned(),
            digest: Digest::of_bytes(b""),
        }
    }
}
