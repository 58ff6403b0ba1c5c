//! What the planner knows of etcd: quorum, and whether a cluster has ever formed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use keelson_provider_api::kinds::{Difference, EtcdMember, MemberPhase, MemberStart};
use keelson_provider_api::{
    Action, Change, Existing, Health, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};

use super::desired::DesiredState;
use super::lost_data::{lost_all, lost_data};
use super::verdict::{Verdict, Verdicts};

/// True for a change that only starts a member which is stopped.
pub(super) fn starts(change: &Change) -> bool {
    change.key.kind() == Kind::EtcdMember
        && matches!(&change.action, Action::Update { differences, .. } if only_starts(differences))
}

/// True where a member differs in nothing but that it does not run.
pub(super) fn only_starts(differences: &[Difference]) -> bool {
    matches!(differences, [only] if only.field == "running")
}

/// An etcd cluster as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EtcdHealth {
    /// Members that vote.
    pub voters: usize,
    /// Members that vote and answer.
    pub healthy_voters: usize,
    /// Members that vote, and run without being able to serve.
    pub stalled_voters: usize,
    /// True when there is a member that votes or learns: the cluster has had a quorum once and has data.
    pub formed: bool,
    /// True where all of the data is lost: it has formed, and no machine has any.
    pub has_lost_its_data: bool,
}

impl EtcdHealth {
    /// Counts one more voter.
    pub fn count(&mut self, serves: bool) {
        self.voters += 1;
        self.healthy_voters += usize::from(serves);
    }

    /// True when more than half of the voters answer; without any voter there is no quorum.
    pub fn has_quorum(self) -> bool {
        self.healthy_voters > self.voters / 2
    }
}

impl fmt::Display for EtcdHealth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.has_lost_its_data {
            return formatter.write_str("has lost all its data: no machine has any");
        }
        // A member that answers has a quorum behind it: it may be the way to the others that is missing.
        let quorum = match self.healthy_voters {
            _ if self.has_quorum() => "has its quorum",
            0 => "has lost its quorum",
            _ => "shows no quorum from here",
        };
        write!(
            formatter,
            "{quorum}: {} of {} voting members answer",
            self.healthy_voters, self.voters
        )?;
        match self.stalled_voters {
            0 => Ok(()),
            1 => formatter.write_str(" with one, and 1 runs that waits for the others"),
            many => write!(formatter, " with one, and {many} run that wait for the others"),
        }
    }
}

/// The etcd clusters that were seen and hold data, by name.
pub fn clusters_with_data(observation: &Observation) -> BTreeSet<String> {
    let formed = clusters(observation)
        .into_iter()
        .filter(|(_, health)| health.formed);
    formed.map(|(name, _)| name).collect()
}

/// The etcd clusters that were seen, by name.
pub fn clusters(observation: &Observation) -> BTreeMap<String, EtcdHealth> {
    let mut clusters = BTreeMap::<String, EtcdHealth>::new();
    for (_, existing) in observation.owned_of(Kind::EtcdMember) {
        let Resource::EtcdMember(member) = &existing.resource else {
            continue;
        };
        let health = clusters.entry(member.cluster.clone()).or_default();
        health.formed |= member.phase != MemberPhase::Waiting;
        health.has_lost_its_data |= matches!(existing.health, Health::Lost(_));
        if member.phase == MemberPhase::Voter {
            health.count(existing.health.serves());
            health.stalled_voters += usize::from(matches!(existing.health, Health::Stalled(_)));
        }
    }
    clusters
}

/// Blocks what would cost data: member changes without a quorum, the removal of an only voter that no fellow follows, a new
/// cluster in place of one whose data is lost, and the end of a cluster of which a member cannot be seen.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    if desired.retires_cluster {
        keep_whole(verdicts, observation);
        return;
    }
    let clusters = clusters(observation);
    let wanted_clusters: BTreeSet<&str> = desired
        .resources
        .values()
        .filter_map(|wanted| match &wanted.resource {
            Resource::EtcdMember(member) => Some(member.cluster.as_str()),
            _ => None,
        })
        .collect();
    let growing = clusters_that_grow(verdicts, observation);
    let mut sole_voters_machines = Vec::new();
    for (key, verdict) in verdicts.iter_mut().filter(|(key, verdict)| {
        key.kind() == Kind::EtcdMember && !matches!(verdict, Verdict::ComesBack { .. })
    }) {
        let seen = observation.present(key).map(|existing| &existing.resource);
        let wanted = desired.resources.get(key).map(|wanted| &wanted.resource);
        let Some(Resource::EtcdMember(member)) = seen.or(wanted) else {
            continue;
        };
        let Some(&health) = clusters.get(&member.cluster).filter(|health| health.formed) else {
            if desired.etcd_with_data.contains(&member.cluster) && matches!(verdict, Verdict::Create { .. }) {
                *verdict = lost_data(member, desired, observation);
            }
            continue;
        };
        let changes_membership = matches!(
            verdict,
            Verdict::Create { .. } | Verdict::Replace { .. } | Verdict::Delete { .. }
        );
        let removes = matches!(verdict, Verdict::Replace { .. } | Verdict::Delete { .. });
        let votes = member_votes(seen);
        // It leaves after those that come, and stays where one of them cannot, or where one machine alone is seen to.
        let is_succeeded = matches!(verdict, Verdict::Delete { .. })
            && growing.contains(&member.cluster)
            && desired.only.is_none();
        if health.has_lost_its_data {
            *verdict = lost_all(member, &clusters, desired);
        } else if removes && !wanted_clusters.contains(member.cluster.as_str()) {
            *verdict = Verdict::blocked(
                format!(
                    "etcd cluster `{}` cannot be given up while the cluster lives",
                    member.cluster
                ),
                "put it back into the spec (`etcd.events`, `etcd.placement`), or make a new cluster",
            );
        } else if changes_membership && !health.has_quorum() {
            *verdict = lost_quorum(member, health);
        } else if removes && votes && health.voters == 1 && !is_succeeded {
            sole_voters_machines.push(member.machine.clone());
            *verdict = Verdict::blocked(
                format!(
                    "it is the only voting member of etcd cluster `{}`: its data would be lost",
                    member.cluster
                ),
                "raise the number of members first, or destroy the cluster, or restore a snapshot into a new one",
            );
        }
    }
    for machine in sole_voters_machines {
        protect_machine(verdicts, &machine);
    }
}

/// The etcd clusters that get voters which they did not have: new members, and learners whose join goes on.
fn clusters_that_grow(verdicts: &Verdicts, observation: &Observation) -> BTreeSet<String> {
    let becomes_voter = |key: &ResourceKey, verdict: &Verdict| match verdict {
        Verdict::Create { .. } => true,
        Verdict::Update { .. } => votes_not_yet(key, observation),
        _ => false,
    };
    verdicts
        .iter()
        .filter(|(key, verdict)| key.kind() == Kind::EtcdMember && becomes_voter(key, verdict))
        .filter_map(|(key, _)| Some(EtcdMember::parse_name(key.name())?.0.to_owned()))
        .collect()
}

/// Keeps everything of a cluster that ends while a machine with a member of etcd cannot be seen: without the others its data
/// would be gone, and with its part alone nobody could go back.
fn keep_whole(verdicts: &mut Verdicts, observation: &Observation) {
    let cannot_be_seen = |machine: &str| {
        let machine = ResourceKey::new(Kind::Machine, machine);
        matches!(observation.get(&machine), Observed::Unknown(_))
    };
    let may_be_ours = |observed: &Observed<Existing>| match observed {
        Observed::Present(existing) => existing.owner == Owner::ThisCluster,
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    };
    let mut members = observation
        .entries()
        .filter(|(key, observed)| key.kind() == Kind::EtcdMember && may_be_ours(observed))
        .filter_map(|(key, _)| EtcdMember::parse_name(key.name()));
    let Some((cluster, silent)) = members.find(|(_, machine)| cannot_be_seen(machine)) else {
        return;
    };
    for verdict in verdicts.values_mut() {
        if matches!(verdict, Verdict::Delete { .. }) {
            *verdict = Verdict::blocked(
                format!(
                    "machine/{silent} cannot be seen and has a member of etcd cluster `{cluster}`: the cluster's data \
                     would be lost while {silent} keeps its part"
                ),
                help_to_end_without(silent),
            );
        }
    }
}

/// How a cluster is ended of which the machine `name` does not answer.
pub(super) fn help_to_end_without(name: &str) -> String {
    format!(
        "nothing is removed that cannot be seen; run the command again when it can, or, if the machine is gone for good: \
         keelson destroy --gone {name}"
    )
}

/// True for a member that was not seen to vote.
pub(super) fn votes_not_yet(member: &ResourceKey, observation: &Observation) -> bool {
    !member_votes(observation.present(member).map(|existing| &existing.resource))
}

fn member_votes(seen: Option<&Resource>) -> bool {
    matches!(
        seen,
        Some(Resource::EtcdMember(EtcdMember {
            phase: MemberPhase::Voter,
            ..
        }))
    )
}

fn lost_quorum(member: &EtcdMember, health: EtcdHealth) -> Verdict {
    Verdict::blocked(
        format!("etcd cluster `{}` {health}", member.cluster),
        "bring the missing members back, or restore a snapshot; members cannot change without a quorum",
    )
}

/// Keeps everything on a machine that holds the only copy of the cluster's data.
fn protect_machine(verdicts: &mut Verdicts, machine: &str) {
    for (key, verdict) in verdicts.iter_mut() {
        let lives_there = match key.kind() {
            Kind::Machine | Kind::NodeBundle | Kind::ControlPlane | Kind::LoadBalancerTarget | Kind::Node => {
                key.name() == machine
            }
            _ => false,
        };
        if lives_there && matches!(verdict, Verdict::Replace { .. } | Verdict::Delete { .. }) {
            *verdict = Verdict::blocked(
                format!("machine/{machine} holds the only copy of etcd's data"),
                "raise the number of etcd members first, so that the data has another home",
            );
        }
    }
}

/// The member as it is to be created: with the cluster's founders when it has never formed, as a learner otherwise.
pub(super) fn started_as(member: &EtcdMember, clusters: &BTreeMap<String, EtcdHealth>) -> EtcdMember {
    let formed = clusters.get(&member.cluster).is_some_and(|health| health.formed);
    let start = if formed {
        MemberStart::Join
    } else {
        MemberStart::Initial
    };
    EtcdMember {
        start,
        ..member.clone()
    }
}
