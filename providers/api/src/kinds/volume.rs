//! Volumes.

use crate::values::Quantity;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// A volume for the etcd data of one machine. It is attached to the machine of the moment and outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// The name of the machine that it is kept for.
    pub machine: String,

    /// The zone that it is in; only machines there can have it.
    pub zone: String,

    /// Its size, in whole gibibytes. A volume can grow and never shrink
    /// (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modify-volume.html>).
    pub size: Quantity,

    /// True where the cloud encrypts it.
    pub encrypted: bool,

    /// The key that it is encrypted with; `None` for the cloud's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

impl Catalogued for Volume {
    const SUMMARY: &'static str = "A volume for the etcd data of one machine, which outlives the machine.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("machine", Effect::Immutable),
        Field::new("zone", Effect::Replace),
        Field::new("size", Effect::InPlace),
        Field::new("encrypted", Effect::Replace),
        Field::new("kmsKey", Effect::Replace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }

    fn kept_for(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl Volume {
    pub(super) fn sample() -> Self {
        Self {
            machine: "a".to_owned(),
            zone: "a".to_owned(),
            size: Quantity::from_gibibytes(20),
            encrypted: true,
            kms_key: Some("alias/etcd".to_owned()),
        }
    }
}
