//! Data of etcd that lies on machines and that no member serves: what a restore has put there, and what it moved aside.

use std::cmp::Reverse;

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, Machine, MemberPhase};
use keelson_provider_api::{Resource, ResourceKey, Restoration, SetAside};
use serde::{Deserialize, Serialize};

use super::{Effect, EtcdContents, Holder, Thing, World};

/// So many stay of what was moved aside on a machine by other ends of members than a restore's.
const ASIDES_KEPT: usize = 2;

/// Data of an etcd in a folder of its own, which goes with the machine and with nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EtcdData {
    /// Its number in the world, as those of things.
    pub(crate) serial: u64,
    pub(crate) holder: Holder,
    /// The etcd, `main` or `events`.
    pub(crate) etcd: String,
    pub(crate) machine: String,
    /// The id of the machine that it lies on.
    pub(crate) host_id: String,
    /// The restore that it was made by; none where its members founded the etcd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<String>,
    pub(crate) contents: EtcdContents,
    /// The revision that a member begins after which is started with it.
    pub(crate) begins_after: u64,
    /// When it was moved to where no member looks; none where one is to be started with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aside_at: Option<Timestamp>,
    /// The restore that moved it there: nobody deletes it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) aside_by: Option<String>,
    /// True where a member that had it has voted.
    #[serde(default)]
    pub(crate) voted: bool,
}

/// Where a copy of an etcd's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EtcdPlace {
    /// A member runs with it.
    Served,
    /// A member is to be started with it.
    Placed,
    /// It was moved aside.
    Aside,
}

/// One copy of an etcd's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdCopy {
    /// The machine that it is on.
    pub machine: String,
    /// Where it is there.
    pub place: EtcdPlace,
    /// The restore that it came with; none where the etcd was founded.
    pub restored: Option<String>,
    /// What it holds.
    pub contents: EtcdContents,
}

impl World {
    /// Every copy of the data of the etcd `name`, on machines that are there.
    pub(crate) fn etcd_copies(&self, holder: &Holder, name: &str, now: Timestamp) -> Vec<EtcdCopy> {
        let served = self
            .members_of_any(holder, name)
            .filter(|(thing, member)| member.phase != MemberPhase::Waiting && self.host_of(thing).is_ok());
        let served = served.map(|(thing, member)| EtcdCopy {
            machine: member.machine.clone(),
            place: EtcdPlace::Served,
            restored: thing.restored.clone(),
            contents: self.contents_of(thing, name, now),
        });
        let lying = self.etcd_data_of(holder, name).map(|data| EtcdCopy {
            machine: data.machine.clone(),
            place: match data.aside_at {
                Some(_) => EtcdPlace::Aside,
                None => EtcdPlace::Placed,
            },
            restored: data.restored.clone(),
            contents: data.contents.clone(),
        });
        served.chain(lying).collect()
    }

    /// What no member serves of the etcd `name`, in the order in which it came.
    pub(super) fn etcd_data_of<'a>(
        &'a self,
        holder: &'a Holder,
        name: &'a str,
    ) -> impl Iterator<Item = &'a EtcdData> {
        let all = self.etcd_data.values();
        all.filter(move |data| data.holder == *holder && data.etcd == name)
    }

    /// The data on `machine` that a member of the etcd `name` is to be started with.
    pub(super) fn placed(&self, holder: &Holder, name: &str, machine: &str) -> Option<&EtcdData> {
        let lying = self.etcd_data.values();
        lying
            .filter(|data| data.holder == *holder && data.etcd == name)
            .find(|data| data.machine == machine && data.aside_at.is_none())
    }

    /// The members that `machine` takes up with its bundle: those that its volume has the data of, whose machine is gone.
    pub(super) fn taken_up(&self, holder: &Holder, machine: &str) -> Vec<Effect> {
        let Some(host) = self.machine(holder, machine) else {
            return Vec::new();
        };
        let Resource::Machine(Machine {
            volume: Some(volume), ..
        }) = &host.resource
        else {
            return Vec::new();
        };
        let volume = ResourceKey::new(Kind::Volume, &**volume);
        let Some(volume) = self.things.get(holder, &volume) else {
            return Vec::new();
        };
        let members = self.things.residents(holder, machine).filter(|thing| {
            let Resource::EtcdMember(member) = &thing.resource else {
                return false;
            };
            let cluster = self.etcd_cluster(holder, &member.cluster);
            // A volume that came later has nothing of it, and an etcd that was restored nothing to do with it.
            self.host_of(thing).is_err()
                && volume.serial < thing.serial
                && cluster.is_some_and(|cluster| cluster.restored == thing.restored)
        });
        let here = members.map(|thing| {
            let mut thing = thing.clone();
            thing.host_id = Some(host.id.clone());
            Effect::Put(Box::new(thing))
        });
        here.collect()
    }

    /// What the member `thing` leaves on its machine, if it has any data there, under the number `serial`.
    pub(super) fn left_by(
        &self,
        thing: &Thing,
        member: &EtcdMember,
        serial: u64,
        now: Timestamp,
    ) -> Option<EtcdData> {
        let host = self.host_of(thing).ok().flatten()?;
        if member.phase == MemberPhase::Waiting {
            return None;
        }
        let contents = self.contents_of(thing, &member.cluster, now);
        Some(EtcdData {
            serial,
            holder: thing.holder.clone(),
            etcd: member.cluster.clone(),
            machine: member.machine.clone(),
            host_id: host.id.clone(),
            restored: thing.restored.clone(),
            begins_after: contents.revision(),
            contents,
            aside_at: None,
            aside_by: None,
            voted: member.phase == MemberPhase::Voter,
        })
    }

    /// Moves `data` aside. A restore deletes nothing, and what it has moved aside stays whoever comes after it; another end of a
    /// member deletes what hosts do.
    pub(super) fn move_aside(&self, data: EtcdData, by: Option<&Restoration>, now: Timestamp) -> Vec<Effect> {
        let data = EtcdData {
            aside_at: Some(now),
            aside_by: by.map(|restoration| restoration.id.clone()),
            ..data
        };
        let mut effects = Vec::new();
        if by.is_none() {
            effects = self.pruned_with(&data);
        }
        effects.push(Effect::Data(Box::new(data)));
        effects
    }

    /// What goes when `new` is moved aside by another end than a restore's: the last two stay, and the last that had voted.
    fn pruned_with(&self, new: &EtcdData) -> Vec<Effect> {
        let lying = self.etcd_data_of(&new.holder, &new.etcd);
        let mut aside: Vec<&EtcdData> = lying
            .filter(|data| data.machine == new.machine && data.aside_at.is_some() && data.aside_by.is_none())
            .chain([new])
            .collect();
        aside.sort_by_key(|data| Reverse((data.aside_at, data.serial)));
        let last_voted = aside.iter().find(|data| data.voted).map(|data| data.serial);
        let old = aside.iter().skip(ASIDES_KEPT).map(|data| data.serial);
        old.filter(|serial| Some(*serial) != last_voted)
            .map(|serial| Effect::NoData { serial })
            .collect()
    }

    /// What restores have moved aside of the etcd, by machine and age.
    pub(crate) fn set_aside(&self, holder: &Holder, restoration: &Restoration) -> Vec<SetAside> {
        let lying = self.etcd_data_of(holder, restoration.etcd.cluster);
        let mut aside: Vec<&EtcdData> = lying.filter(|data| data.aside_by.is_some()).collect();
        aside.sort_by_key(|data| (&data.machine, data.aside_at, data.serial));
        let told = aside.into_iter().map(|data| SetAside {
            machine: data.machine.clone(),
            folder: format!(
                "{}.removed-{}",
                restoration.etcd.data_folder,
                data.aside_at.unwrap_or_default().strftime("%Y%m%dT%H%M%SZ")
            ),
            size_bytes: serde_json::to_vec(&data.contents).map_or(0, |bytes| bytes.len() as u64),
        });
        told.collect()
    }
}
