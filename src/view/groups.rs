//! Steps that read the same are shown as one: `machine/workers-[1-100]`.

use std::collections::BTreeMap;

use keelson_provider_api::kinds::{Difference, Leftover};
use keelson_provider_api::{Action, Disruption, Kind, Resource, ResourceKey};
use serde_json::{Map, Value};

use crate::plan::{Plan, Step};

/// What happens to the resources of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Create,
    Update,
    Replace,
    Delete,
}

/// Resources of one kind to which the same happens for the same reason.
#[derive(Debug)]
pub(super) struct Group {
    pub kind: Kind,
    pub verb: Verb,
    pub names: Vec<String>,
    pub reason: String,
    pub disruption: Disruption,
    pub differences: Vec<Difference>,
    /// Fields that are the same for all of the group.
    pub fields: Map<String, Value>,
    /// What a controller made, which is a group by itself.
    pub leftover: Option<Leftover>,
}

impl Group {
    /// The group's keys in short.
    pub(super) fn label(&self) -> String {
        format!("{}/{}", self.kind, fold_names(&self.names))
    }
}

type GroupId = (Kind, Verb, String, String, Disruption, String);

/// The plan's steps in groups, in the order of the kinds.
pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let group_of = machine_groups(plan);
    let mut groups: BTreeMap<GroupId, Group> = BTreeMap::new();
    for step in plan.steps() {
        let change = step.change();
        let Some(verb) = verb(step) else { continue };
        let differences = match &change.action {
            Action::Update { differences, .. } => differences.clone(),
            _ => Vec::new(),
        };
        let fields = change.resource().fields();
        let shape = serde_json::to_string(&differences).unwrap_or_default();
        let reason = general(&change.reason, change.key.name());
        // Hosts may have any names; what tells them apart is their group.
        let stem = change
            .machine()
            .and_then(|machine| group_of.get(machine).copied())
            .unwrap_or_else(|| own_stem(&change.key))
            .to_owned();
        let id = (
            change.key.kind(),
            verb,
            stem,
            reason.clone(),
            change.disruption,
            shape,
        );
        let group = groups.entry(id).or_insert_with(|| Group {
            kind: change.key.kind(),
            verb,
            names: Vec::new(),
            reason,
            disruption: change.disruption,
            differences,
            fields: fields.clone(),
            leftover: leftover(change.resource()),
        });
        group.fields.retain(|name, value| fields.get(name) == Some(value));
        group.names.push(change.key.name().to_owned());
    }
    groups.into_values().collect()
}

fn leftover(resource: &Resource) -> Option<Leftover> {
    match resource {
        Resource::Leftover(leftover) => Some(leftover.clone()),
        _ => None,
    }
}

/// The group of each machine, as far as the plan's steps say.
fn machine_groups(plan: &Plan) -> BTreeMap<&str, &str> {
    fn group(step: &Step) -> Option<&str> {
        match step.change().resource() {
            Resource::Machine(machine) => Some(machine.group.as_str()),
            Resource::Node(node) => Some(node.group.as_str()),
            Resource::GroupMachine(machine) => Some(machine.group.as_str()),
            _ => None,
        }
    }
    let steps = plan.steps().iter();
    steps
        .filter_map(|step| Some((step.change().machine()?, group(step)?)))
        .collect()
}

/// A replacement is two steps and shown as one.
fn verb(step: &Step) -> Option<Verb> {
    match (&step.change().action, step.change().replacement) {
        (Action::Create { .. }, true) => None,
        (Action::Delete { .. }, true) => Some(Verb::Replace),
        (Action::Create { .. }, false) => Some(Verb::Create),
        (Action::Update { .. }, _) => Some(Verb::Update),
        (Action::Delete { .. }, false) => Some(Verb::Delete),
    }
}

/// A reason that speaks of one resource, put so that it fits all of its group.
fn general(reason: &str, name: &str) -> String {
    if name.is_empty() {
        reason.to_owned()
    } else {
        reason.replace(&format!("/{name} "), " ")
    }
}

/// What names of one group have in common. What controllers made has ids for names, and each is shown by itself: data is lost.
fn own_stem(key: &ResourceKey) -> &str {
    match key.kind() {
        Kind::Leftover => key.name(),
        _ => stem(key.name()).0,
    }
}

/// A name without its number, and the number.
fn stem(name: &str) -> (&str, Option<u64>) {
    let digits = name.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (stem, number) = name.split_at(name.len() - digits);
    let canonical = !number.starts_with('0') || number == "0";
    match number.parse() {
        Ok(number) if canonical => (stem, Some(number)),
        _ => (name, None),
    }
}

/// So many names that do not fold are listed; the others are counted.
const NAMES_LIMIT: usize = 16;

/// `a-1, a-2, a-3, a-7, b` as `a-[1-3,7], b`.
pub(super) fn fold_names(names: &[String]) -> String {
    let mut stems: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut parts = Vec::new();
    for name in names {
        match stem(name) {
            (stem, Some(number)) => stems.entry(stem).or_default().push(number),
            (name, None) => parts.push(name.to_owned()),
        }
    }
    for (stem, mut numbers) in stems {
        numbers.sort_unstable();
        parts.push(match numbers.as_slice() {
            [only] => format!("{stem}{only}"),
            _ => format!("{stem}[{}]", fold_numbers(&numbers)),
        });
    }
    if let Some(left_out) = parts.len().checked_sub(NAMES_LIMIT).filter(|&count| count > 1) {
        parts.truncate(NAMES_LIMIT);
        parts.push(format!("and {left_out} more"));
    }
    parts.join(", ")
}

fn fold_numbers(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |&(first, last): &(u64, u64)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fold_into_ranges() {
        let fold =
            |names: &[&str]| fold_names(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(fold(&["a-1", "a-2", "a-3", "a-7"]), "a-[1-3,7]");
        assert_eq!(fold(&["a-10", "a-9"]), "a-[9-10]");
        assert_eq!(fold(&["main"]), "main");
        assert_eq!(fold(&["a-1"]), "a-1");
        assert_eq!(
            fold(&["a-01", "a-02"]),
            "a-01, a-02",
            "a leading zero is part of the name"
        );
        assert_eq!(fold(&["99999999999999999999999"]), "99999999999999999999999");
    }
}
