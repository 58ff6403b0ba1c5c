//! What a cluster's own controllers made.

use std::fmt;

use crate::values::Quantity;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Lifetime};
use crate::key::ResourceKey;

/// Something in the cloud that a controller of the cluster made by itself, for a Service or for a claim of a volume, under the
/// name that the cloud has for it.
///
/// Nobody wants one, and while the cluster lives nobody asks for any: they are its users' business. At the cluster's end there is
/// nobody left who would take them away, so they go with it, after whatever could make them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leftover {
    /// What it is.
    pub sort: LeftoverSort,

    /// What in the cluster it was made for, as far as its tags say, for example `Service shop/front`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_for: Option<String>,

    /// How much it holds, where it holds data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Quantity>,
}

/// What a controller makes. They order as they are taken away where one needs another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftoverSort {
    /// A load balancer, with its listeners.
    LoadBalancer,
    /// What a load balancer forwards to.
    TargetGroup,
    /// Who may reach a load balancer, or be reached from it.
    SecurityGroup,
    /// A volume, with its data.
    Volume,
    /// A snapshot of a volume, with its data.
    Snapshot,
}

impl LeftoverSort {
    /// True for what pods have kept data on.
    pub fn holds_data(self) -> bool {
        matches!(self, Self::Volume | Self::Snapshot)
    }
}

impl fmt::Display for LeftoverSort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LoadBalancer => "load balancer",
            Self::TargetGroup => "target group",
            Self::SecurityGroup => "security group",
            Self::Volume => "volume",
            Self::Snapshot => "snapshot",
        })
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sort.fmt(formatter)?;
        if let Some(size) = &self.size {
            write!(formatter, " of {size}")?;
        }
        match &self.made_for {
            Some(made_for) => write!(formatter, ", made for {made_for}"),
            None => Ok(()),
        }
    }
}

impl Catalogued for Leftover {
    const SUMMARY: &'static str =
        "What a controller of the cluster made by itself, and goes at the cluster's end.";
    const LIFETIME: Lifetime = Lifetime::Archive;
    // Nobody wants one, so nobody changes one.
    const FIELDS: &'static [Field] = &[
        Field::new("sort", Effect::Immutable),
        Field::new("madeFor", Effect::Immutable),
        Field::new("size", Effect::Immutable),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl Leftover {
    pub(super) fn sample() -> Self {
        Self {
            sort: LeftoverSort::Volume,
            made_for: Some("PersistentVolumeClaim shop/data".to_owned()),
            size: Some(Quantity::from_gibibytes(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_is_told_with_what_it_was_made_for() {
        let whole = Leftover::sample();
        assert_eq!(
            whole.to_string(),
            "volume of 20Gi, made for PersistentVolumeClaim shop/data"
        );
        let bare = Leftover {
            sort: LeftoverSort::TargetGroup,
            made_for: None,
            size: None,
        };
        assert_eq!(bare.to_string(), "target group");
    }
}
