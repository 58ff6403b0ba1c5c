//! What the planner is told of nodes: pure, from what machines have written down and what the API has.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node as NodeObject;
use keelson_provider_api::kinds::Node;
use keelson_provider_api::{
    ClusterIdentity, Existing, Health, Joined, Kind, KindObservation, Observed, Owner, ProviderError,
    ResourceKey,
};
use kube::ResourceExt as _;

use super::heartbeats::Heartbeats;
use super::is_barred;
use super::marks::{self, Mark};
use crate::cluster::ready;

/// What the API knows of nodes.
#[derive(Debug, Clone, Default)]
pub(in crate::cluster) struct Seen {
    /// The Node objects, by name.
    pub(in crate::cluster) objects: BTreeMap<String, NodeObject>,
    /// When their kubelets were last heard of.
    pub(in crate::cluster) heartbeats: Heartbeats,
}

impl Seen {
    /// Those of `names` that are Ready by their own words, and whose kubelets have been silent since for too long.
    pub(in crate::cluster) fn silent(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        let is_silent = |name: &&String| {
            let object = self.objects.get(*name);
            object.is_some_and(|object| self.heartbeats.silence(object).is_some())
        };
        names.iter().filter(is_silent).cloned().collect()
    }
}

/// What machines and API tell of nodes: of `wanted`, and of every other one of this cluster.
pub(in crate::cluster) fn observe(
    cluster: &ClusterIdentity,
    wanted: &BTreeSet<String>,
    joined: &BTreeMap<String, Observed<Joined>>,
    in_api: &Result<Seen, ProviderError>,
    now: Timestamp,
) -> KindObservation {
    let nothing = Seen::default();
    let (Seen { objects, heartbeats }, silence) = match in_api {
        Ok(seen) => (seen, None),
        Err(error) => (&nothing, Some(error.to_string())),
    };
    let mut names: BTreeSet<&String> = wanted.iter().chain(joined.keys()).collect();
    names.extend(objects.keys());
    let mut seen = KindObservation::default();
    for name in names {
        let look = Look {
            object: objects.get(name),
            heartbeats,
            silence: silence.as_deref(),
            is_wanted: wanted.contains(name),
            cluster,
            now,
        };
        let observed = match joined.get(name) {
            Some(Observed::Present(joined)) => look.of_machine(joined),
            Some(Observed::Unknown(why)) => look.of_object(Some(why)),
            Some(Observed::Absent) | None => look.of_object(None),
        };
        if let Some(observed) = observed {
            seen.found
                .insert(ResourceKey::new(Kind::Node, name.as_str()), observed);
        }
    }
    seen
}

/// One name, and what is known of it.
struct Look<'a> {
    object: Option<&'a NodeObject>,
    heartbeats: &'a Heartbeats,
    /// Why the API says nothing, if it does not.
    silence: Option<&'a str>,
    is_wanted: bool,
    cluster: &'a ClusterIdentity,
    now: Timestamp,
}

impl Look<'_> {
    /// A node whose machine says that it is one.
    fn of_machine(&self, joined: &Joined) -> Option<Observed<Existing>> {
        if joined.owner != Owner::ThisCluster && !self.is_wanted {
            return None;
        }
        let own_words = joined.kubelet.trouble().map(|why| format!("its kubelet: {why}"));
        let unmarked = || Node {
            machine: joined.node.machine.clone(),
            group: String::new(),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        };
        let (resource, health) = match (self.silence, self.object) {
            (Some(silence), _) => (
                joined.node.clone(),
                Health::Unhealthy(format!("the API says nothing of it: {silence}")),
            ),
            (None, Some(_)) if is_barred(joined) => (
                unmarked(),
                Health::Unhealthy("its kubelet has no certificate any more".to_owned()),
            ),
            (None, Some(object)) => (marks::read(object), self.health(object)),
            (None, None) => (
                unmarked(),
                Health::Unhealthy("its kubelet has not registered".to_owned()),
            ),
        };
        let health = match (health, own_words) {
            (Health::Unhealthy(why), Some(words)) => Health::Unhealthy(format!("{why}; {words}")),
            (health, _) => health,
        };
        Some(Observed::Present(Existing {
            resource: resource.into(),
            id: id(&joined.node.machine, joined.generation),
            owner: joined.owner.clone(),
            health,
            created_at: joined.joined_at,
            generation: joined.generation,
            host_id: Some(joined.machine_id.clone()),
            facts: self.object.map(ready::facts).unwrap_or_default(),
        }))
    }

    fn health(&self, object: &NodeObject) -> Health {
        ready::health(object, self.heartbeats.silence(object))
    }

    /// A node of which only the API tells: its machine does not answer, or is no node of this cluster any more.
    fn of_object(&self, unknown: Option<&String>) -> Option<Observed<Existing>> {
        let own = self.object.and_then(|object| {
            let mark = Mark::of(object)?;
            let uid = self.cluster.uid.as_ref()?;
            (mark.cluster_uid == uid.as_str()).then_some((object, mark))
        });
        match (own, unknown) {
            // It is made anew.
            (_, None) if self.is_wanted => Some(Observed::Absent),
            (Some((object, mark)), _) => Some(Observed::Present(self.left_over(object, mark, unknown))),
            (None, Some(why)) if self.is_wanted => Some(Observed::Unknown(why.clone())),
            (None, _) => None,
        }
    }

    fn left_over(&self, object: &NodeObject, mark: Mark, unknown: Option<&String>) -> Existing {
        let created = object.metadata.creation_timestamp.as_ref();
        let health = match unknown {
            // Nobody but its group knows its machine.
            None if marks::has_joined_by_itself(object) => self.health(object),
            Some(_) => self.health(object),
            None => Health::Unhealthy("its machine is no node of this cluster any more".to_owned()),
        };
        let mut facts = ready::facts(object);
        if let Some(why) = unknown {
            facts.insert("machine".to_owned(), why.clone());
        }
        let name = object.name_any();
        Existing {
            resource: marks::read(object).into(),
            id: id(&name, mark.generation),
            owner: Owner::ThisCluster,
            health,
            created_at: created.map_or(self.now, |created| created.0),
            generation: mark.generation,
            host_id: mark.machine_id,
            facts,
        }
    }
}

/// Another incarnation of a node has another id.
fn id(name: &str, generation: u32) -> String {
    format!("{name}:{generation}")
}
