//! From an observation to a status.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::kinds::MachineRole;
use keelson_provider_api::values::Version;
use keelson_provider_api::{EtcdInstance, Existing, Kind, Observation, Observed, Resource, ResourceKey};

use super::{
    ClusterStatus, Condition, ControlPlaneStatus, EtcdStatus, MachineStatus, MemberStatus, NodeStatus,
    last_snapshots, yet_to_come,
};
use crate::execute::LeaseRecord;
use crate::ops::endpoint::endpoint;
use crate::ops::identity::ClusterRecord;
use crate::ops::planning::Planned;
use crate::ops::session::Session;
use crate::plan::{self, Problem};
use crate::spec::EtcdPlacement;

impl Session {
    pub(in crate::ops) fn summarise(
        &self,
        planned: &Planned,
        record: Option<&ClusterRecord>,
        lease: Option<LeaseRecord>,
    ) -> ClusterStatus {
        let observation = &planned.observation;
        let etcd = etcd(observation);
        let control_planes = control_planes(observation);
        let mut status = ClusterStatus {
            name: self.spec().name().clone(),
            observed_at: observation.taken_at(),
            exists: record.is_some(),
            condition: Condition::Absent,
            problems: Vec::new(),
            warnings: Vec::new(),
            endpoint: endpoint(self.spec(), observation),
            machines: machines(planned),
            etcd,
            control_planes,
            nodes: nodes(observation),
            certificates: None,
            ends_at: record.and_then(|record| self.end_of(record)),
            last_snapshot: None,
            last_snapshots: last_snapshots::observed(self.own_etcds(), observation),
            pending_changes: planned.plan.steps().len(),
            yet_to_come: Vec::new(),
            blocked: planned.report.blocked.len(),
            lease,
        };
        let has_api = !self.spec().is_etcd_alone();
        status.problems = problems(&status, planned, has_api);
        status.yet_to_come = yet_to_come::yet_to_come(planned, status.problems.is_empty());
        status.problems.extend(unlike_spec(&status));
        status.condition = condition(&status, has_api);
        status
    }

    /// The etcds that are this cluster's: none where someone else runs them, and takes snapshots of them.
    fn own_etcds(&self) -> &'static [&'static EtcdInstance] {
        let etcd = &self.spec().etcd;
        match etcd.placement {
            EtcdPlacement::External(_) => &[],
            _ => etcd.instances(),
        }
    }

    /// When the lifetime that the spec gives the cluster is over.
    fn end_of(&self, record: &ClusterRecord) -> Option<Timestamp> {
        let lifetime = self.spec().spec().lifetime?;
        record.created_at.checked_add(lifetime.as_duration()).ok()
    }
}

fn problem(existing: &Existing) -> Option<String> {
    existing.health.trouble().map(str::to_owned)
}

/// The machines that are seen, and those that are not and may be there.
fn machines(planned: &Planned) -> Vec<MachineStatus> {
    let observation = &planned.observation;
    let of = |key: &ResourceKey, existing: &Existing| match &existing.resource {
        Resource::Machine(machine) => Some(MachineStatus {
            name: key.name().to_owned(),
            group: machine.group.clone(),
            roles: machine.roles.iter().copied().collect(),
            id: existing.id.clone(),
            problem: problem(existing),
            facts: existing.facts.clone(),
        }),
        Resource::GroupMachine(machine) => Some(MachineStatus {
            name: key.name().to_owned(),
            group: machine.group.clone(),
            roles: vec![MachineRole::Worker],
            id: existing.id.clone(),
            problem: problem(existing),
            facts: existing.facts.clone(),
        }),
        _ => None,
    };
    let kinds = [Kind::Machine, Kind::GroupMachine].into_iter();
    let seen = kinds
        .flat_map(|kind| observation.owned_of(kind))
        .filter_map(|(key, existing)| of(key, existing));
    let mut machines: Vec<MachineStatus> = seen.chain(unseen_machines(planned)).collect();
    machines.sort_by(|one, other| one.name.cmp(&other.name));
    machines
}

/// The machines of which nobody can tell whether they are there: why stands among the problems.
fn unseen_machines(planned: &Planned) -> impl Iterator<Item = MachineStatus> {
    let observation = &planned.observation;
    let wanted = &planned.desired.resources;
    let keys: BTreeSet<&ResourceKey> = wanted
        .keys()
        .chain(observation.entries().map(|(key, _)| key))
        .filter(|key| key.kind() == Kind::Machine)
        .filter(|key| matches!(observation.get(key), Observed::Unknown(_)))
        .collect();
    keys.into_iter().map(|key| {
        let machine = match wanted.get(key).map(|wanted| &wanted.resource) {
            Some(Resource::Machine(machine)) => Some(machine),
            _ => None,
        };
        MachineStatus {
            name: key.name().to_owned(),
            group: machine.map(|machine| machine.group.clone()).unwrap_or_default(),
            roles: machine
                .map(|machine| machine.roles.iter().copied().collect())
                .unwrap_or_default(),
            id: String::new(),
            problem: Some("unknown".to_owned()),
            facts: BTreeMap::new(),
        }
    })
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
    for (name, health) in plan::etcd_clusters(observation) {
        clusters.entry(name).or_default().quorum = health.has_quorum();
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
    let in_groups = versions_in_groups(observation);
    let of_bundle = |name: &str| match &observation
        .present(&ResourceKey::new(Kind::NodeBundle, name))?
        .resource
    {
        Resource::NodeBundle(bundle) => bundle.kubernetes_version,
        _ => None,
    };
    let version = |name: &str| of_bundle(name).or_else(|| in_groups.get(name).copied());
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

/// The versions on machines that groups have made, by node: of those that were started from what their groups start machines
/// from now.
fn versions_in_groups(observation: &Observation) -> BTreeMap<&str, Version> {
    let mut versions = BTreeMap::new();
    for (_, existing) in observation.owned_of(Kind::GroupMachine) {
        let Resource::GroupMachine(machine) = &existing.resource else {
            continue;
        };
        let group = observation.present(&ResourceKey::new(Kind::NodeGroup, &*machine.group));
        if let Some(Resource::NodeGroup(group)) = group.map(|group| &group.resource)
            && group.template() == machine.template
        {
            versions.insert(machine.node.as_str(), group.kubernetes_version);
        }
    }
    versions
}

fn problems(status: &ClusterStatus, planned: &Planned, has_api: bool) -> Vec<Problem> {
    let observation = &planned.observation;
    if !status.exists {
        return Vec::new();
    }
    let restore = planned.report.restore.iter();
    let restore = restore.map(|restore| Problem::of_all(format!("{}; {}", restore.reason, restore.help)));
    let unseen = observation
        .unknown_kinds()
        .map(|(kind, reason)| Problem::of_all(format!("nothing is known of each {kind}: {reason}")));
    let wanted = planned.desired.resources.keys();
    let missing = wanted
        .filter(|key| SERVING_KINDS.contains(&key.kind()))
        .filter(|key| matches!(observation.get(key), Observed::Absent))
        .map(|key| Problem {
            resource: Some(key.clone()),
            problem: "not there yet".to_owned(),
        });
    let wrong = plan::problems(observation, has_api);
    let mut problems: Vec<Problem> = restore.chain(unseen).chain(wrong).chain(missing).collect();
    let blocked = blocked(planned, &problems);
    problems.extend(blocked);
    problems
}

/// That an apply would change something, where nothing else is wrong.
fn unlike_spec(status: &ClusterStatus) -> Option<Problem> {
    let words = match (status.problems.is_empty(), status.pending_changes) {
        (false, _) | (_, 0) => return None,
        (_, 1) => "it is not as the spec says in one thing; `keelson plan` shows it".to_owned(),
        (_, changes) => format!("it is not as the spec says in {changes} things; `keelson plan` shows them"),
    };
    Some(Problem::of_all(words))
}

/// What an apply could not touch, where nothing else that is said tells of it: it works, and is not what the spec asks for.
fn blocked(planned: &Planned, told: &[Problem]) -> Vec<Problem> {
    let told: BTreeSet<&ResourceKey> = told
        .iter()
        .filter_map(|problem| problem.resource.as_ref())
        .collect();
    let blocked = planned.report.blocked.iter();
    blocked
        .filter(|blocked| blocked.follows.is_none() && !told.contains(&blocked.key))
        .map(|blocked| Problem {
            resource: Some(blocked.key.clone()),
            problem: format!("blocked: {}", blocked.reason),
        })
        .collect()
}

/// What serves, and is missed when the spec asks for it.
const SERVING_KINDS: [Kind; 5] = [
    Kind::Machine,
    Kind::EtcdMember,
    Kind::ControlPlane,
    Kind::NodeGroup,
    Kind::Node,
];

fn api_answers(status: &ClusterStatus) -> bool {
    let mut control_planes = status.control_planes.iter();
    control_planes.any(|control_plane| control_plane.problem.is_none())
}

/// A cluster is down when what it is for does not answer: its API, or where it is etcd alone, etcd.
fn condition(status: &ClusterStatus, has_api: bool) -> Condition {
    let answers = if has_api {
        api_answers(status)
    } else {
        status.etcd.get("main").is_some_and(|etcd| etcd.quorum)
    };
    if !status.exists {
        Condition::Absent
    } else if !answers {
        Condition::Down
    } else if status.problems.is_empty() && status.pending_changes == 0 && status.blocked == 0 {
        Condition::Healthy
    } else {
        Condition::Degraded
    }
}
