//! One etcd cluster as all machines show it.

mod voters;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use keelson_provider_api::kinds::{MemberPhase, MemberStart};
use keelson_provider_api::{ClusterUid, EtcdInstance, ProviderError};

use super::answers::{Id, Member, MemberList};
use super::look::{Seen, look};
use super::mark::Mark;
use super::reach::Reach;
use super::step::{permanent, transient};
use super::unseen::Unseen;

/// How many machines are looked at at once.
const LOOKS_AT_ONCE: usize = 32;

/// What machines show of an etcd cluster.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    /// The etcd cluster.
    pub instance: &'static EtcdInstance,
    /// What was seen on each machine, or why nothing was.
    pub machines: BTreeMap<String, Result<Seen, Unseen>>,
    /// The address of each machine inside the cluster.
    pub addresses: BTreeMap<String, IpAddr>,
    /// The members, as a quorum has confirmed.
    pub list: Option<MemberList>,
    /// Why there is no saying which cluster is the cluster, if so.
    pub split: Option<String>,
}

/// Looks at the members of `instances` on `machines`, all at once; each waits for up to `patience` while its member is
/// starting.
pub(super) async fn survey(
    reach: &dyn Reach,
    uid: Option<&ClusterUid>,
    instances: &[&'static EtcdInstance],
    machines: impl IntoIterator<Item = String>,
    patience: Duration,
) -> Vec<Survey> {
    let machines: BTreeSet<String> = machines.into_iter().collect();
    let absent = &reach.absent().await;
    let looks = machines.into_iter().map(|machine| async move {
        let seen = match reach.shell(&machine) {
            _ if absent.contains(&machine) => {
                let nothing = instances.iter().map(|one| (one.cluster, Seen::nothing()));
                Ok(nothing.collect())
            }
            Some(shell) => look(shell.as_ref(), uid, instances, patience).await,
            None => Err("it is not among the cluster's machines".to_owned().into()),
        };
        (machine, seen)
    });
    let seen: Vec<_> = stream::iter(looks)
        .buffer_unordered(LOOKS_AT_ONCE)
        .collect()
        .await;
    let addresses: BTreeMap<String, IpAddr> = reach
        .machines()
        .into_iter()
        .chain(seen.iter().map(|(machine, _)| machine.clone()))
        .filter_map(|machine| {
            let address = reach.internal_address(&machine)?;
            Some((machine, address))
        })
        .collect();
    let of = |instance: &'static EtcdInstance| {
        let machines = seen.iter().map(|(machine, seen)| {
            let seen = match seen {
                Ok(all) => all
                    .get(instance.cluster)
                    .cloned()
                    .ok_or_else(|| "it was not looked at".to_owned().into()),
                Err(why) => Err(why.clone()),
            };
            (machine.clone(), seen)
        });
        Survey::of(instance, machines.collect(), addresses.clone())
    };
    instances.iter().map(|&instance| of(instance)).collect()
}

/// How the members of `instance` on `machines` are, each after waiting for up to `patience` while it is starting.
///
/// # Errors
/// When there is no saying which etcd is the cluster's.
pub(super) async fn survey_one(
    reach: &dyn Reach,
    uid: &ClusterUid,
    instance: &'static EtcdInstance,
    machines: impl IntoIterator<Item = String>,
    patience: Duration,
) -> Result<Survey, ProviderError> {
    let surveys = survey(reach, Some(uid), &[instance], machines, patience).await;
    let survey = surveys.into_iter().next();
    let survey = survey.ok_or_else(|| transient("no machine was looked at"))?;
    match &survey.split {
        Some(why) => Err(permanent(why.clone()).with_help(
            "stop the members that do not belong together, and keep those whose data is the right one",
        )),
        None => Ok(survey),
    }
}

impl Survey {
    /// Puts together what was seen. Only members that carry this cluster's mark are believed.
    pub(super) fn of(
        instance: &'static EtcdInstance,
        machines: BTreeMap<String, Result<Seen, Unseen>>,
        addresses: BTreeMap<String, IpAddr>,
    ) -> Self {
        let lists: Vec<&MemberList> = machines
            .values()
            .filter_map(|seen| seen.as_ref().ok())
            .filter(|seen| seen.mark.ours().is_some())
            .filter_map(|seen| seen.list.as_ref())
            .collect();
        let clusters: BTreeSet<Id> = lists.iter().map(|list| list.header.cluster_id).collect();
        let split = (clusters.len() > 1).then(|| {
            let ids: Vec<String> = clusters.iter().map(Id::to_string).collect();
            format!(
                "members of {} different clusters call themselves etcd {}: {}",
                ids.len(),
                instance.cluster,
                ids.join(", ")
            )
        });
        // The one of the latest term: the members have changed since one that is older.
        let list = lists
            .iter()
            .max_by_key(|list| list.header.raft_term)
            .map(|&list| list.clone());
        Self {
            instance,
            list: list.filter(|_| split.is_none()),
            machines,
            addresses,
            split,
        }
    }

    /// What was seen on `machine`; `None` when it could not be seen.
    pub(super) fn seen(&self, machine: &str) -> Option<&Seen> {
        self.machines.get(machine)?.as_ref().ok()
    }

    /// This cluster's mark on `machine`.
    pub(super) fn mark(&self, machine: &str) -> Option<&Mark> {
        self.seen(machine)?.mark.ours()
    }

    /// Every mark of this cluster.
    pub(super) fn marks(&self) -> impl Iterator<Item = (&str, &Mark)> {
        self.machines
            .keys()
            .filter_map(|machine| Some((machine.as_str(), self.mark(machine)?)))
    }

    /// The URL under which other members reach the one on `machine`.
    pub(super) fn peer_url(&self, machine: &str) -> Option<String> {
        let address = self.addresses.get(machine)?;
        Some(self.instance.peer_url(*address))
    }

    /// What the list of members says of `machine`: by the URL for peers, which tells members apart, and by name.
    ///
    /// Where a host that bears our mark has a new name besides, which is not seen, the member is that of the old name.
    pub(super) fn entry(&self, machine: &str) -> Option<&Member> {
        let members = &self.list.as_ref()?.members;
        let url = self.peer_url(machine).filter(|_| !self.is_new_name(machine));
        members
            .iter()
            .find(|member| url.as_ref().is_some_and(|url| member.peer_urls.contains(url)))
            .or_else(|| members.iter().find(|member| member.name == machine))
    }

    /// True for a machine of which nothing is known, at the address of another one that has a member of ours.
    fn is_new_name(&self, machine: &str) -> bool {
        let address = self.addresses.get(machine);
        let bears_mark = |other: &String| other != machine && self.mark(other).is_some();
        let mut at_address = self.addresses.iter().filter(|(_, other)| Some(*other) == address);
        self.mark(machine).is_none() && at_address.any(|(other, _)| bears_mark(other))
    }

    /// The machine of a member in the list; a member that has neither a machine of ours nor a name goes by its id.
    pub(super) fn machine_of(&self, member: &Member) -> String {
        self.addresses
            .keys()
            .find(|machine| {
                let is_there = |url: String| member.peer_urls.contains(&url);
                !self.is_new_name(machine) && self.peer_url(machine).is_some_and(is_there)
            })
            .cloned()
            .unwrap_or_else(|| match member.name.as_str() {
                "" => member.id.to_string(),
                name => name.to_owned(),
            })
    }

    /// Every machine with a member in the list.
    pub(super) fn listed_machines(&self) -> BTreeSet<String> {
        let members = self.list.iter().flat_map(|list| &list.members);
        members.map(|member| self.machine_of(member)).collect()
    }

    /// True when the cluster has had a quorum once, as far as anyone can tell who is seen.
    pub(super) fn has_formed(&self) -> bool {
        self.list.is_some()
            || self.marks().any(|(machine, mark)| {
                mark.voted || self.seen(machine).is_some_and(|seen| seen.status.is_some())
            })
    }

    /// True when marks are there, every machine was seen, and none has a log that a member could go on from.
    pub(super) fn has_lost_its_data(&self) -> bool {
        let has_none = |seen: &Result<Seen, Unseen>| seen.as_ref().is_ok_and(|seen| !seen.has_log);
        self.marks().next().is_some() && self.machines.values().all(has_none)
    }

    /// True when it [has lost its data](Self::has_lost_its_data), and has had some: founders that were begun and have not started
    /// have none yet.
    pub(super) fn has_lost_what_it_had(&self) -> bool {
        self.has_lost_its_data() && self.marks().any(|(_, mark)| mark.voted)
    }

    /// How far the member on `machine`, which carries our mark, is on its way to voting.
    ///
    /// A member that is in no list any more waits as well: whatever it once was, it has to come in anew.
    pub(super) fn phase(&self, machine: &str) -> MemberPhase {
        let (Some(seen), Some(mark)) = (self.seen(machine), self.mark(machine)) else {
            return MemberPhase::Waiting;
        };
        let phase_of = |is_learner: bool| {
            if is_learner {
                MemberPhase::Learner
            } else {
                MemberPhase::Voter
            }
        };
        if self.list.is_some() {
            return self
                .entry(machine)
                .map_or(MemberPhase::Waiting, |entry| phase_of(entry.is_learner));
        }
        if let Some(status) = &seen.status {
            return phase_of(status.is_learner);
        }
        match mark.start {
            _ if mark.voted => MemberPhase::Voter,
            MemberStart::Join => MemberPhase::Learner,
            MemberStart::Initial if self.has_formed() => MemberPhase::Voter,
            MemberStart::Initial => MemberPhase::Waiting,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
