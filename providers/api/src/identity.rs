//! Which cluster a thing belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::{ClusterName, Digest};

/// One life of a cluster. A cluster that is destroyed and made again under the same name has another uid, so that
/// left-overs of the first are never taken for parts of the second.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterUid(String);

impl ClusterUid {
    /// A uid from a text of the caller's choice; what matters is that no two lives share it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The uid as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterUid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A cluster's name, and its uid once the first apply has given it one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterIdentity {
    /// The name in the spec.
    pub name: ClusterName,
    /// The life of the cluster; `None` before the first apply, when nothing can be owned yet.
    pub uid: Option<ClusterUid>,
}

impl ClusterIdentity {
    /// The idempotency token of one incarnation of a resource: the same for every attempt at the same create, and
    /// another for every other create. Derived from cluster uid, key and generation, so that a later run of
    /// keelson, which remembers nothing, presents the same token for a create that may have happened.
    pub fn token(&self, key: &crate::ResourceKey, generation: u32) -> String {
        let uid = self.uid.as_ref().map_or("", ClusterUid::as_str);
        Digest::of_bytes(format!("{}\n{uid}\n{key}\n{generation}", self.name).as_bytes()).short(32)
    }
}

/// To whom something in the world belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// This cluster made it, in this life.
    ThisCluster,
    /// Something else made it; the text says what is known, for a person.
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, ResourceKey};

    #[test]
    fn tokens_differ_by_life_key_and_generation() {
        let identity = |uid: &str| ClusterIdentity {
            name: "prod".parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        };
        let machine = ResourceKey::new(Kind::Machine, "a");
        let token = identity("one").token(&machine, 0);
        assert_eq!(
            token,
            identity("one").token(&machine, 0),
            "the same create has the same token"
        );
        assert_ne!(token, identity("two").token(&machine, 0), "another life");
        assert_ne!(token, identity("one").token(&machine, 1), "another generation");
        assert_ne!(
            token,
            identity("one").token(&ResourceKey::new(Kind::Node, "a"), 0),
            "another key"
        );
    }
}
