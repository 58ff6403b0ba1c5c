//! How a cluster is doing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keelson_provider_api::kinds::{MachineRole, MemberPhase};
use keelson_provider_api::values::{ClusterName, Version};
use keelson_provider_api::{Existing, Health, Kind, Observation, Observed, Resource, ResourceKey};
use serde::Serialize;

use super::error::OperationError;
use super::planning::Planned;
use super::session::Session;
use crate::execute::{Interrupt, LeaseRecord, Reporter, lease};
use crate::model::Blueprint;
use crate::spec::ValidSpec;

/// How often [`Session::wait_until_healthy`] looks.
const POLL: std::time::Duration = std::time::Duration::from_secs(5);

/// How a cluster is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// The cluster.
    pub name: ClusterName,
    /// When the world was looked at, in the providers' time.
    pub observed_at: Timestamp,
    /// True when there is such a cluster.
    pub exists: bool,
    /// How it is as a whole.
    pub condition: Condition,
    /// What is wrong, the worst first.
    pub problems: Vec<Problem>,
    /// Host and port of the API.
    pub endpoint: String,
    /// The machines.
    pub machines: Vec<MachineStatus>,
    /// The etcd clusters, by name.
    pub etcd: BTreeMap<String, EtcdStatus>,
    /// The control planes.
    pub control_planes: Vec<ControlPlaneStatus>,
    /// The nodes.
    pub nodes: Vec<NodeStatus>,
    /// The last snapshot of etcd, if there is one.
    pub last_snapshot: Option<SnapshotStatus>,
    /// How many changes an apply would make now.
    pub pending_changes: usize,
    /// How many resources an apply could not touch now.
    pub blocked: usize,
    /// Who is changing the cluster now, if anyone is.
    pub lease: Option<LeaseRecord>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The resource that it is wrong with; nothing where it concerns the cluster as a whole.
    pub resource: Option<ResourceKey>,
    /// What is wrong: a lower-case fragment.
    pub problem: String,
}

/// How a cluster is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Everything that should be there is there and does its work.
    Healthy,
    /// It serves, and something is not as it should be.
    Degraded,
    /// The API does not answer.
    Down,
    /// There is no such cluster.
    Absent,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineStatus {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it is for.
    pub roles: Vec<MachineRole>,
    /// The provider's name for it.
    pub id: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// Facts: addresses, zone.
    pub facts: BTreeMap<String, String>,
}

/// An etcd cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EtcdStatus {
    /// True when more than half of the voters answer.
    pub quorum: bool,
    /// Its members.
    pub members: Vec<MemberStatus>,
}

/// A member of an etcd cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberStatus {
    /// Its machine.
    pub machine: String,
    /// How far it is on its way to voting.
    pub phase: MemberPhase,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// Facts: revision, size.
    pub facts: BTreeMap<String, String>,
}

/// API server, controller manager and scheduler on one machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlPlaneStatus {
    /// Its machine.
    pub machine: String,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// A Kubernetes node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// The version of its kubelet.
    pub version: Option<Version>,
    /// True when it is Ready.
    pub ready: bool,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
}

/// A snapshot of etcd.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// The etcd cluster and the time.
    pub name: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What it was taken before.
    pub purpose: String,
}

impl Session {
    /// Looks at the world and says how the cluster is doing.
    ///
    /// # Errors
    /// When the state store cannot be read.
    pub async fn status(&self, reporter: &dyn Reporter) -> Result<ClusterStatus, OperationError> {
        let planned = self.plan(reporter).await?;
        let exists = self.identity().await?.uid.is_some();
        let held = lease::holder(self.store(), self.spec().name()).await?;
        let lease = held.filter(|lease| !lease.released && lease.expires_at > self.parts.lease_clock.now());
        Ok(self.summarise(&planned, exists, lease))
    }

    /// Looks again and again until the cluster is healthy and as the spec says.
    ///
    /// # Errors
    /// [`OperationError::TimedOut`] when it is not by `deadline`; [`OperationError::Interrupted`] when asked to stop.
    pub async fn wait_until_healthy(
        &self,
        patience: std::time::Duration,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let clock = self.parts.lease_clock.clone();
        let deadline = clock.now().checked_add(patience).unwrap_or(Timestamp::MAX);
        loop {
            let status = self.status(reporter).await?;
            if status.condition == Condition::Healthy && status.pending_changes == 0 {
                return Ok(status);
            }
            if clock.now() >= deadline {
                return Err(OperationError::TimedOut(deadline));
            }
            tokio::select! {
                () = clock.sleep(POLL) => {}
                () = interrupt.stopped() => return Err(OperationError::Interrupted(None)),
            }
        }
    }

    fn summarise(&self, planned: &Planned, exists: bool, lease: Option<LeaseRecord>) -> ClusterStatus {
        let observation = &planned.observation;
        let etcd = etcd(observation);
        let control_planes = control_planes(observation);
        let mut status = ClusterStatus {
            name: self.spec().name().clone(),
            observed_at: observation.taken_at(),
            exists,
            condition: Condition::Absent,
            problems: Vec::new(),
            endpoint: endpoint(self.spec(), observation),
            machines: machines(observation),
            etcd,
            control_planes,
            nodes: nodes(observation),
            last_snapshot: last_snapshot(observation),
            pending_changes: planned.plan.steps().len(),
            blocked: planned.report.blocked.len(),
            lease,
        };
        status.problems = problems(&status, planned);
        status.condition = condition(&status);
        status
    }
}

fn problem(existing: &Existing) -> Option<String> {
    match &existing.health {
        Health::Healthy => None,
        Health::Unhealthy(reason) => Some(reason.clone()),
    }
}

fn machines(observation: &Observation) -> Vec<MachineStatus> {
    let of = |key: &ResourceKey, existing: &Existing| match &existing.resource {
        Resource::Machine(machine) => Some(MachineStatus {
            name: key.name().to_owned(),
            group: machine.group.clone(),
            roles: machine.roles.iter().copied().collect(),
            id: existing.id.clone(),
            problem: problem(existing),
            facts: existing.facts.clone(),
        }),
        _ => None,
    };
    observation
        .owned_of(Kind::Machine)
        .filter_map(|(key, existing)| of(key, existing))
        .collect()
}

fn etcd(observation: &Observation) -> BTreeMap<String, EtcdStatus> {
    let mut clusters: BTreeMap<String, EtcdStatus> = BTreeMap::new();
    for (_, existing) in observation.owned_of(Kind::EtcdMember) {
        let Resource::EtcdMember(member) = &existing.resource else {
            continue;
        };
        clusters
            .entry(member.cluster.clone())
            .or_default()
            .members
            .push(MemberStatus {
                machine: member.machine.clone(),
                phase: member.phase,
                problem: problem(existing),
                facts: existing.facts.clone(),
            });
    }
    for cluster in clusters.values_mut() {
        let voters = cluster
            .members
            .iter()
            .filter(|member| member.phase == MemberPhase::Voter);
        let (total, healthy) = voters.fold((0, 0), |(total, healthy), member| {
            (total + 1, healthy + usize::from(member.problem.is_none()))
        });
        cluster.quorum = healthy > total / 2;
    }
    clusters
}

fn control_planes(observation: &Observation) -> Vec<ControlPlaneStatus> {
    observation
        .owned_of(Kind::ControlPlane)
        .map(|(key, existing)| ControlPlaneStatus {
            machine: key.name().to_owned(),
            problem: problem(existing),
        })
        .collect()
}

fn nodes(observation: &Observation) -> Vec<NodeStatus> {
    let version = |name: &str| match &observation
        .present(&ResourceKey::new(Kind::NodeBundle, name))?
        .resource
    {
        Resource::NodeBundle(bundle) => bundle.kubernetes_version,
        _ => None,
    };
    let of = |key: &ResourceKey, existing: &Existing| match &existing.resource {
        Resource::Node(node) => Some(NodeStatus {
            name: key.name().to_owned(),
            group: node.group.clone(),
            version: version(key.name()),
            ready: existing.health.is_healthy(),
            problem: problem(existing),
        }),
        _ => None,
    };
    observation
        .owned_of(Kind::Node)
        .filter_map(|(key, existing)| of(key, existing))
        .collect()
}

fn last_snapshot(observation: &Observation) -> Option<SnapshotStatus> {
    observation
        .owned_of(Kind::EtcdSnapshot)
        .max_by_key(|(_, existing)| existing.created_at)
        .and_then(|(key, existing)| match &existing.resource {
            Resource::EtcdSnapshot(snapshot) => Some(SnapshotStatus {
                name: key.name().to_owned(),
                taken_at: existing.created_at,
                purpose: snapshot.purpose.clone(),
            }),
            _ => None,
        })
}

/// Host and port of the API. A cloud gives its load balancers their names, so those are known only once seen.
pub(super) fn endpoint(spec: &ValidSpec, observation: &Observation) -> String {
    let planned = Blueprint::of(spec).endpoint();
    let seen = planned.rsplit_once(':').and_then(|(key, port)| {
        let key: ResourceKey = key.parse().ok()?;
        let facts = &observation.present(&key)?.facts;
        let host = facts.get("hostname").or_else(|| facts.get("address"))?;
        Some(format!("{host}:{port}"))
    });
    seen.unwrap_or(planned)
}

fn problems(status: &ClusterStatus, planned: &Planned) -> Vec<Problem> {
    let general = |problem: String| Problem {
        resource: None,
        problem,
    };
    let of = |key: &ResourceKey, problem: String| Problem {
        resource: Some(key.clone()),
        problem,
    };
    let mut problems = Vec::new();
    if !status.exists {
        return problems;
    }
    for (kind, reason) in planned.observation.unknown_kinds() {
        problems.push(general(format!("nothing is known of each {kind}: {reason}")));
    }
    for (name, etcd) in &status.etcd {
        if !etcd.quorum {
            problems.push(general(format!("etcd cluster `{name}` has no quorum")));
        }
    }
    if !status
        .control_planes
        .iter()
        .any(|control_plane| control_plane.problem.is_none())
    {
        problems.push(general("no API server answers".to_owned()));
    }
    for (key, observed) in planned.observation.entries() {
        match observed {
            Observed::Present(existing) if existing.owner == keelson_provider_api::Owner::ThisCluster => {
                problems.extend(problem(existing).map(|reason| of(key, reason)));
            }
            Observed::Unknown(reason) => problems.push(of(key, format!("unknown: {reason}"))),
            _ => {}
        }
    }
    problems
}

fn condition(status: &ClusterStatus) -> Condition {
    let api_answers = status
        .control_planes
        .iter()
        .any(|control_plane| control_plane.problem.is_none());
    if !status.exists {
        Condition::Absent
    } else if !status.control_planes.is_empty() && !api_answers {
        Condition::Down
    } else if status.problems.is_empty() && status.pending_changes == 0 && status.blocked == 0 {
        Condition::Healthy
    } else {
        Condition::Degraded
    }
}
