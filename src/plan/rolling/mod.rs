//! One thing at a time where it matters: members of etcd, control planes, and each group's nodes.
//!
//! Everything that changes etcd's membership or takes a control plane down stands in one chain: repairs first,
//! then joins, then restarts and replacements, then departures. Each link is finished, and healthy, before the
//! next begins; only members that are down do not wait for each other's health, which they may need to be healthy. Each
//! worker group has as many lanes as it may have nodes out of service; those of groups that make their machines by themselves
//! are in [`groups`](super::groups).

mod facts;
mod link;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::{Action, Change, Kind, Observation, ResourceKey};

use self::link::{Link, Purpose, link};
use self::snapshot::add_snapshot;
use super::api_servers::{changes_built_in_addon, lone_kubelet};
use super::desired::DesiredState;
use super::draft::Drafts;
use super::{groups, preferences};

/// Adds the chain and the lanes to the drafts, and a snapshot where the chain needs one.
pub(super) fn connect(
    drafts: &mut Drafts,
    desired: &DesiredState,
    observation: &Observation,
    now: Timestamp,
) {
    if desired.retires_cluster {
        return;
    }
    let mut chain = Vec::new();
    let mut lanes: BTreeMap<String, Vec<Link>> = BTreeMap::new();
    let (mut arrivals, mut in_lanes) = (Vec::new(), BTreeSet::new());
    for (machine, steps) in steps_by_machine(drafts) {
        let Some(link) = link(drafts, &machine, &steps, observation) else {
            arrivals.extend(arrival(drafts, &machine));
            continue;
        };
        if link.serves_quorum {
            chain.push(link);
        } else {
            if link.purpose == Purpose::Turn {
                in_lanes.insert(machine);
            }
            lanes.entry(link.group.clone()).or_default().push(link);
        }
    }
    chain.sort_by_key(|link| link.rank);
    let snapshot = add_snapshot(drafts, &chain, desired, observation, now);
    if let Some(snapshot) = snapshot {
        let first_turn = chain.iter().find(|link| link.upgrades_to.is_some());
        let gates = first_turn.into_iter().flat_map(|turn| turn.gates.iter().copied());
        let bundles = chain.iter().filter_map(|link| link.newer_bundle);
        gates
            .chain(bundles)
            .for_each(|later| drafts.order(snapshot, later));
    }
    // What comes behind it finds no API server any more that is older than itself.
    let last_older_api = chain.iter().rfind(|link| link.ends_older_api);
    let mut orders = Vec::new();
    if let Some(last_older_api) = last_older_api {
        order_followers(drafts, desired, last_older_api, &in_lanes, &mut orders);
    }
    for (position, link) in chain.iter().enumerate() {
        let earlier = chain[..position].iter();
        earlier.for_each(|earlier| order_links(&mut orders, earlier, link));
    }
    let of_workers = lanes.values().flatten();
    order_departures(
        &mut orders,
        &arrivals,
        of_workers.filter(|link| link.purpose == Purpose::Departure),
    );
    for (group, links) in &lanes {
        connect_lanes(
            &mut orders,
            links,
            desired.rolling(group).max_unavailable,
            last_older_api,
        );
    }
    orders.extend(groups::lanes(drafts, desired, observation));
    preferences::add(drafts, &orders);
}

/// Pairs of steps, the earlier one first.
type Orders = Vec<(usize, usize)>;

fn steps_by_machine(drafts: &Drafts) -> BTreeMap<String, Vec<usize>> {
    let mut machines: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter() {
        let is_of_group = draft.change.key.kind() == Kind::GroupMachine;
        if let Some(machine) = draft.change.machine().filter(|_| !is_of_group) {
            machines.entry(machine.to_owned()).or_default().push(index);
        }
    }
    machines
}

/// The step by which a machine that is new joins Kubernetes.
fn arrival(drafts: &Drafts, machine: &str) -> Option<usize> {
    let index = drafts.build_of(&ResourceKey::new(Kind::Node, machine))?;
    let is_new = matches!(drafts.get(index)?.change.action, Action::Create { .. });
    is_new.then_some(index)
}

/// Workers leave for good when as many have come, as long as any come: pods that move off find room.
fn order_departures<'a>(orders: &mut Orders, arrivals: &[usize], departures: impl Iterator<Item = &'a Link>) {
    let Some(&last) = arrivals.last() else {
        return;
    };
    for (position, departure) in departures.enumerate() {
        let arrival = arrivals.get(position).copied().unwrap_or(last);
        for &gate in &departure.gates {
            orders.push((arrival, gate));
        }
    }
}

/// What is down may be what an earlier one waits for: it does not wait for a quorum itself.
fn order_links(orders: &mut Orders, earlier: &Link, later: &Link) {
    let exits = if later.is_down {
        &earlier.exits_without_quorum
    } else {
        &earlier.exits
    };
    for &exit in exits {
        for &gate in &later.gates {
            orders.push((exit, gate));
        }
    }
}

fn connect_lanes(orders: &mut Orders, links: &[Link], lanes: u32, last_older_api: Option<&Link>) {
    let lanes = usize::try_from(lanes).unwrap_or(usize::MAX).max(1);
    let turns: Vec<&Link> = links
        .iter()
        .filter(|link| link.purpose == Purpose::Turn)
        .collect();
    for repair in links.iter().filter(|link| link.purpose == Purpose::Repair) {
        turns
            .iter()
            .take(lanes)
            .for_each(|turn| order_links(orders, repair, turn));
    }
    for (position, link) in turns.iter().enumerate() {
        match (position.checked_sub(lanes), last_older_api) {
            (Some(before), _) => order_links(orders, turns[before], link),
            (None, Some(control_plane)) => order_links(orders, control_plane, link),
            (None, None) => {}
        }
    }
}

/// What must not be newer than any API server waits for the last control plane that is upgraded or leaves: the kubelets of new
/// workers, and what runs in the cluster by its version, such as kube-proxy (<https://kubernetes.io/releases/version-skew-policy/>).
fn order_followers(
    drafts: &Drafts,
    desired: &DesiredState,
    last_older_api: &Link,
    in_lanes: &BTreeSet<String>,
    orders: &mut Orders,
) {
    let own: BTreeSet<usize> = last_older_api.exits.iter().copied().collect();
    let follows = |change: &Change| {
        changes_built_in_addon(change)
            || (lone_kubelet(change, desired).is_some() && !in_lanes.contains(change.key.name()))
    };
    let followers = drafts
        .iter()
        .filter(|(index, draft)| !own.contains(index) && follows(&draft.change));
    for (follower, _) in followers {
        orders.extend(last_older_api.exits.iter().map(|&exit| (exit, follower)));
    }
}
