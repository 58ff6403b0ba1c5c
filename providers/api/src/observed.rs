//! What was seen of the world.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::identity::Owner;
use crate::key::ResourceKey;
use crate::kinds::{Kind, NodeGroup, Resource};
use crate::values::Digest;

/// What is known of something: it is there, it is surely not there, or nothing can be said.
///
/// Only `Absent` lets a create be planned; only `Present` and owned lets a delete be planned; `Unknown` blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed<T> {
    /// It is there, and this is what it is like.
    Present(T),
    /// It is surely not there.
    Absent,
    /// Nothing can be said, for this reason.
    Unknown(String),
}

/// How a thing that exists is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It does its work.
    Healthy,
    /// It exists and does not do its work, for this reason.
    Unhealthy(String),
    /// It runs, and does not do its work because others do not do theirs, for this reason: a member of etcd without a
    /// quorum. To take it down mends nothing.
    Stalled(String),
    /// It does its work, and something about it wants mending, for this reason: a member of etcd whose disk is almost full.
    /// What it takes part in counts on it.
    Impaired(String),
    /// What it held is lost, and nobody of those that it takes part with has it, for this reason: a member of an etcd of which no
    /// machine has any data. Nothing but the data of a snapshot brings it back.
    Lost(String),
}

impl Health {
    /// True for [`Health::Healthy`].
    pub fn is_healthy(&self) -> bool {
        matches!(self, Self::Healthy)
    }

    /// True for what does its work, well or not so well.
    pub fn serves(&self) -> bool {
        matches!(self, Self::Healthy | Self::Impaired(_))
    }

    /// What is wrong with it, if so.
    pub fn trouble(&self) -> Option<&str> {
        match self {
            Self::Healthy => None,
            Self::Unhealthy(reason) | Self::Stalled(reason) | Self::Impaired(reason) | Self::Lost(reason) => {
                Some(reason)
            }
        }
    }
}

/// A thing that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Existing {
    /// What it is, in the catalogue's terms.
    pub resource: Resource,
    /// The provider's own name for it, for example an instance id.
    pub id: String,
    /// To whom it belongs.
    pub owner: Owner,
    /// How it is doing.
    pub health: Health,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which incarnation of its key it is: 0 for the first, one more for each that replaced another.
    pub generation: u32,
    /// For a thing that lives on a machine: the id of the very machine it lives on, so that what is left of a
    /// machine that is gone is not taken for a part of the machine that came after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Facts for people, never for decisions: addresses, versions, revisions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

/// What a provider saw of one kind.
#[derive(Debug, Clone, Default)]
pub struct KindObservation {
    /// Everything of the kind that the cluster owns, and whatever holds a name that was asked for. A name that was
    /// asked for and is missing here is absent.
    pub found: BTreeMap<ResourceKey, Observed<Existing>>,
    /// The highest generation of each key that is gone by now and still remembered by the provider.
    pub retired_generations: BTreeMap<ResourceKey, u32>,
}

/// The world at one moment, as far as a cluster is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    taken_at: Timestamp,
    entries: BTreeMap<ResourceKey, Observed<Existing>>,
    /// Kinds that were looked at, and for those that could not be: why.
    kinds: BTreeMap<Kind, Observed<()>>,
    retired_generations: BTreeMap<ResourceKey, u32>,
}

impl Observation {
    /// An observation in which nothing has been looked at yet.
    pub fn new(taken_at: Timestamp) -> Self {
        Self {
            taken_at,
            entries: BTreeMap::new(),
            kinds: BTreeMap::new(),
            retired_generations: BTreeMap::new(),
        }
    }

    /// An observation in which everything was looked at and nothing was there.
    pub fn of_nothing(taken_at: Timestamp) -> Self {
        let mut observation = Self::new(taken_at);
        for info in crate::kinds::KINDS {
            observation.record(info.kind, KindObservation::default());
        }
        observation
    }

    /// Adds what was seen of `kind`.
    pub fn record(&mut self, kind: Kind, seen: KindObservation) {
        self.entries.extend(seen.found);
        self.retired_generations.extend(seen.retired_generations);
        self.kinds.insert(kind, Observed::Present(()));
    }

    /// Adds that `kind` could not be looked at.
    pub fn record_failure(&mut self, kind: Kind, reason: impl Into<String>) {
        self.kinds.insert(kind, Observed::Unknown(reason.into()));
    }

    /// When the world was looked at.
    pub fn taken_at(&self) -> Timestamp {
        self.taken_at
    }

    /// What is known of `key`.
    pub fn get(&self, key: &ResourceKey) -> Observed<&Existing> {
        match self.entries.get(key) {
            Some(Observed::Present(existing)) => Observed::Present(existing),
            Some(Observed::Unknown(reason)) => Observed::Unknown(reason.clone()),
            Some(Observed::Absent) => Observed::Absent,
            None => match self.kinds.get(&key.kind()) {
                Some(Observed::Present(())) => Observed::Absent,
                Some(Observed::Unknown(reason)) => Observed::Unknown(reason.clone()),
                Some(Observed::Absent) | None => {
                    Observed::Unknown(format!("{} was not looked at", key.kind()))
                }
            },
        }
    }

    /// The thing at `key`, if it is known to be there.
    pub fn present(&self, key: &ResourceKey) -> Option<&Existing> {
        match self.entries.get(key) {
            Some(Observed::Present(existing)) => Some(existing),
            _ => None,
        }
    }

    /// Every key that was seen, with what is known of it.
    pub fn entries(&self) -> impl Iterator<Item = (&ResourceKey, &Observed<Existing>)> {
        self.entries.iter()
    }

    /// Every thing that is known to be there and to belong to this cluster.
    pub fn owned(&self) -> impl Iterator<Item = (&ResourceKey, &Existing)> {
        self.entries.iter().filter_map(|(key, observed)| match observed {
            Observed::Present(existing) if existing.owner == Owner::ThisCluster => Some((key, existing)),
            _ => None,
        })
    }

    /// The things of `kind` that are known to be there and to belong to this cluster.
    pub fn owned_of(&self, kind: Kind) -> impl Iterator<Item = (&ResourceKey, &Existing)> {
        let from = ResourceKey::new(kind, "");
        self.entries
            .range(from..)
            .take_while(move |(key, _)| key.kind() == kind)
            .filter_map(|(key, observed)| match observed {
                Observed::Present(existing) if existing.owner == Owner::ThisCluster => Some((key, existing)),
                _ => None,
            })
    }

    /// Kinds that could not be looked at, with the reason.
    pub fn unknown_kinds(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.kinds.iter().filter_map(|(&kind, observed)| match observed {
            Observed::Unknown(reason) => Some((kind, reason.as_str())),
            _ => None,
        })
    }

    /// The generation that a new incarnation of `key` has: above every one that is, or is remembered.
    pub fn next_generation(&self, key: &ResourceKey) -> u32 {
        let retired = self
            .retired_generations
            .get(key)
            .map_or(0, |generation| generation.saturating_add(1));
        let present = self
            .present(key)
            .map_or(0, |existing| existing.generation.saturating_add(1));
        retired.max(present)
    }

    /// A digest of everything that a plan is made from: what exists, whose it is, and what could not be seen.
    /// Health, times and facts for people are left out: they change by themselves, and the safety checks look at
    /// health anew before every disruptive step. So are the machines that groups make by themselves, their nodes, and how many
    /// they are where something else scales them.
    pub fn digest(&self) -> Digest {
        let comes_by_itself: BTreeSet<&str> = self
            .owned_of(Kind::GroupMachine)
            .filter_map(|(_, existing)| match &existing.resource {
                Resource::GroupMachine(machine) => Some(machine.node.as_str()),
                _ => None,
            })
            .collect();
        let stays = |key: &ResourceKey| match key.kind() {
            Kind::GroupMachine => false,
            Kind::Node => !comes_by_itself.contains(key.name()),
            _ => true,
        };
        let entries: Vec<_> = self
            .entries
            .iter()
            .filter(|(key, _)| stays(key))
            .filter_map(|(key, observed)| match observed {
                Observed::Present(existing) => Some((
                    key,
                    Some((
                        unscaled(&existing.resource),
                        &existing.id,
                        &existing.owner,
                        existing.generation,
                    )),
                )),
                Observed::Unknown(_) => Some((key, None)),
                Observed::Absent => None,
            })
            .collect();
        let unknown: Vec<Kind> = self.unknown_kinds().map(|(kind, _)| kind).collect();
        Digest::of_json(&(entries, unknown))
    }
}

/// The resource without what something else may change of it.
fn unscaled(resource: &Resource) -> Cow<'_, Resource> {
    match resource {
        Resource::NodeGroup(group) if group.is_scaled() => Cow::Owned(
            NodeGroup {
                replicas: group.min,
                ..group.clone()
            }
            .into(),
        ),
        other => Cow::Borrowed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{GroupMachine, Node};

    fn there(resource: impl Into<Resource>) -> Observed<Existing> {
        Observed::Present(Existing {
            resource: resource.into(),
            id: "id".to_owned(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: BTreeMap::new(),
        })
    }

    #[test]
    fn what_groups_do_by_themselves_is_no_part_of_the_digest() {
        let group = |max, replicas| NodeGroup {
            min: 2,
            max,
            replicas,
            max_surge: 0,
            subnets: Vec::new(),
            firewall: "nodes".to_owned(),
            role: None,
            machine_type: None,
            types: Vec::new(),
            image: None,
            root_volume: None,
            kms_key: None,
            spot_share: None,
            kubernetes_version: crate::values::Version::new(1, 36, 2),
            labels: BTreeMap::new(),
            taints: Vec::new(),
            settings: Digest::of_bytes(b""),
        };
        let digest = |max: u32, replicas: u32| {
            let mut observation = Observation::of_nothing(Timestamp::UNIX_EPOCH);
            let mut add = |kind: Kind, name: &str, resource: Resource| {
                let found = BTreeMap::from([(ResourceKey::new(kind, name), there(resource))]);
                let retired_generations = BTreeMap::new();
                observation.record(
                    kind,
                    KindObservation {
                        found,
                        retired_generations,
                    },
                );
            };
            add(Kind::NodeGroup, "workers", group(max, replicas).into());
            for number in 0..replicas {
                let node = format!("n-{number}");
                let machine = GroupMachine {
                    group: "workers".to_owned(),
                    template: Digest::of_bytes(b""),
                    node: node.clone(),
                    detached: false,
                };
                add(Kind::GroupMachine, &format!("i-{number}"), machine.into());
                let of_api = Node {
                    machine: node.clone(),
                    group: "workers".to_owned(),
                    labels: BTreeMap::new(),
                    taints: Vec::new(),
                };
                add(Kind::Node, &node, of_api.into());
            }
            observation.digest()
        };
        assert_eq!(digest(5, 2), digest(5, 4));
        assert_ne!(digest(2, 2), digest(2, 1), "nothing scales it");
        assert_ne!(digest(5, 2), digest(6, 2));
    }

    #[test]
    fn what_was_not_looked_at_is_unknown_and_never_absent() {
        let key = ResourceKey::new(Kind::Network, "main");
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        assert!(
            matches!(observation.get(&key), Observed::Unknown(_)),
            "nobody looked"
        );
        observation.record_failure(Kind::Network, "access denied");
        assert_eq!(
            observation.get(&key),
            Observed::Unknown("access denied".to_owned())
        );
        observation.record(Kind::Network, KindObservation::default());
        assert_eq!(observation.get(&key), Observed::Absent);
    }

    #[test]
    fn a_new_incarnation_comes_after_all_that_are_remembered() {
        let key = ResourceKey::new(Kind::Network, "main");
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        assert_eq!(observation.next_generation(&key), 0);
        let retired_generations = BTreeMap::from([(key.clone(), 3)]);
        observation.record(
            Kind::Network,
            KindObservation {
                retired_generations,
                ..Default::default()
            },
        );
        assert_eq!(observation.next_generation(&key), 4);
    }
}
