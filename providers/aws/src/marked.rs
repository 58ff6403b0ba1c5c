//! From marks on things to what a cluster owns.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_aws_calls::mark::{self, Tags};
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Kind, KindObservation, Observed, Owner, Resource, ResourceKey,
};

/// Something that was seen in AWS.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// AWS's name for it.
    pub(crate) id: String,
    /// Its tags.
    pub(crate) tags: Tags,
    /// What it is, in the catalogue's terms; or why that cannot be said.
    pub(crate) resource: Result<Resource, String>,
    /// How it is doing.
    pub(crate) health: Health,
    /// When it was made, where AWS tells.
    pub(crate) created_at: Option<Timestamp>,
    /// Facts for people.
    pub(crate) facts: BTreeMap<String, String>,
}

/// The key that `tags` mark a thing of `cluster` with, and its generation; nothing for things of others, also of another life
/// of the same cluster.
pub(crate) fn key_of(cluster: &ClusterIdentity, tags: &Tags) -> Option<(ResourceKey, u32)> {
    let uid = cluster.uid.as_ref()?;
    let marked = mark::read(tags).filter(|marked| marked.cluster == uid.as_str())?;
    Some((marked.resource.parse().ok()?, marked.generation))
}

/// What `tags` say that a thing is in its cluster, whichever that is: a resource's key.
pub(crate) fn key_of_tags(tags: &Tags) -> Option<String> {
    mark::read(tags).map(|marked| marked.resource)
}

/// What a cluster calls things, by the ids that AWS calls them by.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The keys of things by their ids.
    keys: BTreeMap<String, String>,
}

impl Names {
    /// The names of things with these ids and tags.
    pub(crate) fn of<'a>(things: impl Iterator<Item = (&'a String, &'a Tags)>) -> Self {
        Self {
            keys: things
                .filter_map(|(id, tags)| Some((id.clone(), key_of_tags(tags)?)))
                .collect(),
        }
    }

    /// What the cluster calls the thing of `kind` with this id; the id itself where it is none of the cluster's.
    pub(crate) fn name_of(&self, kind: Kind, id: &str) -> String {
        let key = self.keys.get(id).and_then(|key| key.split_once('/'));
        key.filter(|(found, _)| *found == kind.name())
            .map_or(id, |(_, name)| name)
            .to_owned()
    }
}

/// What is observed of `kind`, of all that was seen.
///
/// Of two things with one key, which an answer that was lost can leave, the first by id counts; whoever creates or deletes
/// that key takes the other one away.
pub(crate) fn observation(cluster: &ClusterIdentity, kind: Kind, seen: Vec<Seen>) -> KindObservation {
    let mut of_key: BTreeMap<ResourceKey, (u32, Seen)> = BTreeMap::new();
    for thing in seen {
        let Some((key, generation)) = key_of(cluster, &thing.tags).filter(|(key, _)| key.kind() == kind)
        else {
            continue;
        };
        let is_first = of_key.get(&key).is_none_or(|(_, first)| thing.id < first.id);
        if is_first {
            of_key.insert(key, (generation, thing));
        }
    }
    let found = of_key
        .into_iter()
        .map(|(key, (generation, thing))| (key, observed(generation, thing)));
    KindObservation {
        found: found.collect(),
        ..KindObservation::default()
    }
}

fn observed(generation: u32, thing: Seen) -> Observed<Existing> {
    match thing.resource {
        Ok(resource) => Observed::Present(Existing {
            resource,
            id: thing.id,
            owner: Owner::ThisCluster,
            health: thing.health,
            created_at: thing.created_at.unwrap_or(Timestamp::UNIX_EPOCH),
            generation,
            host_id: None,
            facts: thing.facts,
        }),
        Err(why) => Observed::Unknown(format!("{}: {why}", thing.id)),
    }
}

#[cfg(test)]
mod tests {
    use keelson_provider_api::ClusterUid;
    use keelson_provider_api::kinds::Network;

    use super::*;

    fn cluster(uid: &str) -> ClusterIdentity {
        ClusterIdentity {
            name: "foo".parse().unwrap(),
            uid: Some(ClusterUid::new(uid)),
        }
    }

    fn seen(id: &str, uid: &str, key: &ResourceKey) -> Seen {
        let network = Network {
            region: "eu-west-1".to_owned(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            has_gateway: true,
        };
        Seen {
            id: id.to_owned(),
            tags: mark::mark(&cluster(uid), key, 0),
            resource: Ok(network.into()),
            health: Health::Healthy,
            created_at: None,
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_bears_the_mark_of_this_life_is_the_cluster_s() {
        let main = ResourceKey::new(Kind::Network, "main");
        let subnet = ResourceKey::new(Kind::Subnet, "a");
        let mut nameless = seen("vpc-5", "one", &main);
        nameless.tags.remove(mark::CLUSTER);
        let all = vec![
            seen("vpc-3", "one", &main),
            seen("vpc-2", "one", &main),
            seen("vpc-1", "two", &main),
            seen("vpc-0", "on", &main),
            seen("vpc-4", "one", &subnet),
            nameless,
        ];
        let found = observation(&cluster("one"), Kind::Network, all).found;
        let ids: Vec<_> = found
            .values()
            .map(|observed| match observed {
                Observed::Present(existing) => existing.id.as_str(),
                _ => "",
            })
            .collect();
        assert_eq!(ids, ["vpc-2"], "the first of two, and nothing of others");
    }

    #[test]
    fn before_its_first_apply_a_cluster_owns_nothing() {
        let unborn = ClusterIdentity {
            uid: None,
            ..cluster("one")
        };
        let main = ResourceKey::new(Kind::Network, "main");
        let mut found = seen("vpc-1", "", &main);
        found.tags.insert(mark::CLUSTER.to_owned(), String::new());
        assert!(observation(&unborn, Kind::Network, vec![found]).found.is_empty());
    }
}
