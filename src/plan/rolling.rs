//! One thing at a time where it matters: members of etcd, control planes, and each group's nodes.
//!
//! Everything that changes etcd's membership or takes a control plane down stands in one chain: repairs first,
//! then joins, then restarts and replacements, then departures. Each link is finished, and healthy, before the
//! next begins. Each worker group has as many lanes as it may have nodes out of service.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Span, Timestamp};
use keelson_provider_api::kinds::{EtcdSnapshot, MemberStart};
use keelson_provider_api::{Action, Change, Disruption, Kind, Observation, Observed, Resource, ResourceKey};

use super::desired::DesiredState;
use super::draft::Drafts;
use super::etcd;

/// A snapshot that is younger than this will do for an upgrade that goes on after an interruption.
const SNAPSHOT_LIFE_HOURS: i64 = 24;

/// Why a machine has a link in the chain; links stand in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Purpose {
    Repair,
    Join,
    Turn,
    Departure,
}

/// What happens to one machine, as far as others have to wait for it.
struct Link {
    purpose: Purpose,
    group: String,
    /// True for an etcd member or a control plane.
    serves_quorum: bool,
    /// True for a machine that has, or had, an etcd member.
    has_member: bool,
    changes_version: bool,
    /// These begin only when the link before is finished.
    gates: Vec<usize>,
    /// When these are done, the link is finished.
    exits: Vec<usize>,
}

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
    for (machine, steps) in steps_by_machine(drafts) {
        let Some(link) = link(drafts, &machine, &steps, observation) else {
            continue;
        };
        if link.serves_quorum {
            chain.push(link);
        } else {
            lanes.entry(link.group.clone()).or_default().push(link);
        }
    }
    // Control planes may wait for members of a dedicated etcd, never the other way round.
    chain.sort_by_key(|link| (link.purpose, !link.has_member));
    let snapshot = add_snapshot(drafts, &chain, desired, observation, now);
    for (position, link) in chain.iter().enumerate() {
        chain[..position]
            .iter()
            .for_each(|earlier| order_links(drafts, earlier, link));
    }
    if let (Some(snapshot), Some(first_turn)) = (snapshot, chain.iter().find(|link| link.changes_version)) {
        first_turn
            .gates
            .iter()
            .for_each(|&gate| drafts.order(snapshot, gate));
    }
    let last_upgraded = chain.iter().rfind(|link| link.changes_version);
    for (group, links) in &lanes {
        connect_lanes(
            drafts,
            links,
            desired.rolling(group).max_unavailable,
            last_upgraded,
        );
    }
    if let Some(last_upgraded) = last_upgraded {
        order_new_workers(drafts, last_upgraded);
    }
}

fn steps_by_machine(drafts: &Drafts) -> BTreeMap<String, Vec<usize>> {
    let mut machines: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter() {
        if let Some(machine) = draft.change.machine() {
            machines.entry(machine.to_owned()).or_default().push(index);
        }
    }
    machines
}

/// The link that a machine's steps make, or `None` when nobody has to wait for them.
fn link(drafts: &Drafts, machine: &str, steps: &[usize], observation: &Observation) -> Option<Link> {
    let those = |wanted: &dyn Fn(&Change) -> bool| -> Vec<usize> {
        let fits = |index: &&usize| drafts.get(**index).is_some_and(|draft| wanted(&draft.change));
        steps.iter().filter(fits).copied().collect()
    };
    let joins = those(&joins);
    let member_removals = those(&|change| change.key.kind() == Kind::EtcdMember && is_delete(change));
    let disruptive = those(&|change| change.disruption != Disruption::None);
    let builds = those(&|change| !is_delete(change));
    let has_member = has_member(machine, observation) || !joins.is_empty() || !member_removals.is_empty();
    let serves_api = observation
        .present(&ResourceKey::new(Kind::ControlPlane, machine))
        .is_some()
        || !those(&|change| change.key.kind() == Kind::ControlPlane).is_empty();
    // What is removed because it is dead takes nothing down; it makes room for what others wait for.
    let mends = !those(&is_unhealthy).is_empty()
        && those(&|change| is_delete(change) && !is_unhealthy(change)).is_empty();
    let comes_new = builds.len() == steps.len() && !those(&|change| is_create(change)).is_empty();
    let (purpose, gates) = match (disruptive.is_empty(), builds.is_empty()) {
        _ if mends && !member_removals.is_empty() => (Purpose::Repair, member_removals),
        _ if mends => (Purpose::Repair, Vec::new()),
        (true, _) if !joins.is_empty() => (Purpose::Join, joins),
        (true, _) if comes_new && serves_api => (Purpose::Join, Vec::new()),
        (true, _) => return None,
        (false, false) => (Purpose::Turn, disruptive),
        (false, true) => (Purpose::Departure, disruptive),
    };
    Some(Link {
        purpose,
        group: group_of(drafts, machine, steps, observation),
        serves_quorum: has_member || serves_api,
        has_member,
        changes_version: purpose == Purpose::Turn && !those(&changes_version).is_empty(),
        gates,
        exits: steps.to_vec(),
    })
}

fn joins(change: &Change) -> bool {
    match (&change.action, change.resource()) {
        // An update of a member: a learner that is to vote, since its join was interrupted.
        (Action::Create { .. } | Action::Update { .. }, Resource::EtcdMember(member)) => {
            member.start == MemberStart::Join
        }
        _ => false,
    }
}

fn is_create(change: &Change) -> bool {
    matches!(change.action, Action::Create { .. })
}

fn is_delete(change: &Change) -> bool {
    matches!(change.action, Action::Delete { .. })
}

fn is_unhealthy(change: &Change) -> bool {
    matches!(&change.action, Action::Delete { existing } if !existing.health.is_healthy())
}

fn changes_version(change: &Change) -> bool {
    match &change.action {
        Action::Update { differences, .. } => {
            change.key.kind() == Kind::NodeBundle
                && differences
                    .iter()
                    .any(|difference| difference.field.ends_with("Version"))
        }
        _ => false,
    }
}

fn has_member(machine: &str, observation: &Observation) -> bool {
    observation
        .owned_of(Kind::EtcdMember)
        .any(|(key, existing)| existing.resource.machine(key) == Some(machine))
}

fn group_of(drafts: &Drafts, machine: &str, steps: &[usize], observation: &Observation) -> String {
    let group = |resource: &Resource| match resource {
        Resource::Machine(machine) => Some(machine.group.clone()),
        Resource::Node(node) => Some(node.group.clone()),
        _ => None,
    };
    let from_steps = steps
        .iter()
        .filter_map(|&index| drafts.get(index))
        .find_map(|draft| group(draft.change.resource()));
    let seen = || {
        observation
            .present(&ResourceKey::new(Kind::Machine, machine))
            .and_then(|seen| group(&seen.resource))
    };
    from_steps.or_else(seen).unwrap_or_default()
}

fn order_links(drafts: &mut Drafts, earlier: &Link, later: &Link) {
    for &exit in &earlier.exits {
        for &gate in &later.gates {
            drafts.order(exit, gate);
        }
    }
}

fn connect_lanes(drafts: &mut Drafts, links: &[Link], lanes: u32, last_upgraded: Option<&Link>) {
    let lanes = usize::try_from(lanes).unwrap_or(usize::MAX).max(1);
    let turns: Vec<&Link> = links
        .iter()
        .filter(|link| link.purpose == Purpose::Turn)
        .collect();
    for repair in links.iter().filter(|link| link.purpose == Purpose::Repair) {
        turns
            .iter()
            .take(lanes)
            .for_each(|turn| order_links(drafts, repair, turn));
    }
    for (position, link) in turns.iter().enumerate() {
        match (position.checked_sub(lanes), last_upgraded) {
            (Some(before), _) => order_links(drafts, turns[before], link),
            (None, Some(control_plane)) => order_links(drafts, control_plane, link),
            (None, None) => {}
        }
    }
}

/// A kubelet is never newer than the oldest API server, so new workers wait for the last upgraded control plane.
fn order_new_workers(drafts: &mut Drafts, last_upgraded: &Link) {
    let own: BTreeSet<usize> = last_upgraded.exits.iter().copied().collect();
    let new_workers: Vec<usize> = drafts
        .iter()
        .filter(|(index, draft)| {
            !own.contains(index)
                && matches!(draft.change.action, Action::Create { .. })
                && matches!(draft.change.resource(), Resource::NodeBundle(bundle) if bundle.etcd_version.is_none())
                && draft
                    .change
                    .machine()
                    .is_some_and(|machine| drafts.build_of(&ResourceKey::new(Kind::ControlPlane, machine)).is_none())
        })
        .map(|(index, _)| index)
        .collect();
    for worker in new_workers {
        for &exit in &last_upgraded.exits {
            drafts.order(exit, worker);
        }
    }
}

/// A verified snapshot comes before the first change of version, unless a young one is there from an upgrade that
/// was interrupted.
fn add_snapshot(
    drafts: &mut Drafts,
    chain: &[Link],
    desired: &DesiredState,
    observation: &Observation,
    now: Timestamp,
) -> Option<usize> {
    let target = chain
        .iter()
        .find(|link| link.changes_version)
        .and_then(|link| version_target(drafts, link))?;
    let mut last = None;
    for cluster in etcd::clusters(observation).into_keys() {
        let purpose = format!("upgrade to {target}");
        if has_young_snapshot(observation, &cluster, &purpose, now) {
            continue;
        }
        let name = format!("{cluster}:{}", now.strftime("%Y%m%dT%H%M%SZ"));
        let key = ResourceKey::new(Kind::EtcdSnapshot, name);
        if desired.resources.contains_key(&key) || !matches!(observation.get(&key), Observed::Absent) {
            continue;
        }
        let index = drafts.push_extra(Change {
            action: Action::Create {
                resource: Box::new(
                    EtcdSnapshot {
                        cluster,
                        purpose: purpose.clone(),
                    }
                    .into(),
                ),
                generation: observation.next_generation(&key),
            },
            key,
            reason: format!("before the {purpose}"),
            disruption: Disruption::None,
            replacement: false,
        });
        if let Some(before) = last.replace(index) {
            drafts.order(before, index);
        }
    }
    last
}

fn version_target(drafts: &Drafts, link: &Link) -> Option<String> {
    let changes = link
        .exits
        .iter()
        .filter_map(|&index| drafts.get(index))
        .map(|draft| &draft.change);
    changes
        .into_iter()
        .find(|change| changes_version(change))
        .and_then(|change| match change.resource() {
            Resource::NodeBundle(bundle) => bundle
                .kubernetes_version
                .or(bundle.etcd_version)
                .map(|version| version.to_string()),
            _ => None,
        })
}

fn has_young_snapshot(observation: &Observation, cluster: &str, purpose: &str, now: Timestamp) -> bool {
    observation.owned_of(Kind::EtcdSnapshot).any(|(_, existing)| {
        let fits = matches!(&existing.resource, Resource::EtcdSnapshot(snapshot)
            if snapshot.cluster == cluster && snapshot.purpose == purpose);
        let young = existing
            .created_at
            .checked_add(Span::new().hours(SNAPSHOT_LIFE_HOURS))
            .is_ok_and(|until| until > now);
        fits && young
    })
}
