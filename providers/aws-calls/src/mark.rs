//! Marks: the tags that say whose a thing is, and what it is in its cluster.
//!
//! They are part of every create call, so that nothing is ever there without them, and they are compared as a whole: nothing is
//! found by a part of a name.

use std::collections::BTreeMap;

use keelson_provider_api::{ClusterIdentity, ResourceKey};

/// The life of the cluster that a thing belongs to: its uid.
pub const CLUSTER: &str = "keelson.dev/cluster";
/// What the thing is in the cluster: a [`ResourceKey`].
pub const RESOURCE: &str = "keelson.dev/resource";
/// Which incarnation of its key it is.
pub const GENERATION: &str = "keelson.dev/generation";
/// What consoles show.
pub const NAME: &str = "Name";

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// The mark of `key` of `cluster`, in its incarnation `generation`.
///
/// Besides keelson's own tags: the name that consoles show, and those by which the parts of Kubernetes that know AWS find what
/// is theirs (`kubernetes.io/cluster/NAME`, `KubernetesCluster`; reference `kops.md`, 2).
pub fn mark(cluster: &ClusterIdentity, key: &ResourceKey, generation: u32) -> Tags {
    let uid = cluster.uid.as_ref().map_or("", |uid| uid.as_str());
    let name = cluster.name.as_str();
    Tags::from([
        (CLUSTER.to_owned(), uid.to_owned()),
        (RESOURCE.to_owned(), key.to_string()),
        (GENERATION.to_owned(), generation.to_string()),
        (NAME.to_owned(), format!("{name} {key}")),
        ("KubernetesCluster".to_owned(), name.to_owned()),
        (format!("kubernetes.io/cluster/{name}"), "owned".to_owned()),
    ])
}

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The life of the cluster.
    pub cluster: String,
    /// What it is there: a resource's key.
    pub resource: String,
    /// Which incarnation it is.
    pub generation: u32,
}

/// What `tags` say, if there is a mark among them.
pub fn read(tags: &Tags) -> Option<Marked> {
    Some(Marked {
        cluster: tags.get(CLUSTER)?.clone(),
        resource: tags.get(RESOURCE)?.clone(),
        generation: tags.get(GENERATION)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::{ClusterUid, Kind};

    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_made_and_nothing_else_is_one() {
        let cluster = ClusterIdentity {
            name: "prod.example.com".parse().unwrap(),
            uid: Some(ClusterUid::new("u1")),
        };
        let tags = mark(&cluster, &ResourceKey::new(Kind::Network, "main"), 2);
        let read_back = Marked {
            cluster: "u1".to_owned(),
            resource: "network/main".to_owned(),
            generation: 2,
        };
        assert_eq!(read(&tags), Some(read_back));
        for missing in [CLUSTER, RESOURCE, GENERATION] {
            let mut tags = tags.clone();
            tags.remove(missing);
            assert_eq!(read(&tags), None, "{missing}");
        }
    }
}
