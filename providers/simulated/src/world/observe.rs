//! What observers see.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    ClusterIdentity, ClusterUid, Existing, KindObservation, Observed, Resource, ResourceKey,
};

use super::update::lives_on_disk;
use super::{Holder, Thing, World};

impl World {
    /// Everything of `kind` that the cluster has, and whoever holds one of the `wanted` names in its place.
    pub(crate) fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
        now: Timestamp,
    ) -> KindObservation {
        let mut seen = KindObservation::default();
        // A life that has not begun has nothing, and sees what another one of its name has.
        let before_the_first = || Holder::Cluster {
            name: cluster.name.clone(),
            uid: ClusterUid::new(""),
        };
        let holder = Holder::of(cluster).unwrap_or_else(before_the_first);
        for thing in self.visible(kind, now).filter(|thing| thing.holder == holder) {
            let observed = self.observed(cluster, thing, now);
            seen.found.entry(thing.key.clone()).or_insert(observed);
        }
        for key in wanted {
            if let (false, Some(thing)) = (seen.found.contains_key(key), self.foreign_holder(&holder, key)) {
                let existing = self.existing(cluster, thing, now);
                seen.found.insert(key.clone(), Observed::Present(existing));
            }
        }
        for tombstone in self.tombstones.values() {
            if tombstone.key.kind() == kind && tombstone.holder == holder {
                let highest = seen.retired_generations.entry(tombstone.key.clone()).or_default();
                *highest = tombstone.generation.max(*highest);
            }
        }
        seen
    }

    /// The things of `kind` as observers see them at this moment.
    fn visible(&self, kind: Kind, now: Timestamp) -> impl Iterator<Item = &Thing> {
        let gone = self.shadows.iter().filter_map(move |(&serial, shadow)| {
            let was = shadow.was.as_ref()?;
            let still_shown = now < shadow.until && was.key.kind() == kind;
            (still_shown && self.things.by_serial(serial).is_none()).then_some(was)
        });
        let here = self
            .things
            .of_kind(kind)
            .filter_map(move |thing| match self.shadows.get(&thing.serial) {
                Some(shadow) if now < shadow.until => shadow.was.as_ref(),
                _ => Some(thing),
            });
        here.chain(gone)
    }

    fn observed(&self, cluster: &ClusterIdentity, thing: &Thing, now: Timestamp) -> Observed<Existing> {
        let dark = lives_on_disk(thing.key.kind()) && self.host_of(thing).is_ok();
        match thing
            .machine()
            .filter(|_| dark)
            .map(|machine| self.reachable(machine, now))
        {
            Some(Err(why)) => Observed::Unknown(why),
            _ => Observed::Present(self.existing(cluster, thing, now)),
        }
    }

    fn existing(&self, cluster: &ClusterIdentity, thing: &Thing, now: Timestamp) -> Existing {
        let mut facts = thing.facts.clone();
        if let Resource::EtcdMember(member) = &thing.resource {
            facts.extend(self.etcd_facts(thing, member, now));
        }
        Existing {
            resource: thing.resource.clone(),
            id: thing.id.clone(),
            owner: thing.holder.as_seen_by(cluster),
            health: self.health(thing, now),
            created_at: thing.created_at,
            generation: thing.generation,
            host_id: thing.host_id.clone(),
            facts,
        }
    }

    /// Everything that `cluster` has, by id.
    pub(crate) fn footprint(&self, cluster: &ClusterIdentity, now: Timestamp) -> BTreeMap<String, Existing> {
        let holder = Holder::of(cluster);
        self.by_id(cluster, now, |thing| Some(&thing.holder) == holder.as_ref())
    }

    /// Everything that `cluster` does not have, by id.
    pub(crate) fn foreign(&self, cluster: &ClusterIdentity, now: Timestamp) -> BTreeMap<String, Existing> {
        let holder = Holder::of(cluster);
        self.by_id(cluster, now, |thing| Some(&thing.holder) != holder.as_ref())
    }

    fn by_id(
        &self,
        cluster: &ClusterIdentity,
        now: Timestamp,
        keep: impl Fn(&Thing) -> bool,
    ) -> BTreeMap<String, Existing> {
        self.things
            .all()
            .filter(|thing| keep(thing))
            .map(|thing| (thing.id.clone(), self.existing(cluster, thing, now)))
            .collect()
    }
}
