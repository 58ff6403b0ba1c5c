//! etcd clusters: how they form, grow and shrink, and when they have a quorum.
//!
//! The rules are those of etcd 3.6: members listed in `--initial-cluster` are voters from the moment the cluster
//! forms, whether they have started or not; one learner at a time (`--max-learners=1`); a removal must leave a
//! quorum of started voters (`--strict-reconfig-check`, on by default).

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, Kind, MachineRole, MemberPhase, MemberStart};
use keelson_provider_api::{ClusterUid, ProviderError, Resource, ResourceKey};
use serde::{Deserialize, Serialize};

use super::{Call, Effect, EtcdContents, Holder, Thing, World, permanent, transient};
use crate::random::later;

/// How long a learner takes to catch up; the databases of new clusters are small.
const CATCH_UP: Duration = Duration::from_secs(5);

/// An etcd cluster that has formed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EtcdCluster {
    pub(crate) formed_at: Timestamp,
    /// Writes that came from things in the world.
    pub(crate) writes: u64,
    /// Machines of initial members that have never started: voters all the same.
    pub(crate) pending: BTreeSet<String>,
    /// Machines of voters whose data was moved aside: nobody took their votes away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) ended: BTreeSet<String>,
    /// When too few were left for anything to be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stopped_at: Option<Timestamp>,
    /// The restore that it began with: only members that were given their data by it are of this etcd. None where they
    /// founded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<String>,
    /// What it held when it began.
    #[serde(default)]
    pub(crate) begun_with: EtcdContents,
    /// The revision that its own come after.
    #[serde(default)]
    pub(crate) begun_after: u64,
}

/// Voters of an etcd cluster, and how many of them work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) voters: usize,
    pub(crate) working: usize,
    pub(crate) learners: usize,
}

impl Count {
    pub(crate) fn has_quorum(self) -> bool {
        self.voters > 0 && self.working > self.voters / 2
    }
}

impl World {
    pub(super) fn etcd_names<'a>(&'a self, uid: &'a ClusterUid) -> impl Iterator<Item = &'a str> {
        self.etcd
            .keys()
            .filter(move |(cluster, _)| cluster == uid)
            .map(|(_, name)| name.as_str())
    }

    /// The etcd cluster of that name, if it has formed.
    pub(super) fn etcd_cluster(&self, holder: &Holder, name: &str) -> Option<&EtcdCluster> {
        let Holder::Cluster { uid, .. } = holder else {
            return None;
        };
        self.etcd.get(&(uid.clone(), name.to_owned()))
    }

    /// The members of the etcd that there is now: one that was restored has nothing to do with members of before.
    pub(super) fn members<'a>(
        &'a self,
        holder: &'a Holder,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Thing, &'a EtcdMember)> {
        let formed = self.etcd_cluster(holder, name);
        self.members_of_any(holder, name)
            .filter(move |(thing, _)| formed.is_none_or(|cluster| cluster.restored == thing.restored))
    }

    /// The members of every incarnation of that etcd.
    pub(super) fn members_of_any<'a>(
        &'a self,
        holder: &'a Holder,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a Thing, &'a EtcdMember)> {
        self.things
            .held(holder, Kind::EtcdMember)
            .filter_map(move |thing| match &thing.resource {
                Resource::EtcdMember(member) if member.cluster == name => Some((thing, member)),
                _ => None,
            })
    }

    /// Counts the voters of the etcd cluster of that name; all zero while it has not formed.
    pub(super) fn etcd_count(&self, holder: &Holder, name: &str, now: Timestamp) -> Count {
        let Some(cluster) = self.etcd_cluster(holder, name) else {
            return Count::default();
        };
        let mut count = Count {
            voters: cluster.pending.len() + cluster.ended.len(),
            ..Count::default()
        };
        for (thing, member) in self.members(holder, name) {
            match member.phase {
                MemberPhase::Voter => {
                    count.voters += 1;
                    count.working += usize::from(self.working(thing, now).is_ok());
                }
                MemberPhase::Learner => count.learners += 1,
                MemberPhase::Waiting => {}
            }
        }
        count
    }

    /// Why the API server has no etcd to talk to, if so. Without any member of its own the cluster uses an etcd
    /// that somebody else runs.
    pub(super) fn etcd_ready(&self, holder: &Holder, now: Timestamp) -> Result<(), String> {
        let Holder::Cluster { uid, .. } = holder else {
            return Ok(());
        };
        let mut none = true;
        for name in self.etcd_names(uid) {
            none = false;
            let count = self.etcd_count(holder, name, now);
            if !count.has_quorum() {
                return Err(format!(
                    "etcd {name} has {} of {} voters",
                    count.working, count.voters
                ));
            }
        }
        if none && self.has_etcd_of_its_own(holder) {
            return Err("etcd main has not formed".to_owned());
        }
        Ok(())
    }

    fn has_etcd_of_its_own(&self, holder: &Holder) -> bool {
        self.things.held(holder, Kind::EtcdMember).next().is_some()
            || self.things.held(holder, Kind::Machine).any(
                |thing| matches!(&thing.resource, Resource::Machine(machine) if machine.roles.contains(&MachineRole::Etcd)),
            )
    }

    /// The revision that the cluster is at: its writes, and the leases that are renewed every second.
    pub(super) fn revision(cluster: &EtcdCluster, now: Timestamp) -> u64 {
        cluster
            .begun_after
            .saturating_add(Self::own_revisions(cluster, now))
    }

    /// How many revisions this incarnation has given.
    pub(super) fn own_revisions(cluster: &EtcdCluster, now: Timestamp) -> u64 {
        let until = cluster.stopped_at.unwrap_or(now);
        let seconds = until.duration_since(cluster.formed_at).as_secs();
        cluster
            .writes
            .saturating_add(u64::try_from(seconds).unwrap_or(0))
            .saturating_add(1)
    }

    /// What the member `thing` of the etcd `name` holds. That of an etcd that is no more there held nothing.
    pub(super) fn contents_of(&self, thing: &Thing, name: &str, now: Timestamp) -> EtcdContents {
        let cluster = self.etcd_cluster(&thing.holder, name);
        match (
            cluster.filter(|cluster| cluster.restored == thing.restored),
            &thing.holder,
        ) {
            (Some(cluster), Holder::Cluster { uid, .. }) => {
                let founded = || format!("{uid} {name} {}", cluster.formed_at);
                let by = cluster.restored.clone().unwrap_or_else(founded);
                let first = cluster.begun_after.saturating_add(1);
                cluster
                    .begun_with
                    .followed_by(by, first, Self::revision(cluster, now))
            }
            _ => EtcdContents::default(),
        }
    }

    /// What the start of a member does, with `thing` as it comes into the world.
    pub(super) fn start_member(
        &self,
        call: &Call<'_>,
        member: &EtcdMember,
        mut thing: Thing,
    ) -> Result<Vec<Effect>, ProviderError> {
        let formed = self.etcd_cluster(&call.holder, &member.cluster);
        let phase = match (member.start, formed) {
            (MemberStart::Initial, None) => MemberPhase::Waiting,
            (MemberStart::Initial, Some(cluster)) if cluster.pending.contains(&member.machine) => {
                MemberPhase::Voter
            }
            (MemberStart::Initial, Some(_)) => return Err(would_split(&member.cluster)),
            (MemberStart::Join, None) => {
                return Err(transient(format!(
                    "etcd {} has not formed, so nothing can join it",
                    member.cluster
                )));
            }
            (MemberStart::Join, Some(_)) => self.admit_learner(call, &member.cluster)?,
        };
        if phase == MemberPhase::Learner {
            thing.busy_until = Some(later(call.now, CATCH_UP));
        }
        let member = EtcdMember {
            phase,
            ..member.clone()
        };
        thing.resource = Resource::EtcdMember(member.clone());
        thing.restored = formed.and_then(|cluster| cluster.restored.clone());
        let mut effects = Vec::new();
        if let Some(cluster) = formed.filter(|cluster| cluster.pending.contains(&member.machine)) {
            let mut cluster = cluster.clone();
            cluster.pending.remove(&member.machine);
            effects.extend(etcd_effect(&call.holder, &member.cluster, Some(cluster)));
        } else if phase == MemberPhase::Waiting {
            effects.extend(self.form(call, &mut thing, &member));
        }
        effects.insert(0, Effect::Put(Box::new(thing)));
        Ok(effects)
    }

    fn admit_learner(&self, call: &Call<'_>, name: &str) -> Result<MemberPhase, ProviderError> {
        let count = self.etcd_count(&call.holder, name, call.now);
        if !count.has_quorum() {
            return Err(transient(format!(
                "etcdserver: no leader: etcd {name} has {} of {} voters",
                count.working, count.voters
            )));
        }
        if count.learners > 0 {
            // https://etcd.io/docs/v3.6/learning/design-learner/: one learner at a time by default.
            return Err(transient("etcdserver: too many learner members in cluster"));
        }
        Ok(MemberPhase::Learner)
    }

    /// Forms the cluster when `thing`, the member `newcomer`, makes a majority of the initial members: all that
    /// wait become voters.
    fn form(&self, call: &Call<'_>, thing: &mut Thing, newcomer: &EtcdMember) -> Vec<Effect> {
        let initial: BTreeSet<&String> = newcomer.initial_members.iter().collect();
        let waiting: Vec<(&Thing, &EtcdMember)> = self
            .members(&call.holder, &newcomer.cluster)
            .filter(|(thing, member)| {
                member.phase == MemberPhase::Waiting
                    && member.machine != newcomer.machine
                    && initial.contains(&member.machine)
                    && self.working(thing, call.now).is_ok()
            })
            .collect();
        if waiting.len() < initial.len() / 2 {
            return Vec::new();
        }
        thing.resource = voter(newcomer);
        let started: BTreeSet<&String> = waiting
            .iter()
            .map(|(_, member)| &member.machine)
            .chain([&newcomer.machine])
            .collect();
        let cluster = EtcdCluster {
            formed_at: call.now,
            writes: 0,
            pending: initial.difference(&started).map(|&name| name.clone()).collect(),
            ended: BTreeSet::new(),
            stopped_at: None,
            restored: None,
            begun_with: EtcdContents::default(),
            begun_after: 0,
        };
        let mut effects: Vec<Effect> = waiting
            .into_iter()
            .map(|(waiting, member)| promoted(waiting, member))
            .collect();
        effects.extend(etcd_effect(&call.holder, &newcomer.cluster, Some(cluster)));
        effects
    }

    /// What lets a member that waits go on, if anything does by now.
    pub(super) fn stop_waiting(&self, call: &Call<'_>, thing: &Thing, member: &EtcdMember) -> Vec<Effect> {
        let mut thing = thing.clone();
        let mut effects = match self.etcd_cluster(&call.holder, &member.cluster) {
            Some(cluster) => {
                let mut cluster = cluster.clone();
                if !cluster.pending.remove(&member.machine) {
                    return Vec::new();
                }
                thing.resource = voter(member);
                etcd_effect(&call.holder, &member.cluster, Some(cluster))
                    .into_iter()
                    .collect()
            }
            None => self.form(call, &mut thing, member),
        };
        if !effects.is_empty() {
            effects.insert(0, Effect::Put(Box::new(thing)));
        }
        effects
    }

    /// Refuses the removal of `member` when etcd would.
    pub(super) fn check_removal(
        &self,
        call: &Call<'_>,
        thing: &Thing,
        member: &EtcdMember,
    ) -> Result<(), ProviderError> {
        if self.etcd_cluster(&call.holder, &member.cluster).is_none() {
            return Ok(());
        }
        let count = self.etcd_count(&call.holder, &member.cluster, call.now);
        if !count.has_quorum() {
            return Err(permanent("etcdserver: no leader")
                .with_help(format!("restore etcd {} from a snapshot", member.cluster)));
        }
        let works = usize::from(self.working(thing, call.now).is_ok());
        let (voters, working) = match member.phase {
            MemberPhase::Voter => (
                count.voters.saturating_sub(1),
                count.working.saturating_sub(works),
            ),
            MemberPhase::Waiting | MemberPhase::Learner => return Ok(()),
        };
        if working <= voters / 2 {
            // `Server.mayRemoveMember` in etcd's server/etcdserver/server.go.
            return Err(
                permanent("etcdserver: re-configuration failed due to not enough started members").with_help(
                    format!(
                        "{working} of the {voters} voters that would be left are running; bring the others back first"
                    ),
                ),
            );
        }
        Ok(())
    }

    pub(super) fn set_etcd(&mut self, cluster: ClusterUid, name: String, state: Option<EtcdCluster>) {
        if let Some(state) = state {
            self.etcd.insert((cluster, name), state);
            return;
        }
        self.violations
            .retain(|violation| violation.cluster != cluster || violation.etcd.as_ref() != Some(&name));
        self.etcd.remove(&(cluster, name));
    }

    /// Things that live in the cluster are written to its etcd.
    pub(super) fn count_etcd_write(&mut self, thing: &Thing) {
        let Holder::Cluster { uid, .. } = &thing.holder else {
            return;
        };
        let writes = match thing.key.kind() {
            Kind::Node => 12,
            Kind::Addon => 8,
            Kind::ControlPlane => 40,
            Kind::EtcdMember => 1,
            _ => return,
        };
        let cluster = self.etcd.get_mut(&(uid.clone(), "main".to_owned()));
        if let Some(cluster) = cluster.filter(|cluster| cluster.stopped_at.is_none()) {
            cluster.writes = cluster.writes.saturating_add(writes);
        }
    }

    /// The part of the world that decides about quorum.
    pub(super) fn clone_for_quorum(&self, holder: &Holder) -> Self {
        let mut copy = Self::new(self.like, self.seed, self.last_moment);
        copy.hosts.clone_from(&self.hosts);
        copy.etcd.clone_from(&self.etcd);
        for (thing, _) in self
            .etcd
            .keys()
            .flat_map(|(_, name)| self.members_of_any(holder, name))
        {
            let machine = thing.machine().unwrap_or_default();
            for kind in [Kind::Machine, Kind::NodeBundle] {
                if let Some(ground) = self.things.get(holder, &ResourceKey::new(kind, machine)) {
                    copy.things.put(ground.clone());
                }
            }
            copy.things.put(thing.clone());
        }
        copy
    }
}

/// The effect that writes an etcd cluster of `holder` down.
pub(super) fn etcd_effect(holder: &Holder, name: &str, state: Option<EtcdCluster>) -> Option<Effect> {
    let Holder::Cluster { uid, .. } = holder else {
        return None;
    };
    Some(Effect::Etcd {
        cluster: uid.clone(),
        name: name.to_owned(),
        state,
    })
}

/// The effect that makes a member a voter.
pub(super) fn promoted(thing: &Thing, member: &EtcdMember) -> Effect {
    let mut thing = thing.clone();
    thing.busy_until = None;
    thing.resource = voter(member);
    Effect::Put(Box::new(thing))
}

fn voter(member: &EtcdMember) -> Resource {
    Resource::EtcdMember(EtcdMember {
        phase: MemberPhase::Voter,
        ..member.clone()
    })
}

fn would_split(name: &str) -> ProviderError {
    permanent(format!(
        "etcd {name} has formed already: a member that starts as an initial one would split it"
    ))
    .with_help("let the member join the living cluster")
}
