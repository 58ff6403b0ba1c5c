//! Members that start with the data that a restore has given them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, MemberPhase, MemberStart};
use keelson_provider_api::{ClusterIdentity, ProviderError, Resource, ResourceKey, Restoration};

use super::etcd::etcd_effect;
use super::etcd_restores::is_of;
use super::{Effect, EtcdCluster, EtcdData, Holder, Rule, Thing, Violation, World, permanent};

impl World {
    /// Starts the founder on `machine` with the data that was put there.
    pub(crate) fn start_restored(
        &self,
        identity: &ClusterIdentity,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        let name = restoration.etcd.cluster;
        self.answers(machine, now)?;
        let member = self.member_on(holder, name, machine);
        if member.is_some_and(|thing| is_of(thing.restored.as_ref(), restoration)) {
            return Ok(Vec::new());
        }
        // A founder without data would begin an etcd of its own, which is empty.
        let data = restoration
            .founders
            .iter()
            .map(|founder| self.data_or_member(holder, restoration, founder))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(data) = data.into_iter().flatten().find(|data| data.machine == machine) else {
            return Err(no_data_on(machine));
        };
        let thing = self.restored_thing(identity, holder, restoration, data, now);
        let former = self.members_of_any(holder, name);
        let mut former = former.filter(|(thing, _)| thing.restored != data.restored);
        let two = former.next().map(|(_, member)| {
            format!(
                "the member of before on {} was there while {machine} started",
                member.machine
            )
        });
        let two = two.and_then(|what| two_etcds(identity, &thing, what, now));
        let begun = self.etcd_cluster(holder, name);
        let mut cluster = begun
            .filter(|cluster| cluster.restored == data.restored)
            .cloned()
            .unwrap_or_else(|| begun_with(data, restoration, now));
        cluster.pending.remove(machine);
        let mut effects = vec![
            Effect::Put(Box::new(thing)),
            Effect::NoData { serial: data.serial },
        ];
        effects.extend(etcd_effect(holder, name, Some(cluster)));
        effects.extend(two);
        Ok(effects)
    }

    /// Why not all founders vote yet, if so.
    pub(crate) fn restored_waits_for(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        now: Timestamp,
    ) -> Option<String> {
        let name = restoration.etcd.cluster;
        let count = self.etcd_count(holder, name, now);
        (count.working < restoration.founders.len()).then(|| {
            let founders = restoration.founders.len();
            format!("etcd {name} has {} of {founders} voters", count.working)
        })
    }

    /// The data that a founder is still to be started with; nothing where it runs with it.
    fn data_or_member(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
    ) -> Result<Option<&EtcdData>, ProviderError> {
        let name = restoration.etcd.cluster;
        let member = self.member_on(holder, name, machine);
        if member.is_some_and(|thing| is_of(thing.restored.as_ref(), restoration)) {
            return Ok(None);
        }
        let placed = self.placed(holder, name, machine);
        match placed.filter(|data| is_of(data.restored.as_ref(), restoration)) {
            Some(data) => Ok(Some(data)),
            None => Err(no_data_on(machine)),
        }
    }

    /// The member that comes of `data`.
    fn restored_thing(
        &self,
        identity: &ClusterIdentity,
        holder: &Holder,
        restoration: &Restoration,
        data: &EtcdData,
        now: Timestamp,
    ) -> Thing {
        let key = ResourceKey::new(Kind::EtcdMember, EtcdMember::name(&data.etcd, &data.machine));
        let serial = self.next_serial;
        Thing {
            serial,
            id: self.id_for(&key, serial),
            token: identity.token(&key, 0),
            key,
            holder: holder.clone(),
            resource: Resource::EtcdMember(EtcdMember {
                cluster: data.etcd.clone(),
                machine: data.machine.clone(),
                phase: MemberPhase::Voter,
                start: MemberStart::Initial,
                initial_members: restoration.founders.clone(),
                running: true,
            }),
            generation: 0,
            created_at: now,
            host_id: Some(data.host_id.clone()),
            busy_until: None,
            restored: data.restored.clone(),
            held: false,
            facts: BTreeMap::new(),
        }
    }
}

/// The etcd of which the first founder starts: the others have their votes from the beginning.
fn begun_with(data: &EtcdData, restoration: &Restoration, now: Timestamp) -> EtcdCluster {
    EtcdCluster {
        formed_at: now,
        writes: 0,
        pending: restoration.founders.iter().cloned().collect(),
        ended: BTreeSet::new(),
        stopped_at: None,
        restored: data.restored.clone(),
        begun_with: data.contents.clone(),
        begun_after: data.begins_after,
    }
}

fn two_etcds(identity: &ClusterIdentity, thing: &Thing, what: String, now: Timestamp) -> Option<Effect> {
    Some(Effect::Violation(Violation {
        at: now,
        rule: Rule::TwoEtcds,
        cluster: identity.uid.clone()?,
        key: thing.key.clone(),
        what,
        etcd: None,
    }))
}

fn no_data_on(machine: &str) -> ProviderError {
    permanent(format!(
        "{machine} has not been given its data: no member is started before all have theirs"
    ))
}
