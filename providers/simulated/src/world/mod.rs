//! The world as a state machine: it decides what a call would do, and applies what was decided.
//!
//! Deciding is pure and leaves the world alone; it gives a list of [`Effect`]s. Applying them is the only way in
//! which the world changes, which is also how a log of them brings it back.

mod controllers;
mod create;
mod delete;
mod etcd;
mod etcd_brought;
mod etcd_contents;
mod etcd_data;
mod etcd_facts;
mod etcd_restarts;
mod etcd_restores;
mod etcd_snapshots;
mod foreign;
mod groups;
mod health;
mod invariants;
mod observe;
mod settle;
mod thing;
mod update;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Change, ClusterIdentity, ClusterUid, ErrorClass, ProviderError, Resource, ResourceKey,
};
use serde::{Deserialize, Serialize};

pub(crate) use etcd::EtcdCluster;
pub(crate) use etcd_brought::Brought;
pub use etcd_contents::{EtcdContents, Stretch};
pub(crate) use etcd_data::EtcdData;
pub use etcd_data::{EtcdCopy, EtcdPlace};
pub(crate) use etcd_snapshots::{contents_in, told_again};
pub(crate) use invariants::Refusal;
pub use invariants::{Rule, Violation};
pub(crate) use settle::Settled;
pub(crate) use thing::{Holder, Thing, Things};

use crate::options::Like;

/// Everything there is.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) like: Like,
    seed: u64,
    things: Things,
    hosts: BTreeMap<String, Host>,
    tombstones: BTreeMap<String, Tombstone>,
    etcd: BTreeMap<(ClusterUid, String), EtcdCluster>,
    etcd_data: BTreeMap<u64, EtcdData>,
    brought: BTreeSet<Brought>,
    fences: BTreeMap<ClusterUid, u64>,
    violations: Vec<Violation>,
    next_serial: u64,
    last_moment: Timestamp,
    /// What observers still see of things that changed a moment ago.
    shadows: BTreeMap<u64, Shadow>,
    /// When machines were last struck by a fault, so that a loss of quorum is put down to the right cause.
    last_strike: Option<Timestamp>,
    unavailable_peak: BTreeMap<String, usize>,
}

/// A bare machine that stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Until when its power is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) down_until: Option<Timestamp>,
}

/// What the platform remembers of a thing that is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tombstone {
    pub(crate) token: String,
    pub(crate) key: ResourceKey,
    pub(crate) holder: Holder,
    pub(crate) generation: u32,
}

/// What observers see of a thing until the platform's answers have caught up.
#[derive(Debug, Clone)]
pub(crate) struct Shadow {
    until: Timestamp,
    was: Option<Thing>,
}

/// One change to the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Effect {
    Put(Box<Thing>),
    Remove {
        serial: u64,
    },
    Host(Host),
    Bury(Tombstone),
    Etcd {
        cluster: ClusterUid,
        name: String,
        state: Option<EtcdCluster>,
    },
    Data(Box<EtcdData>),
    /// The data of that number is a member's from now on, or is deleted.
    NoData {
        serial: u64,
    },
    Brought(Brought),
    /// The snapshot has become data, or is taken away again.
    NotBrought(Brought),
    Fence {
        cluster: ClusterUid,
        generation: u64,
    },
    Violation(Violation),
    /// The next number for a thing, so that no number is used twice after compaction.
    Serial(u64),
}

/// A call as the world sees it: who wants what, and when.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) identity: &'a ClusterIdentity,
    pub(crate) holder: Holder,
    pub(crate) change: &'a Change,
    pub(crate) now: Timestamp,
    /// When the step began.
    pub(crate) begun_at: Timestamp,
}

impl Call<'_> {
    fn key(&self) -> &ResourceKey {
        &self.change.key
    }
}

impl World {
    pub(crate) fn new(like: Like, seed: u64, start: Timestamp) -> Self {
        Self {
            like,
            seed,
            things: Things::default(),
            hosts: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            etcd: BTreeMap::new(),
            etcd_data: BTreeMap::new(),
            brought: BTreeSet::new(),
            fences: BTreeMap::new(),
            violations: Vec::new(),
            next_serial: 1,
            last_moment: start,
            shadows: BTreeMap::new(),
            last_strike: None,
            unavailable_peak: BTreeMap::new(),
        }
    }

    /// The moment of the last effect.
    pub(crate) fn last_moment(&self) -> Timestamp {
        self.last_moment
    }

    /// How many effects it takes to write the world down.
    pub(crate) fn live_records(&self) -> usize {
        let things = self.things.len() + self.hosts.len() + self.tombstones.len();
        let etcd = self.etcd.len() + self.etcd_data.len() + self.brought.len();
        things + etcd + self.fences.len()
    }

    /// The effects that make this world out of an empty one.
    pub(crate) fn as_effects(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::Serial(self.next_serial)];
        effects.extend(self.hosts.values().cloned().map(Effect::Host));
        effects.extend(self.tombstones.values().cloned().map(Effect::Bury));
        effects.extend(
            self.things
                .all()
                .cloned()
                .map(|thing| Effect::Put(Box::new(thing))),
        );
        effects.extend(self.fences.iter().map(|(cluster, &generation)| Effect::Fence {
            cluster: cluster.clone(),
            generation,
        }));
        // After the things, whose coming counts as writes to etcd.
        effects.extend(self.etcd.iter().map(|((cluster, name), state)| Effect::Etcd {
            cluster: cluster.clone(),
            name: name.clone(),
            state: Some(state.clone()),
        }));
        let data = self.etcd_data.values().cloned();
        effects.extend(data.map(|data| Effect::Data(Box::new(data))));
        effects.extend(self.brought.iter().cloned().map(Effect::Brought));
        effects.extend(self.violations.iter().cloned().map(Effect::Violation));
        effects
    }

    /// Applies what was decided at `moment`.
    pub(crate) fn apply(&mut self, moment: Timestamp, effects: impl IntoIterator<Item = Effect>) {
        self.last_moment = self.last_moment.max(moment);
        for effect in effects {
            match effect {
                Effect::Put(thing) => {
                    self.next_serial = self.next_serial.max(thing.serial.saturating_add(1));
                    self.count_etcd_write(&thing);
                    self.things.put(*thing);
                }
                Effect::Remove { serial } => {
                    if let Some(thing) = self.things.remove(serial) {
                        self.count_etcd_write(&thing);
                        // What lies on a machine goes with it.
                        self.etcd_data.retain(|_, data| data.host_id != thing.id);
                        self.brought.retain(|brought| brought.host_id != thing.id);
                        self.bury(thing);
                    }
                }
                Effect::Host(host) => {
                    self.hosts.insert(host.name.clone(), host);
                }
                Effect::Bury(tombstone) => {
                    self.tombstones.insert(tombstone.token.clone(), tombstone);
                }
                Effect::Etcd { cluster, name, state } => self.set_etcd(cluster, name, state),
                Effect::Data(data) => {
                    self.next_serial = self.next_serial.max(data.serial.saturating_add(1));
                    self.etcd_data.insert(data.serial, *data);
                }
                Effect::NoData { serial } => {
                    self.etcd_data.remove(&serial);
                }
                Effect::Brought(brought) => {
                    self.brought.insert(brought);
                }
                Effect::NotBrought(brought) => {
                    self.brought.remove(&brought);
                }
                Effect::Fence { cluster, generation } => {
                    let highest = self.fences.entry(cluster).or_default();
                    *highest = generation.max(*highest);
                }
                Effect::Violation(violation) => self.violations.push(violation),
                Effect::Serial(next) => self.next_serial = self.next_serial.max(next),
            }
        }
    }

    fn bury(&mut self, thing: Thing) {
        if thing.key.kind() != Kind::Machine && !self.is_known_by_token(thing.key.kind()) {
            return;
        }
        self.tombstones.insert(
            thing.token.clone(),
            Tombstone {
                token: thing.token,
                key: thing.key,
                holder: thing.holder,
                generation: thing.generation,
            },
        );
    }

    /// Refuses a call of an older lease than the world has seen; gives the effect that remembers a newer one.
    pub(crate) fn fence(&self, cluster: &ClusterUid, generation: u64) -> Result<Vec<Effect>, ProviderError> {
        let highest = self.fences.get(cluster).copied();
        match highest {
            Some(highest) if generation < highest => Err(ProviderError::new(
                ErrorClass::Fenced,
                format!("fencing generation {generation} is over: {highest} has been seen"),
            )
            .with_help(
                "another run of keelson took the lease, and the command can be run again when that has ended; where there \
                 is none, the lease in the state store is older than the world: raise its `generation` above what has been \
                 seen",
            )),
            Some(highest) if generation == highest => Ok(Vec::new()),
            _ => Ok(vec![Effect::Fence {
                cluster: cluster.clone(),
                generation,
            }]),
        }
    }

    /// Lets observers see `was` in place of what is under that number, until `until`.
    pub(crate) fn shade(&mut self, serial: u64, was: Option<Thing>, until: Timestamp) {
        let now = self.last_moment;
        self.shadows.retain(|_, shadow| now < shadow.until);
        self.shadows.insert(serial, Shadow { until, was });
    }

    pub(crate) fn thing_by_serial(&self, serial: u64) -> Option<&Thing> {
        self.things.by_serial(serial)
    }

    /// A thing as a create makes it.
    fn new_thing(&self, call: &Call<'_>, resource: &Resource, generation: u32) -> Thing {
        let serial = self.next_serial;
        let host_id = self.host_id_for(&call.holder, call.key(), resource);
        let token = call.identity.token(call.key(), generation);
        let id = self.id_for(call.key(), serial);
        let mut facts = Self::facts_for(resource, &id, serial);
        if let Some(address) = self.address_of_interface(&call.holder, resource) {
            facts.insert("address".to_owned(), address);
        }
        Thing {
            serial,
            key: call.key().clone(),
            holder: call.holder.clone(),
            resource: resource.clone(),
            id,
            token,
            generation,
            created_at: call.now,
            host_id,
            busy_until: None,
            restored: None,
            held: false,
            facts,
        }
    }

    /// The id of the machine that `resource` comes to live on.
    fn host_id_for(&self, holder: &Holder, key: &ResourceKey, resource: &Resource) -> Option<String> {
        let machine = resource.machine(key).filter(|_| key.kind() != Kind::Machine)?;
        let machine = self
            .things
            .get(holder, &ResourceKey::new(Kind::Machine, machine))?;
        Some(machine.id.clone())
    }

    /// The address that a machine has by its interface.
    fn address_of_interface(&self, holder: &Holder, resource: &Resource) -> Option<String> {
        let Resource::Machine(machine) = resource else {
            return None;
        };
        let key = ResourceKey::new(Kind::NetworkInterface, machine.network_interface.as_deref()?);
        match &self.things.get(holder, &key)?.resource {
            Resource::NetworkInterface(interface) => Some(interface.address.to_string()),
            _ => None,
        }
    }

    /// An id of the shape that the platform gives.
    fn id_for(&self, key: &ResourceKey, serial: u64) -> String {
        let digest = Digest::of_bytes(format!("{}\n{key}\n{serial}", self.seed).as_bytes());
        let prefix = match (self.like, key.kind()) {
            (Like::Aws, Kind::Machine | Kind::GroupMachine) => "i-0",
            (Like::Aws, Kind::Network) => "vpc-0",
            (Like::Aws, Kind::Subnet) => "subnet-0",
            (Like::Aws, Kind::NatGateway) => "nat-0",
            (Like::Aws, Kind::WayOut) => "rtb-0",
            (Like::Aws, Kind::Firewall) => "sg-0",
            (Like::Aws, Kind::Role) => "AIPA",
            (Like::Aws, Kind::Volume) => "vol-0",
            (Like::Aws, Kind::NetworkInterface) => "eni-0",
            (Like::Aws, Kind::LoadBalancer) => "net/api/",
            (Like::Aws, Kind::Leftover) => return controllers::id(key.name(), &digest),
            // Droplets have numbers.
            (Like::Digitalocean, Kind::Machine) => return (400_000_000 + serial).to_string(),
            (_, kind) => return format!("{}-{}-{serial}", kind.name(), digest.short(8)),
        };
        format!("{prefix}{}", digest.short(16))
    }

    fn facts_for(resource: &Resource, id: &str, serial: u64) -> BTreeMap<String, String> {
        let octets = format!("{}.{}", serial / 250 % 250, serial % 250 + 4);
        match resource {
            Resource::Machine(machine) => {
                let address = machine
                    .address
                    .clone()
                    .unwrap_or_else(|| format!("10.0.{octets}"));
                BTreeMap::from([("address".to_owned(), address)])
            }
            Resource::GroupMachine(_) => BTreeMap::from([("address".to_owned(), format!("10.0.{octets}"))]),
            Resource::LoadBalancer(_) => {
                let name = format!("{}.elb.simulated.example", id.replace('/', "-"));
                BTreeMap::from([("hostname".to_owned(), name)])
            }
            Resource::NodeBundle(bundle) => [
                bundle
                    .kubernetes_version
                    .map(|version| ("kubernetes".to_owned(), version.to_string())),
                bundle
                    .etcd_version
                    .map(|version| ("etcd".to_owned(), version.to_string())),
            ]
            .into_iter()
            .flatten()
            .collect(),
            _ => BTreeMap::new(),
        }
    }
}

/// An error that stays until someone changes something.
fn permanent(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, message)
}

/// An error that passes by itself.
fn transient(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Transient, message)
}

/// How long components on a machine are away when its bundle changes.
///
/// kubelet and static pods: an API server answers about 11 s after its start (kubeadm 1.36 on a loaded two-core
/// machine). etcd alone restarts within its election timeout and a few seconds.
fn restart_time(kubernetes: bool) -> Duration {
    Duration::from_secs(if kubernetes { 12 } else { 4 })
}

#[cfg(test)]
mod tests;
