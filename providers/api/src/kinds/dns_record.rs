//! DNS records.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// A name in a DNS zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsRecord {
    /// The zone, for example `example.com`.
    pub zone: String,

    /// The resource whose address the name stands for.
    pub target: ResourceKey,

    /// How long resolvers may remember it, in seconds.
    pub ttl_seconds: u32,
}

impl Catalogued for DnsRecord {
    const SUMMARY: &'static str = "A name in a DNS zone.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("zone", Effect::Immutable),
        Field::new("target", Effect::InPlace),
        Field::new("ttlSeconds", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![self.target.clone()]
    }
}

#[cfg(test)]
impl DnsRecord {
    pub(super) fn sample() -> Self {
        Self {
            zone: "example.com".to_owned(),
            target: ResourceKey::new(super::Kind::LoadBalancer, "api"),
            ttl_seconds: 60,
        }
    }
}
