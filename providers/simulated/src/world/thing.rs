//! Things: what the world is made of, found by key, by machine and by what they stand on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{ClusterIdentity, ClusterUid, Owner, Resource, ResourceKey};
use serde::{Deserialize, Serialize};

/// To whom a thing belongs, seen from outside of any cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Holder {
    /// One life of a cluster.
    Cluster { name: ClusterName, uid: ClusterUid },
    /// Somebody who is no cluster of keelson's.
    Other(String),
}

impl Holder {
    /// The holder that `identity` is; `None` before the cluster's first apply.
    pub(crate) fn of(identity: &ClusterIdentity) -> Option<Self> {
        identity.uid.as_ref().map(|uid| Self::Cluster {
            name: identity.name.clone(),
            uid: uid.clone(),
        })
    }

    /// The same, as `identity` sees it.
    pub(crate) fn as_seen_by(&self, identity: &ClusterIdentity) -> Owner {
        if Self::of(identity).as_ref() == Some(self) {
            Owner::ThisCluster
        } else {
            Owner::Other(self.to_string())
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { name, uid } => write!(formatter, "cluster {name} ({uid})"),
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

/// One thing that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Thing {
    /// Its number in the world: later things have higher ones, and none is used twice.
    pub(crate) serial: u64,
    pub(crate) key: ResourceKey,
    pub(crate) holder: Holder,
    pub(crate) resource: Resource,
    /// The platform's name for it.
    pub(crate) id: String,
    /// The idempotency token of the call that made it.
    pub(crate) token: String,
    pub(crate) generation: u32,
    pub(crate) created_at: Timestamp,
    /// The id of the machine that it lives on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) host_id: Option<String>,
    /// Until when it restarts, starts, drains or catches up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) busy_until: Option<Timestamp>,
    /// The restore that a member of etcd was given its data by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<String>,
    /// True for a control plane that is stopped until its etcd has other data.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) held: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) facts: BTreeMap<String, String>,
}

impl Thing {
    /// The name of the machine that it is or lives on.
    pub(crate) fn machine(&self) -> Option<&str> {
        self.resource.machine(&self.key)
    }

    pub(crate) fn is_busy(&self, now: Timestamp) -> bool {
        self.busy_until.is_some_and(|until| now < until)
    }
}

/// All things, with what is needed to find them without looking at every one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Things {
    by_serial: BTreeMap<u64, Thing>,
    by_key: BTreeMap<ResourceKey, BTreeSet<u64>>,
    by_machine: BTreeMap<String, BTreeSet<u64>>,
    by_id: BTreeMap<String, u64>,
    /// Who stands on a key.
    referrers: BTreeMap<ResourceKey, BTreeSet<u64>>,
}

impl Things {
    /// Adds `thing`, in place of the one with the same number.
    pub(crate) fn put(&mut self, thing: Thing) {
        self.remove(thing.serial);
        let serial = thing.serial;
        self.by_key.entry(thing.key.clone()).or_default().insert(serial);
        self.by_id.insert(thing.id.clone(), serial);
        if let Some(machine) = thing.machine() {
            self.by_machine
                .entry(machine.to_owned())
                .or_default()
                .insert(serial);
        }
        for reference in thing.resource.references() {
            self.referrers.entry(reference).or_default().insert(serial);
        }
        self.by_serial.insert(serial, thing);
    }

    /// Takes the thing with that number away.
    pub(crate) fn remove(&mut self, serial: u64) -> Option<Thing> {
        let thing = self.by_serial.remove(&serial)?;
        forget(&mut self.by_key, &thing.key, serial);
        self.by_id.remove(&thing.id);
        if let Some(machine) = thing.machine() {
            forget(&mut self.by_machine, machine, serial);
        }
        for reference in thing.resource.references() {
            forget(&mut self.referrers, &reference, serial);
        }
        Some(thing)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_serial.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Thing> {
        self.by_serial.values()
    }

    pub(crate) fn by_serial(&self, serial: u64) -> Option<&Thing> {
        self.by_serial.get(&serial)
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Thing> {
        self.by_id.get(id).and_then(|&serial| self.by_serial(serial))
    }

    /// Everything under `key`, whoever holds it, the oldest first.
    pub(crate) fn under<'a>(&'a self, key: &ResourceKey) -> impl Iterator<Item = &'a Thing> {
        self.resolve(self.by_key.get(key))
    }

    /// The thing of `holder` under `key`; the oldest when there is more than one.
    pub(crate) fn get<'a>(&'a self, holder: &Holder, key: &ResourceKey) -> Option<&'a Thing> {
        self.under(key).find(|thing| thing.holder == *holder)
    }

    /// Everything of `kind`, in the order of keys.
    pub(crate) fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Thing> {
        self.by_key
            .range(ResourceKey::new(kind, "")..)
            .take_while(move |(key, _)| key.kind() == kind)
            .flat_map(|(_, serials)| self.resolve(Some(serials)))
    }

    /// Everything of `kind` that `holder` has, in the order of keys.
    pub(crate) fn held<'a>(&'a self, holder: &'a Holder, kind: Kind) -> impl Iterator<Item = &'a Thing> {
        self.of_kind(kind).filter(move |thing| thing.holder == *holder)
    }

    /// What lives on the machine of that name, the machine itself left out.
    pub(crate) fn residents<'a>(
        &'a self,
        holder: &'a Holder,
        machine: &str,
    ) -> impl Iterator<Item = &'a Thing> {
        self.resolve(self.by_machine.get(machine))
            .filter(move |thing| thing.holder == *holder && thing.key.kind() != Kind::Machine)
    }

    /// What stands on `key`.
    pub(crate) fn referrers<'a>(
        &'a self,
        holder: &'a Holder,
        key: &ResourceKey,
    ) -> impl Iterator<Item = &'a Thing> {
        self.resolve(self.referrers.get(key))
            .filter(move |thing| thing.holder == *holder)
    }

    fn resolve<'a>(&'a self, serials: Option<&'a BTreeSet<u64>>) -> impl Iterator<Item = &'a Thing> {
        serials
            .into_iter()
            .flatten()
            .filter_map(|&serial| self.by_serial(serial))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks this way")]
fn is_false(value: &bool) -> bool {
    !value
}

fn forget<K, Q>(index: &mut BTreeMap<K, BTreeSet<u64>>, key: &Q, serial: u64)
where
    K: std::borrow::Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    if let Some(serials) = index.get_mut(key) {
        serials.remove(&serial);
        if serials.is_empty() {
            index.remove(key);
        }
    }
}
