//! Machines that node groups make by themselves, and their nodes: nobody wants one of them by name.
//!
//! A machine stays as long as it was started from what its group starts machines from now. One that is outdated is drained and
//! ended, and its group starts another: so many at a time as the group may have nodes out of service. Where a group may have
//! more machines than its number meanwhile, one is let go first, in a step of its own, and drained when another has come. What is
//! lost the group replaces by itself; only the Node object of a machine that is gone is cleared away. Where a whole group
//! goes, its machines and their nodes go along.

use std::collections::BTreeMap;

use keelson_provider_api::kinds::{GroupMachine, Node, NodeGroup};
use keelson_provider_api::{
    Action, Change, Disruption, Existing, Health, Kind, Observation, Observed, Resource, ResourceKey,
};

use super::desired::DesiredState;
use super::draft::Drafts;
use super::verdict::{Verdict, Verdicts};

/// The machines of groups that were seen, by the names of their nodes.
pub(super) struct GroupMachines<'a>(BTreeMap<&'a str, &'a ResourceKey>);

impl<'a> GroupMachines<'a> {
    /// Those of `observation`.
    pub(super) fn of(observation: &'a Observation) -> Self {
        let machines = observation.owned_of(Kind::GroupMachine);
        Self(
            machines
                .filter_map(|(key, existing)| Some((group_machine(&existing.resource)?.node.as_str(), key)))
                .collect(),
        )
    }

    /// What becomes of a machine of a group, or of a node of one, that is there and was not asked for; `None` for anything
    /// else, and for a node that has nothing to do with any group.
    pub(super) fn decide(
        &self,
        key: &ResourceKey,
        existing: &Existing,
        desired: &DesiredState,
        verdicts: &Verdicts,
    ) -> Option<Verdict> {
        match &existing.resource {
            Resource::GroupMachine(machine) => Some(of_machine(machine, desired, verdicts)),
            Resource::Node(node) => match self.0.get(key.name()) {
                Some(machine) => Some(of_its_node(verdicts.get(machine))),
                None => of_left_node(node, &existing.health, desired, verdicts),
            },
            _ => None,
        }
    }
}

fn group_machine(resource: &Resource) -> Option<&GroupMachine> {
    match resource {
        Resource::GroupMachine(machine) => Some(machine),
        _ => None,
    }
}

fn key_of(group: &str) -> ResourceKey {
    ResourceKey::new(Kind::NodeGroup, group)
}

fn wanted<'a>(group: &ResourceKey, desired: &'a DesiredState) -> Option<&'a NodeGroup> {
    match &desired.resources.get(group)?.resource {
        Resource::NodeGroup(group) => Some(group),
        _ => None,
    }
}

fn of_machine(machine: &GroupMachine, desired: &DesiredState, verdicts: &Verdicts) -> Verdict {
    let delete = |reason: &str| Verdict::Delete {
        reason: reason.to_owned(),
    };
    let group = key_of(&machine.group);
    match (verdicts.get(&group), wanted(&group, desired)) {
        (Some(_), _) if machine.detached => delete("another has come in its place"),
        (Some(Verdict::Delete { .. } | Verdict::Replace { .. }), _) => Verdict::GoesAlong,
        (None, _) => delete("its group is gone"),
        (_, Some(wanted)) if wanted.template() != machine.template => {
            delete("what its group starts machines from has changed since")
        }
        _ => Verdict::Keep,
    }
}

/// A node goes with its machine.
fn of_its_node(machine: Option<&Verdict>) -> Verdict {
    match machine {
        Some(Verdict::Delete { .. } | Verdict::GoesAlong) => Verdict::GoesAlong,
        _ => Verdict::Keep,
    }
}

/// A node of a group under which no machine is seen. One that is well has a machine: it has just come.
fn of_left_node(
    node: &Node,
    health: &Health,
    desired: &DesiredState,
    verdicts: &Verdicts,
) -> Option<Verdict> {
    let group = key_of(&node.group);
    if !verdicts.contains_key(&group) || desired.retires_cluster {
        return None;
    }
    Some(match health {
        Health::Unhealthy(_) => Verdict::Delete {
            reason: "its machine is gone".to_owned(),
        },
        _ => Verdict::Keep,
    })
}

/// The group whose machine `change` lets go or removes.
pub(super) fn group_of(change: &Change) -> Option<&str> {
    Some(group_machine(change.resource())?.group.as_str())
}

/// The step that lets a machine go which is to be removed, where its group starts another before that.
pub(super) fn let_go(
    key: &ResourceKey,
    existing: &Existing,
    desired: &DesiredState,
    reason: &str,
) -> Option<Change> {
    let machine = group_machine(&existing.resource).filter(|machine| !machine.detached)?;
    let group = wanted(&key_of(&machine.group), desired)?;
    let resource = Resource::from(GroupMachine {
        detached: true,
        ..machine.clone()
    });
    (group.max_surge > 0).then(|| Change {
        key: key.clone(),
        action: Action::Update {
            id: existing.id.clone(),
            differences: existing.resource.differences(&resource),
            resource: Box::new(resource),
        },
        reason: reason.to_owned(),
        disruption: Disruption::None,
        replacement: false,
    })
}

/// The key of the group whose machine `change` lets go or removes.
pub(super) fn group_key(change: &Change) -> Option<ResourceKey> {
    Some(key_of(group_of(change)?))
}

/// What is done to one machine: the first step of it, and the last.
type Turn = (usize, usize);

/// What is done to machines of each group, in the order in which it is to be: first to what serves least.
fn turns<'a>(drafts: &'a Drafts, observation: &Observation) -> BTreeMap<&'a str, Vec<Turn>> {
    let mut turns: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (index, draft) in drafts.iter().filter(|(_, draft)| draft.change.is_removal()) {
        let Some(machine) = group_machine(draft.change.resource()) else {
            continue;
        };
        let first = drafts.build_of(&draft.change.key).unwrap_or(index);
        let node = observation.get(&ResourceKey::new(Kind::Node, &*machine.node));
        let serves = matches!(node, Observed::Present(node) if node.health.serves());
        let of_group = turns.entry(machine.group.as_str()).or_default();
        of_group.push((!machine.detached, serves, &draft.change.key, (first, index)));
    }
    let sorted = |mut of_group: Vec<(bool, bool, &ResourceKey, Turn)>| {
        of_group.sort();
        of_group.into_iter().map(|(.., turn)| turn).collect()
    };
    turns
        .into_iter()
        .map(|(group, of_group)| (group, sorted(of_group)))
        .collect()
}

/// No machine is let go or removed before its group starts better ones, nor removed before it is let go.
pub(super) fn updates_first(drafts: &Drafts) -> Vec<(usize, usize)> {
    let pairs = drafts.iter().flat_map(|(index, draft)| {
        let group = group_key(&draft.change);
        let own = group.is_some().then_some(&draft.change.key);
        let own = own.filter(|_| draft.change.is_removal());
        let earlier = group.iter().chain(own).filter_map(|key| drafts.build_of(key));
        earlier.map(move |earlier| (earlier, index)).collect::<Vec<_>>()
    });
    pairs.collect()
}

/// So many machines of a group at a time; and a group that goes is there until those that are new can take its pods.
pub(super) fn lanes(
    drafts: &Drafts,
    desired: &DesiredState,
    observation: &Observation,
) -> Vec<(usize, usize)> {
    let groups = |wanted: fn(&Change) -> bool| {
        let of_kind = drafts
            .iter()
            .filter(|(_, draft)| draft.change.key.kind() == Kind::NodeGroup);
        let those = of_kind.filter(move |(_, draft)| wanted(&draft.change) && !draft.change.replacement);
        those.map(|(index, _)| index)
    };
    let is_new = |change: &Change| matches!(change.action, Action::Create { .. });
    let mut orders: Vec<(usize, usize)> = groups(is_new)
        .flat_map(|new| groups(Change::is_removal).map(move |old| (new, old)))
        .collect();
    for (group, turns) in turns(drafts, observation) {
        let lanes = usize::try_from(desired.rolling(group).at_once()).unwrap_or(usize::MAX);
        let later = turns.iter().skip(lanes);
        orders.extend(
            turns
                .iter()
                .zip(later)
                .map(|(earlier, later)| (earlier.1, later.0)),
        );
    }
    orders
}
