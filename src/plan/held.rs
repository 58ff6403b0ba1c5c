//! What a plan leaves out because something is blocked: what needs it, and what it stands on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use keelson_provider_api::{Action, Change, Kind, Observation, Observed, Owner, ResourceKey};

use super::desired::DesiredState;
use super::draft::Drafts;
use super::report::{Held, PlanReport};
use super::verdict::{Verdict, Verdicts};

impl Drafts {
    /// Takes out every draft that needs something blocked or would take the ground from under it, and whatever needs those.
    /// A removal whose build waits waits as well: nothing is taken down that cannot be put up again.
    pub(super) fn hold_back(
        &mut self,
        verdicts: &Verdicts,
        desired: &DesiredState,
        observation: &Observation,
        report: &mut PlanReport,
    ) {
        let grounds = Grounds::of_blocked(verdicts, observation);
        let mut waits_for: BTreeMap<usize, ResourceKey> = BTreeMap::new();
        let mut queue: Vec<usize> = Vec::new();
        for (index, draft) in self.iter() {
            let blocker = if matches!(draft.change.action, Action::Delete { .. }) {
                grounds.kept_by(&draft.change)
            } else {
                blocked_need(&draft.change, verdicts, desired)
            };
            if let Some(blocker) = blocker {
                waits_for.insert(index, blocker);
                queue.push(index);
            }
        }
        if queue.is_empty() {
            return;
        }
        self.spread(&mut waits_for, queue);
        report.held.extend(self.iter().filter_map(|(index, draft)| {
            Some(Held {
                key: draft.change.key.clone(),
                verb: draft.change.action.verb().to_owned(),
                waits_for: waits_for.get(&index)?.clone(),
            })
        }));
        self.retain(|index| !waits_for.contains_key(&index));
    }

    /// Lets all that comes after the drafts of `queue` wait as well, and the removals that belong to builds among them.
    fn spread(&self, waits_for: &mut BTreeMap<usize, ResourceKey>, mut queue: Vec<usize>) {
        let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, draft) in self.iter() {
            for &earlier in &draft.after {
                followers.entry(earlier).or_default().push(index);
            }
        }
        while let Some(index) = queue.pop() {
            let Some(key) = self.get(index).map(|draft| draft.change.key.clone()) else {
                continue;
            };
            let twin = self.removal_of(&key).filter(|&removal| removal != index);
            for follower in followers.get(&index).into_iter().flatten().copied().chain(twin) {
                if let Entry::Vacant(entry) = waits_for.entry(follower) {
                    entry.insert(key.clone());
                    queue.push(follower);
                }
            }
        }
    }
}

fn is_blocked(verdicts: &Verdicts, key: &ResourceKey) -> bool {
    matches!(verdicts.get(key), Some(Verdict::Blocked { .. }))
}

/// What is blocked of all that a build needs.
fn blocked_need(change: &Change, verdicts: &Verdicts, desired: &DesiredState) -> Option<ResourceKey> {
    let wanted = desired.resources.get(&change.key)?;
    let all = change
        .resource()
        .references()
        .into_iter()
        .chain(wanted.after.iter().cloned());
    if let Some(blocker) = all.into_iter().find(|key| is_blocked(verdicts, key)) {
        return Some(blocker);
    }
    let none_left =
        !wanted.after_any.is_empty() && wanted.after_any.iter().all(|key| is_blocked(verdicts, key));
    none_left.then(|| wanted.after_any.first().cloned()).flatten()
}

/// What blocked things stand on, which is not to be taken away under them.
struct Grounds {
    /// The topmost thing on each machine that nothing may be done to: all below it stays.
    on_machines: BTreeMap<String, ResourceKey>,
    /// What they reference.
    referenced: BTreeMap<ResourceKey, ResourceKey>,
    /// Kinds of which each may be the ground of something that cannot be seen.
    kinds: BTreeMap<Kind, ResourceKey>,
}

impl Grounds {
    fn of_blocked(verdicts: &Verdicts, observation: &Observation) -> Self {
        let mut grounds = Self {
            on_machines: BTreeMap::new(),
            referenced: BTreeMap::new(),
            kinds: BTreeMap::new(),
        };
        for key in verdicts.keys().filter(|key| is_blocked(verdicts, key)) {
            let observed = observation.get(key);
            let is_foreign =
                matches!(observed, Observed::Present(existing) if existing.owner != Owner::ThisCluster);
            if is_foreign {
                continue;
            }
            if let Some(machine) = key.host() {
                // Keys come from the ground up, so the last one is the topmost.
                grounds.on_machines.insert(machine.to_owned(), key.clone());
            }
            match observed {
                Observed::Present(existing) => {
                    let references = existing.resource.references().into_iter();
                    let new = references.map(|ground| (ground, key.clone()));
                    grounds.referenced.extend(new);
                }
                Observed::Unknown(_) => {
                    for &kind in may_stand_on(key.kind()) {
                        grounds.kinds.entry(kind).or_insert_with(|| key.clone());
                    }
                }
                Observed::Absent => {}
            }
        }
        grounds
    }

    /// The blocked thing that would lose its ground by `removal`.
    fn kept_by(&self, removal: &Change) -> Option<ResourceKey> {
        let on_machine = removal
            .machine()
            .and_then(|machine| self.on_machines.get(machine));
        on_machine
            .filter(|blocked| **blocked > removal.key)
            .or_else(|| self.referenced.get(&removal.key))
            .or_else(|| self.kinds.get(&removal.key.kind()))
            .cloned()
    }
}

/// The kinds that something of `kind` may stand on, for one of which nothing is known. What lives on a machine goes by
/// its machine.
fn may_stand_on(kind: Kind) -> &'static [Kind] {
    match kind {
        Kind::Machine => &[Kind::Network, Kind::Subnet, Kind::Firewall],
        Kind::Subnet | Kind::Firewall | Kind::LoadBalancer => &[Kind::Network],
        Kind::DnsRecord => &[Kind::LoadBalancer],
        _ => &[],
    }
}
