//! How a cluster's etcd is, member by member.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase};
use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    EtcdMemberFacts, Existing, Kind, Observation, Observed, Owner, Resource, ResourceKey, with_causes,
};
use serde::Serialize;

use crate::execute::observe::observe;
use crate::execute::{Event, Reporter};
use crate::ops::{OperationError, Session};
use crate::plan::{DesiredState, EtcdHealth};
use crate::spec::EtcdPlacement;

/// How a cluster's etcd is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdReport {
    /// The cluster.
    pub name: ClusterName,
    /// When the world was looked at, in the providers' time.
    pub observed_at: Timestamp,
    /// True when every etcd cluster is.
    pub healthy: bool,
    /// A restore that has begun and did not come to its end, in words, or why it is not known whether one has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<String>,
    /// The etcd clusters, by name: `main`, and `events` where events have their own.
    pub clusters: BTreeMap<String, EtcdClusterReport>,
}

/// How one etcd cluster is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdClusterReport {
    /// True when every member is there, votes and is well, and none has raised an alarm.
    pub healthy: bool,
    /// True when more than half of the voters answer.
    pub quorum: bool,
    /// How many vote.
    pub voters: usize,
    /// How many of them are well.
    pub healthy_voters: usize,
    /// The leader's machine, if anyone says that it leads.
    pub leader: Option<String>,
    /// Its members, and those that it should have.
    pub members: Vec<EtcdMemberReport>,
}

/// How one member is. What it says of itself is missing where it does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdMemberReport {
    /// Its machine.
    pub machine: String,
    /// Its id in hexadecimal, once it is in the list of members.
    pub id: Option<String>,
    /// The URL under which it serves clients.
    pub client_url: Option<String>,
    /// How far it is on its way to voting; nothing for one that is not there or could not be looked at.
    pub phase: Option<MemberPhase>,
    /// What is wrong with it, or why nothing is known of it.
    pub problem: Option<String>,
    /// True for one that does its part, whatever is wrong with it; for programs the number of all that do is enough.
    #[serde(skip)]
    pub serves: bool,
    /// True for the leader.
    pub is_leader: bool,
    /// Its release.
    pub version: Option<String>,
    /// The size of its database's file.
    pub database_bytes: Option<u64>,
    /// How much of that holds data.
    pub database_in_use_bytes: Option<u64>,
    /// The revision of its keys.
    pub revision: Option<u64>,
    /// The term of the election.
    pub raft_term: Option<u64>,
    /// The last entry of the log that it knows to be committed.
    pub raft_index: Option<u64>,
    /// How many entries its database is behind the newest that any member knows. Members are not asked at the very same
    /// moment, so a few mean nothing.
    pub raft_lag: Option<u64>,
    /// The alarms that it has raised.
    pub alarms: Vec<String>,
    /// How long it took to answer, asked on its own machine.
    pub latency_ms: Option<u64>,
}

impl Session {
    /// Asks every member of the cluster's etcd how it is. Nothing is touched.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] before the first apply, [`OperationError::ExternalEtcd`] where someone else runs
    /// etcd.
    pub async fn etcd_report(&self, reporter: &dyn Reporter) -> Result<EtcdReport, OperationError> {
        if let EtcdPlacement::External(_) = self.spec().etcd.placement {
            return Err(OperationError::ExternalEtcd(self.spec().name().clone()));
        }
        let work = async {
            let mut report = self.look_at_etcd(reporter).await?;
            report.restore = match self.begun_restore().await {
                Ok(begun) => {
                    begun.map(|begun| format!("{}; `keelson etcd restore` goes on with it", begun.refusal()))
                }
                Err(error) => Some(format!(
                    "whether a restore has begun is not known: {}",
                    with_causes(&error)
                )),
            };
            Ok(report)
        };
        self.drive(work).await
    }

    /// The same within an operation, whose clock is running.
    pub(in crate::ops) async fn look_at_etcd(
        &self,
        reporter: &dyn Reporter,
    ) -> Result<EtcdReport, OperationError> {
        let identity = self.existing_identity().await?;
        let desired = self.desired_state()?;
        reporter.report(&Event::Observing);
        let wanted = desired.resources.keys();
        let kinds = [Kind::EtcdMember];
        let observation = observe(self.providers(), self.clock(), &identity, &kinds, wanted).await;
        Ok(report(identity.name, &desired, &observation))
    }
}

fn report(name: ClusterName, desired: &DesiredState, observation: &Observation) -> EtcdReport {
    let mut clusters: BTreeMap<String, EtcdClusterReport> = BTreeMap::new();
    let is_member = |key: &&ResourceKey| key.kind() == Kind::EtcdMember;
    let wanted = desired.resources.keys().filter(is_member);
    let owned = observation.owned_of(Kind::EtcdMember).map(|(key, _)| key);
    let keys: std::collections::BTreeSet<&ResourceKey> = wanted.chain(owned).collect();
    for key in keys {
        let Some((cluster, machine)) = EtcdMember::parse_name(key.name()) else {
            continue;
        };
        let member = member(machine, observation.get(key));
        clusters
            .entry(cluster.to_owned())
            .or_default()
            .members
            .push(member);
    }
    clusters.values_mut().for_each(conclude);
    EtcdReport {
        name,
        observed_at: observation.taken_at(),
        healthy: !clusters.is_empty() && clusters.values().all(|cluster| cluster.healthy),
        restore: None,
        clusters,
    }
}

fn member(machine: &str, seen: Observed<&Existing>) -> EtcdMemberReport {
    let nothing = |problem: String| EtcdMemberReport {
        machine: machine.to_owned(),
        problem: Some(problem),
        ..EtcdMemberReport::default()
    };
    let existing = match seen {
        Observed::Absent => return nothing("it is not there yet".to_owned()),
        Observed::Unknown(reason) => return nothing(reason),
        Observed::Present(existing) => existing,
    };
    if let Owner::Other(owner) = &existing.owner {
        return nothing(format!("what is there belongs to {owner}"));
    }
    let EtcdMemberFacts {
        id,
        client_url,
        answer,
    } = EtcdMemberFacts::from_facts(&existing.facts);
    let answered = EtcdMemberReport {
        machine: machine.to_owned(),
        id,
        client_url,
        phase: match &existing.resource {
            Resource::EtcdMember(member) => Some(member.phase),
            _ => None,
        },
        problem: existing.health.trouble().map(str::to_owned),
        serves: existing.health.serves(),
        ..EtcdMemberReport::default()
    };
    let Some(answer) = answer else { return answered };
    EtcdMemberReport {
        is_leader: answer.is_leader,
        version: Some(answer.version),
        database_bytes: Some(answer.database_bytes),
        database_in_use_bytes: Some(answer.database_in_use_bytes),
        revision: Some(answer.revision),
        raft_term: Some(answer.raft_term),
        raft_index: Some(answer.raft_index),
        // Until the newest index of all is known.
        raft_lag: Some(answer.raft_applied_index),
        alarms: answer.alarms,
        latency_ms: answer.latency_ms,
        ..answered
    }
}

/// What follows from the members for the whole.
fn conclude(cluster: &mut EtcdClusterReport) {
    let newest = cluster
        .members
        .iter()
        .filter_map(|member| member.raft_index)
        .max();
    for member in &mut cluster.members {
        member.raft_lag = member
            .raft_lag
            .zip(newest)
            .map(|(applied, newest)| newest.saturating_sub(applied));
    }
    let mut health = EtcdHealth::default();
    for member in &cluster.members {
        if member.phase == Some(MemberPhase::Voter) {
            health.count(member.serves);
        }
    }
    (cluster.voters, cluster.healthy_voters) = (health.voters, health.healthy_voters);
    cluster.quorum = health.has_quorum();
    let leader = cluster.members.iter().find(|member| member.is_leader);
    cluster.leader = leader.map(|leader| leader.machine.clone());
    let is_well = |member: &EtcdMemberReport| {
        member.problem.is_none() && member.alarms.is_empty() && member.phase == Some(MemberPhase::Voter)
    };
    cluster.healthy = cluster.quorum && cluster.leader.is_some() && cluster.members.iter().all(is_well);
}
