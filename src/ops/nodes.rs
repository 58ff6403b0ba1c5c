//! The machines of a cluster, one by one: those that the spec asks for, and those that are there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::kinds::{GroupMachine, Machine, MachineRole};
use keelson_provider_api::values::{ClusterName, Version};
use keelson_provider_api::{
    ClusterIdentity, Existing, Kind, Observation, Observed, Owner, Resource, ResourceKey,
};
use serde::Serialize;

use super::error::OperationError;
use super::session::Session;
use crate::execute::observe::observe;
use crate::execute::{Event, Reporter};
use crate::plan::DesiredState;

/// What lives on a machine and can be unwell, from the ground up.
const KINDS: [Kind; 7] = [
    Kind::Machine,
    Kind::NodeBundle,
    Kind::EtcdMember,
    Kind::ControlPlane,
    Kind::NodeGroup,
    Kind::GroupMachine,
    Kind::Node,
];

/// The machines of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeList {
    /// The cluster.
    pub name: ClusterName,
    /// When the world was looked at, in the providers' time.
    pub observed_at: Timestamp,
    /// The machines, by name.
    pub nodes: Vec<NodeEntry>,
}

/// A machine, and what it runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEntry {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// What it is for.
    pub roles: BTreeSet<MachineRole>,
    /// Where it is reached, if that is known.
    pub address: Option<String>,
    /// True for one that the spec asks for.
    pub in_spec: bool,
    /// How it is.
    pub state: NodeState,
    /// What is wrong with it, if anything.
    pub problem: Option<String>,
    /// The release of Kubernetes in force on it.
    pub kubernetes_version: Option<Version>,
    /// The release of etcd in force on it.
    pub etcd_version: Option<Version>,
    /// Whether it runs what the spec asks for.
    pub bundle: BundleState,
    /// The parts of its configuration that differ from the spec.
    pub outdated: Vec<String>,
}

/// How a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It and everything on it does its work.
    Ready,
    /// Something on it does not.
    Unwell,
    /// It is not part of the cluster yet.
    Absent,
    /// It belongs to someone else.
    Foreign,
    /// It could not be looked at.
    Unknown,
}

/// Whether a machine runs what the spec asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BundleState {
    /// It does.
    Current,
    /// It runs something else, which an apply changes.
    Outdated,
    /// It has not been configured yet.
    Absent,
    /// It is not in the spec, so nothing is asked of it.
    Unwanted,
    /// It could not be looked at.
    Unknown,
}

impl Session {
    /// Looks at the cluster's machines, and at what each of them runs. Nothing is touched.
    ///
    /// # Errors
    /// When the state store cannot be read, or what machines run cannot be rendered.
    pub async fn nodes(&self, reporter: &dyn Reporter) -> Result<NodeList, OperationError> {
        self.drive(async {
            let identity = self.identity().await?;
            let desired = self.desired_state()?;
            reporter.report(&Event::Observing);
            let wanted = desired.resources.keys();
            let observation = observe(self.providers(), self.clock(), &identity, &KINDS, wanted).await;
            Ok(list(&identity, &desired, &observation))
        })
        .await
    }
}

fn list(identity: &ClusterIdentity, desired: &DesiredState, observation: &Observation) -> NodeList {
    let mut machines: BTreeMap<&str, &Machine> = BTreeMap::new();
    for (key, existing) in observation.owned_of(Kind::Machine) {
        if let Resource::Machine(machine) = &existing.resource {
            machines.insert(key.name(), machine);
        }
    }
    let mut in_spec = BTreeSet::new();
    for (key, wanted) in &desired.resources {
        if let Resource::Machine(machine) = &wanted.resource {
            machines.insert(key.name(), machine);
            in_spec.insert(key.name());
        }
    }
    let entry = |(name, machine): (&str, &Machine)| {
        entry(name, machine, in_spec.contains(name), desired, observation)
    };
    let of_groups = observation.owned_of(Kind::GroupMachine);
    let of_groups = of_groups.filter_map(|(_, existing)| match &existing.resource {
        Resource::GroupMachine(machine) => Some(entry_of_group(existing, machine, desired, observation)),
        _ => None,
    });
    let mut nodes: Vec<NodeEntry> = machines.into_iter().map(entry).chain(of_groups).collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    NodeList {
        name: identity.name.clone(),
        observed_at: observation.taken_at(),
        nodes,
    }
}

/// A machine that a group has made: the spec asks for its group.
fn entry_of_group(
    existing: &Existing,
    machine: &GroupMachine,
    desired: &DesiredState,
    observation: &Observation,
) -> NodeEntry {
    let (state, problem) = match observation.get(&ResourceKey::new(Kind::Node, &*machine.node)) {
        Observed::Present(node) => match node.health.trouble() {
            None => (NodeState::Ready, None),
            Some(trouble) => (NodeState::Unwell, Some(format!("{}: {trouble}", Kind::Node))),
        },
        Observed::Absent => (NodeState::Absent, None),
        Observed::Unknown(reason) => (NodeState::Unknown, Some(reason)),
    };
    let group = ResourceKey::new(Kind::NodeGroup, &*machine.group);
    let version = |group: Option<&Resource>| match group? {
        Resource::NodeGroup(group) if group.template() == machine.template => Some(group.kubernetes_version),
        _ => None,
    };
    let wanted = desired.resources.get(&group).map(|wanted| &wanted.resource);
    let seen = observation.present(&group).map(|seen| &seen.resource);
    let bundle = match (wanted, version(wanted)) {
        (None, _) => BundleState::Unwanted,
        (Some(_), Some(_)) => BundleState::Current,
        (Some(_), None) => BundleState::Outdated,
    };
    NodeEntry {
        name: machine.node.clone(),
        group: machine.group.clone(),
        roles: BTreeSet::from([MachineRole::Worker]),
        address: existing.facts.get("address").cloned(),
        in_spec: wanted.is_some(),
        state,
        problem,
        kubernetes_version: version(wanted).or_else(|| version(seen)),
        etcd_version: None,
        bundle,
        outdated: (bundle == BundleState::Outdated)
            .then(|| "template".to_owned())
            .into_iter()
            .collect(),
    }
}

fn entry(
    name: &str,
    machine: &Machine,
    in_spec: bool,
    desired: &DesiredState,
    observation: &Observation,
) -> NodeEntry {
    let seen = observation.get(&ResourceKey::new(Kind::Machine, name));
    let (state, problem) = match &seen {
        Observed::Absent => (NodeState::Absent, None),
        Observed::Unknown(reason) => (NodeState::Unknown, Some(reason.clone())),
        Observed::Present(existing) => match &existing.owner {
            Owner::Other(owner) => (NodeState::Foreign, Some(format!("it belongs to {owner}"))),
            Owner::ThisCluster => match trouble(name, desired, observation) {
                None => (NodeState::Ready, None),
                Some(problem) => (NodeState::Unwell, Some(problem)),
            },
        },
    };
    let address = || match &seen {
        Observed::Present(existing) => existing.facts.get("address").cloned(),
        _ => None,
    };
    let key = ResourceKey::new(Kind::NodeBundle, name);
    let running = observation.get(&key);
    let (bundle, outdated) = bundle(desired, &key, &running);
    let (kubernetes_version, etcd_version) = match &running {
        Observed::Present(Existing {
            resource: Resource::NodeBundle(bundle),
            owner: Owner::ThisCluster,
            ..
        }) => (bundle.kubernetes_version, bundle.etcd_version),
        _ => (None, None),
    };
    NodeEntry {
        name: name.to_owned(),
        group: machine.group.clone(),
        roles: machine.roles.clone(),
        address: machine.address.clone().or_else(address),
        in_spec,
        state,
        problem,
        kubernetes_version,
        etcd_version,
        bundle,
        outdated,
    }
}

fn bundle(
    desired: &DesiredState,
    key: &ResourceKey,
    running: &Observed<&Existing>,
) -> (BundleState, Vec<String>) {
    let Some(wanted) = desired.resources.get(key) else {
        return (BundleState::Unwanted, Vec::new());
    };
    match running {
        Observed::Unknown(_) => (BundleState::Unknown, Vec::new()),
        Observed::Absent => (BundleState::Absent, Vec::new()),
        Observed::Present(existing) if existing.owner != Owner::ThisCluster => {
            (BundleState::Absent, Vec::new())
        }
        Observed::Present(existing) => {
            let differences = existing.resource.differences(&wanted.resource).into_iter();
            let fields: Vec<String> = differences.map(|difference| difference.field).collect();
            if fields.is_empty() {
                (BundleState::Current, fields)
            } else {
                (BundleState::Outdated, fields)
            }
        }
    }
}

/// The first thing that is wrong with what the cluster has on the machine `name`, or should have.
fn trouble(name: &str, desired: &DesiredState, observation: &Observation) -> Option<String> {
    let on_machine =
        |key: &ResourceKey| KINDS.contains(&key.kind()) && key.host().unwrap_or(key.name()) == name;
    let wanted = desired.resources.keys().filter(|key| on_machine(key));
    let owned = observation
        .owned()
        .map(|(key, _)| key)
        .filter(|key| on_machine(key));
    let keys: BTreeSet<&ResourceKey> = wanted.chain(owned).collect();
    keys.into_iter().find_map(|key| {
        let what = || match key.etcd_cluster() {
            Some(cluster) => format!("etcd {cluster}"),
            None => key.kind().to_string(),
        };
        match observation.get(key) {
            Observed::Present(existing) => {
                let trouble = existing.health.trouble()?;
                Some(format!("{}: {trouble}", what()))
            }
            Observed::Absent => Some(format!("{}: not there yet", what())),
            Observed::Unknown(reason) => Some(format!("{}: {reason}", what())),
        }
    })
}
