//! What does not work, whatever the spec says of it.

use std::collections::BTreeSet;
use std::fmt;

use keelson_provider_api::{Kind, Observation, Observed, Owner, ResourceKey};
use serde::Serialize;

use super::desired::DesiredState;
use super::draft::Drafts;
use super::etcd;
use super::groups::group_of;
use super::lost_data::help_for_the_lost;
use super::report::Blocked;
use super::verdict::machine_of;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The resource that it is wrong with; nothing where it concerns the cluster as a whole.
    pub resource: Option<ResourceKey>,
    /// What is wrong: a lower-case fragment.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.resource {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.problem)
    }
}

impl Problem {
    /// A problem of the cluster as a whole.
    pub(crate) fn of_all(problem: impl Into<String>) -> Self {
        Self {
            resource: None,
            problem: problem.into(),
        }
    }
}

/// What does not work of what is there: of the cluster as a whole first, then by resource. `has_api` for a cluster that is to
/// have a Kubernetes API.
pub fn problems(observation: &Observation, has_api: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let clusters = etcd::clusters(observation);
    for (name, health) in &clusters {
        if health.has_lost_its_data {
            let help = help_for_the_lost(&clusters);
            problems.push(Problem::of_all(format!("etcd cluster `{name}` {health}; {help}")));
        } else if !health.formed {
            problems.push(Problem::of_all(format!(
                "etcd cluster `{name}` has not begun yet"
            )));
        } else if !health.has_quorum() {
            problems.push(Problem::of_all(format!("etcd cluster `{name}` {health}")));
        }
    }
    let mut control_planes = observation.owned_of(Kind::ControlPlane);
    if has_api && !control_planes.any(|(_, existing)| existing.health.is_healthy()) {
        problems.push(Problem::of_all("no API server answers"));
    }
    for (key, observed) in observation.entries() {
        let problem = match observed {
            Observed::Present(existing) if existing.owner == Owner::ThisCluster => {
                match existing.health.trouble() {
                    Some(trouble) => trouble.to_owned(),
                    None => continue,
                }
            }
            // What is on a machine that cannot be seen is no other trouble than that.
            Observed::Unknown(_) if is_on_an_unseen_machine(key, observation) => continue,
            Observed::Unknown(reason) => format!("unknown: {reason}"),
            Observed::Present(_) | Observed::Absent => continue,
        };
        problems.push(Problem {
            resource: Some(key.clone()),
            problem,
        });
    }
    problems
}

fn is_on_an_unseen_machine(key: &ResourceKey, observation: &Observation) -> bool {
    let machine = key.host().map(|host| ResourceKey::new(Kind::Machine, host));
    machine.is_some_and(|machine| matches!(observation.get(&machine), Observed::Unknown(_)))
}

/// What does not work and no step of the plan concerns; what is blocked is told of elsewhere.
pub(super) fn left_alone(
    desired: &DesiredState,
    observation: &Observation,
    drafts: &Drafts,
    blocked: &[Blocked],
) -> Vec<Problem> {
    let is_there = |kind| observation.owned_of(kind).next().is_some();
    if desired.retires_cluster {
        return Vec::new();
    }
    let changed = drafts.iter().filter_map(|(_, draft)| draft.change.machine());
    let blocked_keys = blocked.iter().map(|blocked| &blocked.key);
    let blocked_machines = blocked_keys.filter(|key| key.kind() == Kind::Machine);
    let machines: BTreeSet<&str> = changed.chain(blocked_machines.map(ResourceKey::name)).collect();
    let groups = drafts.iter().filter_map(|(_, draft)| group_of(&draft.change));
    let groups: BTreeSet<&str> = groups.collect();
    let drafted = drafts.iter().map(|(_, draft)| &draft.change.key);
    let keys: BTreeSet<&ResourceKey> = blocked
        .iter()
        .map(|blocked| &blocked.key)
        .chain(drafted)
        .collect();
    let is_seen_to = |key: &ResourceKey| {
        keys.contains(key)
            || (key.kind() == Kind::NodeGroup && groups.contains(key.name()))
            || machine_of(key, desired, observation).is_some_and(|machine| machines.contains(machine))
    };
    let mut left = problems(observation, is_there(Kind::ControlPlane));
    left.retain(|problem| match &problem.resource {
        Some(key) => !is_seen_to(key),
        None => true,
    });
    left
}
