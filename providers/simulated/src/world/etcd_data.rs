//! Data of etcd that lies on machines and that no member serves: what a restore has put there, and what it moved aside.

use jiff::Timestamp;
use keelson_provider_api::kinds::MemberPhase;
use serde::{Deserialize, Serialize};

use super::{EtcdContents, Holder, World};

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
}
