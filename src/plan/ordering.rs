//! What must come before what: needs when building up, the reverse when taking down.

use std::collections::BTreeMap;

use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::{Action, Kind, Observation, Resource, ResourceKey};

use super::api_names;
use super::desired::DesiredState;
use super::draft::Drafts;
use super::{firewalls, groups, leftovers};

/// Connects the drafts by their needs.
pub(super) fn connect(drafts: &mut Drafts, desired: &DesiredState, observation: &Observation) {
    let mut edges = Vec::new();
    let closings = firewalls::closings(drafts, observation);
    for (index, draft) in drafts.iter() {
        match &draft.change.action {
            Action::Delete { existing } => {
                edges.extend(removal_edges(drafts, index, &existing.resource.references()));
            }
            Action::Create { .. } | Action::Update { .. } => {
                edges.extend(build_edges(
                    drafts,
                    index,
                    &draft.change.key,
                    desired,
                    observation,
                ));
                edges.extend(update_edges(drafts, index, &draft.change.key, observation));
            }
        }
    }
    // All of those come last, so nothing waits for them.
    edges.retain(|(earlier, _)| !closings.contains(earlier));
    for &closing in &closings {
        for (index, draft) in drafts.iter().filter(|(index, _)| !closings.contains(index)) {
            let change = &draft.change;
            let is_removed_firewall = change.key.kind() == Kind::Firewall && change.is_removal();
            edges.push(if is_removed_firewall {
                (closing, index)
            } else {
                (index, closing)
            });
        }
    }
    edges.extend(openings(drafts, &closings));
    edges.extend(departures(drafts));
    edges.extend(groups::updates_first(drafts));
    edges.extend(left_behind(drafts));
    edges.extend(leftovers::orders(drafts));
    edges.extend(api_names::orders(drafts, desired));
    edges.extend(gone_along(drafts, desired, observation));
    for (earlier, later) in edges {
        drafts.order(earlier, later);
    }
}

/// A build comes after the builds of all that it needs, and after the removal of what it replaces.
fn build_edges(
    drafts: &Drafts,
    index: usize,
    key: &ResourceKey,
    desired: &DesiredState,
    observation: &Observation,
) -> Vec<(usize, usize)> {
    // One that a group has made is let go before its removal, and none is made in its place.
    let replaced = drafts
        .removal_of(key)
        .filter(|_| key.kind() != Kind::GroupMachine);
    let mut earlier: Vec<usize> = replaced.into_iter().collect();
    if let Some(wanted) = desired.resources.get(key) {
        let needs = wanted.resource.references();
        earlier.extend(
            needs
                .iter()
                .chain(&wanted.after)
                .filter_map(|need| drafts.build_of(need)),
        );
        // One that is there already will do, also while it and its like are changed one after the other; else the
        // first that is made.
        let any_there = wanted
            .after_any
            .iter()
            .any(|need| observation.present(need).is_some());
        if !any_there {
            earlier.extend(wanted.after_any.iter().find_map(|need| drafts.build_of(need)));
        }
    }
    earlier.extend(founders_bundles(drafts, index));
    earlier.into_iter().map(|earlier| (earlier, index)).collect()
}

/// The bundles of a founder's fellows. It is of no use before they can begin as well, and where one of those bundles cannot be
/// put in force it would wait in vain.
fn founders_bundles(drafts: &Drafts, index: usize) -> Vec<usize> {
    let change = drafts.get(index).map(|draft| &draft.change);
    match change.map(|change| (&change.action, change.resource())) {
        Some((Action::Create { .. }, Resource::EtcdMember(member)))
            if member.start == MemberStart::Initial =>
        {
            let bundle = |machine: &String| drafts.build_of(&ResourceKey::new(Kind::NodeBundle, &**machine));
            member.initial_members.iter().filter_map(bundle).collect()
        }
        _ => Vec::new(),
    }
}

/// A removal of what a resource stands on comes after the removal of the resource.
fn removal_edges(drafts: &Drafts, index: usize, references: &[ResourceKey]) -> Vec<(usize, usize)> {
    references
        .iter()
        .filter_map(|ground| drafts.removal_of(ground))
        .map(|ground| (index, ground))
        .collect()
}

/// What a resource is moved off is removed after it has moved.
fn update_edges(
    drafts: &Drafts,
    index: usize,
    key: &ResourceKey,
    observation: &Observation,
) -> Vec<(usize, usize)> {
    observation.present(key).map_or_else(Vec::new, |existing| {
        existing
            .resource
            .references()
            .iter()
            // What is replaced is built after its removal; its users come after the build.
            .filter(|ground| drafts.build_of(ground).is_none())
            .filter_map(|ground| drafts.removal_of(ground))
            .map(|ground| (index, ground))
            .collect()
    })
}

/// What a firewall is opened for finds it open. One that is new stands before the machines that it is for.
fn openings(drafts: &Drafts, closings: &[usize]) -> Vec<(usize, usize)> {
    let (mut openings, mut bundles) = (Vec::new(), Vec::new());
    for (index, draft) in drafts.iter() {
        match (draft.change.key.kind(), &draft.change.action) {
            (Kind::Firewall, Action::Update { .. }) if !closings.contains(&index) => openings.push(index),
            (Kind::NodeBundle | Kind::NodeGroup, Action::Create { .. } | Action::Update { .. }) => {
                bundles.push(index);
            }
            _ => {}
        }
    }
    let bundles = &bundles;
    let pairs = openings
        .iter()
        .flat_map(|&opening| bundles.iter().map(move |&bundle| (opening, bundle)));
    pairs.collect()
}

/// What goes with its machine holds on to what it references until the machine is gone.
fn gone_along(drafts: &Drafts, desired: &DesiredState, observation: &Observation) -> Vec<(usize, usize)> {
    if !desired.retires_cluster {
        return Vec::new();
    }
    let mut edges = Vec::new();
    for (key, existing) in observation
        .owned()
        .filter(|(key, _)| drafts.removal_of(key).is_none())
    {
        let Some(machine) = existing.resource.machine(key) else {
            continue;
        };
        let Some(machine) = drafts.removal_of(&ResourceKey::new(Kind::Machine, machine)) else {
            continue;
        };
        let grounds = existing.resource.references();
        edges.extend(
            grounds
                .iter()
                .filter_map(|ground| drafts.removal_of(ground))
                .map(|ground| (machine, ground)),
        );
    }
    edges
}

/// On one machine things leave in the reverse of the order in which they came: the node is drained first, the
/// machine goes last. What leaves a machine that stays is gone before the machine has nothing any more to run it with.
fn departures(drafts: &Drafts) -> Vec<(usize, usize)> {
    let mut by_machine: BTreeMap<&str, Vec<(&ResourceKey, usize)>> = BTreeMap::new();
    for (index, draft) in drafts.iter() {
        if let (Action::Delete { .. }, Some(machine)) = (&draft.change.action, draft.change.machine()) {
            by_machine
                .entry(machine)
                .or_default()
                .push((&draft.change.key, index));
        }
    }
    let mut edges = Vec::new();
    for (machine, leaving) in &mut by_machine {
        leaving.sort_by(|left, right| right.cmp(left));
        edges.extend(leaving.windows(2).map(|pair| (pair[0].1, pair[1].1)));
        let bundle = drafts.build_of(&ResourceKey::new(Kind::NodeBundle, *machine));
        let for_good = leaving.iter().filter(|(key, _)| drafts.build_of(key).is_none());
        edges.extend(for_good.filter_map(|(_, removal)| Some((*removal, bundle?))));
    }
    edges
}

/// What is kept for a machine goes after all that leaves with the machine: also where that is gone, and its member of etcd is
/// not out of its cluster yet.
fn left_behind(drafts: &Drafts) -> Vec<(usize, usize)> {
    let removals = || drafts.iter().filter(|(_, draft)| draft.change.is_removal());
    let mut kept: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, draft) in removals() {
        if let Some(machine) = draft.change.resource().kept_for() {
            kept.entry(machine).or_default().push(index);
        }
    }
    let pairs = removals().flat_map(|(index, draft)| {
        let machine = draft.change.machine();
        let left = machine
            .and_then(|machine| kept.get(machine))
            .into_iter()
            .flatten();
        left.map(move |&left| (index, left))
    });
    pairs.collect()
}
