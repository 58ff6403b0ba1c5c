//! What a restore does before members start, machine by machine: each step looks first whether it was done before.

use std::collections::BTreeSet;

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, MemberPhase};
use keelson_provider_api::{ProviderError, ResourceKey, Restoration};

use super::etcd::etcd_effect;
use super::{Effect, EtcdContents, EtcdData, Holder, Thing, World, permanent, restart_time, transient};
use crate::random::later;

impl World {
    /// Makes sure that every machine of `holder` answers, and that each founder's has etcd.
    pub(crate) fn check_restore(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        now: Timestamp,
    ) -> Result<(), ProviderError> {
        for machine in self.things.held(holder, Kind::Machine) {
            self.answers(machine.key.name(), now)?;
        }
        restoration
            .founders
            .iter()
            .try_for_each(|machine| self.has_etcd(holder, machine))
    }

    /// The control planes of `holder` that are held or not, by their keys.
    pub(crate) fn control_planes(&self, holder: &Holder, are_held: bool) -> Vec<ResourceKey> {
        let all = self.things.held(holder, Kind::ControlPlane);
        all.filter(|thing| thing.held == are_held)
            .map(|thing| thing.key.clone())
            .collect()
    }

    /// Stops the control plane `key`, or lets it run again.
    pub(crate) fn hold(
        &self,
        holder: &Holder,
        key: &ResourceKey,
        is_held: bool,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        let Some(thing) = self.things.get(holder, key) else {
            return Ok(Vec::new());
        };
        if thing.held == is_held || self.host_of(thing).is_err() {
            return Ok(Vec::new());
        }
        self.answers(key.name(), now)?;
        let mut thing = thing.clone();
        thing.held = is_held;
        thing.busy_until = (!is_held).then(|| later(now, restart_time(true)));
        Ok(vec![Effect::Put(Box::new(thing))])
    }

    /// The machines with data of the etcd that is not of this restore, or with what is left of a member in its list.
    pub(crate) fn former_machines(&self, holder: &Holder, restoration: &Restoration) -> BTreeSet<String> {
        let name = restoration.etcd.cluster;
        let members = self
            .members_of_any(holder, name)
            .filter(|(thing, _)| !is_of(thing.restored.as_ref(), restoration))
            .map(|(_, member)| member.machine.clone());
        let placed = self
            .etcd_data_of(holder, name)
            .filter(|data| data.aside_at.is_none() && !is_of(data.restored.as_ref(), restoration))
            .map(|data| data.machine.clone());
        members.chain(placed).collect()
    }

    /// Ends the member of before on `machine` and moves its data aside.
    pub(crate) fn end_former(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        let name = restoration.etcd.cluster;
        let mut effects = Vec::new();
        let mut serial = self.next_serial;
        let former = self.members_of_any(holder, name).filter(|(thing, member)| {
            member.machine == machine && !is_of(thing.restored.as_ref(), restoration)
        });
        for (thing, member) in former {
            if let Some(data) = self.left_by(thing, member, serial, now) {
                self.answers(machine, now)?;
                effects.extend(self.move_aside(data, Some(restoration), now));
                serial += 1;
            }
            effects.push(Effect::Remove { serial: thing.serial });
            effects.extend(self.without_voter(holder, thing, member, now));
        }
        let placed = self.placed(holder, name, machine);
        if let Some(data) = placed.filter(|data| !is_of(data.restored.as_ref(), restoration)) {
            self.answers(machine, now)?;
            effects.extend(self.move_aside(data.clone(), Some(restoration), now));
        }
        Ok(effects)
    }

    /// Nobody took it out of the list: the others go on counting its vote, and without a quorum nothing is written.
    fn without_voter(
        &self,
        holder: &Holder,
        thing: &Thing,
        member: &EtcdMember,
        now: Timestamp,
    ) -> Option<Effect> {
        let cluster = self.etcd_cluster(holder, &member.cluster)?;
        if member.phase != MemberPhase::Voter || cluster.restored != thing.restored {
            return None;
        }
        let mut cluster = cluster.clone();
        let count = self.etcd_count(holder, &member.cluster, now);
        let working = count
            .working
            .saturating_sub(usize::from(self.working(thing, now).is_ok()));
        cluster.ended.insert(member.machine.clone());
        if working <= count.voters / 2 {
            cluster.stopped_at.get_or_insert(now);
        }
        etcd_effect(holder, &member.cluster, Some(cluster))
    }

    /// Puts `contents` on a founder's machine.
    pub(crate) fn place(
        &self,
        holder: &Holder,
        restoration: &Restoration,
        machine: &str,
        contents: &EtcdContents,
        now: Timestamp,
    ) -> Result<Vec<Effect>, ProviderError> {
        let name = restoration.etcd.cluster;
        self.has_etcd(holder, machine)?;
        self.answers(machine, now)?;
        let member = self.member_on(holder, name, machine);
        let placed = self.placed(holder, name, machine);
        let there = member
            .map(|thing| &thing.restored)
            .or(placed.map(|data| &data.restored));
        match there {
            Some(restored) if is_of(restored.as_ref(), restoration) => return Ok(Vec::new()),
            Some(_) => {
                return Err(
                    permanent(format!("a member of before has come to {machine} meanwhile"))
                        .with_help("run the command again: it is ended then"),
                );
            }
            None => {}
        }
        let host = self.machine(holder, machine).ok_or_else(|| is_gone(machine))?;
        let data = Effect::Data(Box::new(EtcdData {
            serial: self.next_serial,
            holder: holder.clone(),
            etcd: name.to_owned(),
            machine: machine.to_owned(),
            host_id: host.id.clone(),
            restored: Some(restoration.id.clone()),
            begins_after: contents.revision().saturating_add(restoration.bump_revision),
            contents: contents.clone(),
            aside_at: None,
            aside_by: None,
            voted: true,
        }));
        let mut effects = self.without_brought(holder, restoration, machine);
        effects.push(data);
        Ok(effects)
    }

    /// The member of any incarnation that is on `machine`.
    pub(super) fn member_on(&self, holder: &Holder, name: &str, machine: &str) -> Option<&Thing> {
        let key = ResourceKey::new(Kind::EtcdMember, EtcdMember::name(name, machine));
        self.things.get(holder, &key)
    }

    pub(super) fn answers(&self, machine: &str, now: Timestamp) -> Result<(), ProviderError> {
        self.reachable(machine, now).map_err(|why| {
            transient(format!("{machine} does not answer, and may have its data: {why}")).with_help(format!(
                "bring {machine} back; where it is gone for good, take it out of the spec, `keelson node forget {machine}`, and \
                 where a restore has begun before, `keelson etcd restore --begin-anew`"
            ))
        })
    }

    fn has_etcd(&self, holder: &Holder, machine: &str) -> Result<(), ProviderError> {
        self.machine(holder, machine).ok_or_else(|| is_gone(machine))?;
        let bundle = self.bundle(holder, machine);
        if bundle.is_none_or(|bundle| bundle.etcd_version.is_none()) {
            return Err(
                permanent(format!("{machine} has no etcd: its bundle has not come")).with_help(
                    "`keelson apply` installs it; a cluster has to be there before data is restored into it; where a restore has \
                     begun before, `keelson etcd restore --begin-anew` goes without that machine",
                ),
            );
        }
        Ok(())
    }
}

pub(super) fn is_of(restored: Option<&String>, restoration: &Restoration) -> bool {
    restored == Some(&restoration.id)
}

pub(super) fn is_gone(machine: &str) -> ProviderError {
    permanent(format!("machine {machine} is gone"))
        .with_help(
            "`keelson apply` makes it anew, or take it out of the spec; where a restore has begun before, `keelson etcd restore \
             --begin-anew` goes without it",
        )
}
