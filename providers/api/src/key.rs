//! What a resource is called inside one cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kinds::{EtcdMember, Kind};
use crate::values::InvalidText;

/// A resource's kind and its name among its kind, written `kind/name`, for example `machine/control-plane-1`.
///
/// Keys order by kind first, in the order of [`crate::kinds::KINDS`]: from the ground up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    kind: Kind,
    name: String,
}

impl ResourceKey {
    /// The key of the resource `name` of `kind`.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name among its kind.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The etcd cluster of a member; nothing for anything else.
    pub fn etcd_cluster(&self) -> Option<&str> {
        match self.kind {
            Kind::EtcdMember => EtcdMember::parse_name(&self.name).map(|(cluster, _)| cluster),
            _ => None,
        }
    }

    /// The machine that whatever has this key lives on: nothing for a machine itself, and for what lives on none.
    pub fn host(&self) -> Option<&str> {
        match self.kind {
            Kind::EtcdMember => EtcdMember::parse_name(&self.name).map(|(_, machine)| machine),
            Kind::NodeBundle | Kind::ControlPlane | Kind::Node => Some(&self.name),
            _ => None,
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for ResourceKey {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            InvalidText(format!(
                "`{}` is not a key of the form kind/name",
                text.escape_debug()
            ))
        };
        let (kind, name) = text.split_once('/').ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        let kind = Kind::from_name(kind)
            .ok_or_else(|| InvalidText(format!("`{}` is not a kind of resource", kind.escape_debug())))?;
        Ok(Self::new(kind, name))
    }
}

impl Serialize for ResourceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
