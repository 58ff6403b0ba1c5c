//! The steps that have to wait for something that is blocked, or comes back with its machine.

use std::cell::OnceCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::{Action, Change, Existing, Kind, Observation, Observed, ResourceKey};

use super::api_names;
use super::api_servers::{ApiServers, Course, removal_for_good};
use super::comes_back;
use super::desired::DesiredState;
use super::draft::Drafts;
use super::etcd;
use super::firewalls;
use super::ground::Grounds;
use super::groups::group_key;
use super::report::Held;
use super::verdict::{Verdict, Verdicts, is_blocked};

/// Takes out every draft that needs something blocked, makes room for it or would take the ground from under it, or that would
/// be too new for an API server, and whatever needs those. A removal whose build waits waits as well: nothing is taken down
/// that cannot be put up again.
pub(super) fn hold_back(
    drafts: &mut Drafts,
    verdicts: &Verdicts,
    desired: &DesiredState,
    observation: &Observation,
) -> Vec<Held> {
    let mut holding = Holding {
        drafts,
        verdicts,
        desired,
        followers: OnceCell::new(),
        waits_for: BTreeMap::new(),
    };
    let is_anyone_coming = comes_back::coming(verdicts).next().is_some();
    let is_anything_blocked = verdicts.keys().any(|key| is_blocked(verdicts, key));
    if is_anything_blocked || is_anyone_coming {
        holding.hold_needs();
        holding.hold_beside_the_coming(observation);
    }
    if is_anything_blocked {
        holding.hold_grounds(observation);
    }
    if !desired.retires_cluster {
        if is_anything_blocked {
            holding.hold_what_is_given_to_machines(observation);
            holding.hold_closings(observation);
            holding.hold_beginnings(observation);
            holding.hold(api_names::waiting(holding.drafts, desired, verdicts));
        }
        holding.hold_until_all_fits(observation, is_anything_blocked);
    }
    let waits_for = holding.waits_for;
    if waits_for.is_empty() {
        return Vec::new();
    }
    let held = waits_for.iter().filter_map(|(&index, blocker)| {
        let change = &drafts.get(index)?.change;
        Some(Held {
            key: change.key.clone(),
            verb: change.action.verb().to_owned(),
            waits_for: blocker.clone(),
        })
    });
    let held = held.collect();
    drafts.retain(|index| !waits_for.contains_key(&index));
    held
}

struct Holding<'a> {
    drafts: &'a Drafts,
    verdicts: &'a Verdicts,
    desired: &'a DesiredState,
    /// The drafts that come right after each; asked for only where one is held.
    followers: OnceCell<BTreeMap<usize, BTreeSet<usize>>>,
    /// What each held draft waits for.
    waits_for: BTreeMap<usize, ResourceKey>,
}

impl Holding<'_> {
    fn hold_needs(&mut self) {
        let needs = self.drafts.iter().filter_map(|(index, draft)| {
            let blocker = blocked_need(&draft.change, self.verdicts, self.desired)?;
            Some((index, blocker))
        });
        self.hold(needs.collect());
    }

    /// What would be down beside a member of etcd that comes back, or join it, waits for that.
    fn hold_beside_the_coming(&mut self, observation: &Observation) {
        let waiting = self.drafts.iter().filter_map(|(index, draft)| {
            let member = comes_back::waited_for(&draft.change, self.verdicts, observation)?;
            Some((index, member))
        });
        self.hold(waiting.collect());
    }

    /// Nothing is taken from under what is blocked.
    fn hold_grounds(&mut self, observation: &Observation) {
        let grounds = Grounds::of_blocked(self.verdicts, observation);
        let removals = self.drafts.iter().filter(|(_, draft)| draft.change.is_removal());
        let kept = removals.filter_map(|(index, draft)| Some((index, grounds.kept_by(&draft.change)?)));
        self.hold(kept.collect());
    }

    /// What a machine is given waits while a member on it is to go with its whole etcd cluster and cannot: nothing would use
    /// what it holds any more; so do all control planes, whose API servers use it. Where fellows come in its place, they take
    /// over what it holds.
    fn hold_what_is_given_to_machines(&mut self, observation: &Observation) {
        let stays: BTreeMap<&str, &ResourceKey> = self
            .verdicts
            .keys()
            .filter(|key| key.kind() == Kind::EtcdMember && self.is_blocked(key))
            .filter(|key| !self.desired.resources.contains_key(key) && observation.present(key).is_some())
            .filter(|key| !self.desired.resources.keys().any(|other| is_fellow(key, other)))
            .filter_map(|key| Some((key.host()?, key)))
            .collect();
        let given = self.drafts.iter().filter_map(|(index, draft)| {
            let machine = draft.change.machine()?;
            let serves_api = || self.desired.serves_api(machine);
            let any = || stays.values().next().filter(|_| serves_api());
            let member = *stays.get(machine).or_else(any)?;
            let is_given = matches!(draft.change.key.kind(), Kind::NodeBundle | Kind::ControlPlane);
            (is_given && !draft.change.is_removal()).then(|| (index, member.clone()))
        });
        self.hold(given.collect());
    }

    /// No firewall is closed while something that nothing may be done to may need it.
    fn hold_closings(&mut self, observation: &Observation) {
        let Some(blocker) = firewalls::needed_by(self.verdicts) else {
            return;
        };
        let closings = firewalls::closings(self.drafts, observation).into_iter();
        self.hold(closings.map(|index| (index, blocker.clone())).collect());
    }

    /// No etcd cluster is begun while a machine cannot be seen: it may have a member of an earlier beginning, which nobody has
    /// written down, and there would be two clusters.
    fn hold_beginnings(&mut self, observation: &Observation) {
        let is_silent = |(key, observed): &(&ResourceKey, &Observed<Existing>)| {
            key.kind() == Kind::Machine && matches!(observed, Observed::Unknown(_))
        };
        let Some((silent, _)) = observation.entries().find(is_silent) else {
            return;
        };
        let clusters = etcd::clusters(observation);
        let has_formed = |key: &ResourceKey| {
            let cluster = key.etcd_cluster().and_then(|name| clusters.get(name));
            cluster.is_some_and(|health| health.formed)
        };
        let beginnings = self.drafts.iter().filter_map(|(index, draft)| {
            let change = &draft.change;
            let begins =
                change.key.kind() == Kind::EtcdMember && !change.is_removal() && !has_formed(&change.key);
            begins.then(|| (index, silent.clone()))
        });
        self.hold(beginnings.collect());
    }

    /// Nothing leaves a machine on which something has to stay, and neither a member of etcd nor a control plane is given up
    /// while another that is wanted cannot come, or cannot be seen: there would be fewer than before and than wanted.
    fn hold_departures(&mut self, observation: &Observation) {
        let mut stays: BTreeMap<String, ResourceKey> = BTreeMap::new();
        for key in self.verdicts.keys().filter(|key| serves_quorum(key)) {
            if let Some(machine) = key.host()
                && self.is_blocked(key)
                && observation.present(key).is_some()
            {
                stays.insert(machine.to_owned(), key.clone());
            }
        }
        for (_, draft) in self.drafts.iter() {
            let change = &draft.change;
            if let Some(machine) = change.machine()
                && serves_quorum(&change.key)
                && change.is_removal()
                && !change.replacement
                && let Some(blocker) = self.missing_fellow(&change.key, observation)
            {
                stays.entry(machine.to_owned()).or_insert(blocker);
            }
        }
        let leaving = self.drafts.iter().filter_map(|(index, draft)| {
            let blocker = stays.get(draft.change.machine()?)?;
            draft.change.is_removal().then(|| (index, blocker.clone()))
        });
        self.hold(leaving.collect());
    }

    /// Holds departures, and what is too new for an API server, until neither holds anything more: an API server whose departure
    /// waits stays, and a new one that waits is missing.
    fn hold_until_all_fits(&mut self, observation: &Observation, is_anything_blocked: bool) {
        let api_servers = ApiServers::of(self.desired, observation);
        if is_anything_blocked {
            self.hold_departures(observation);
        }
        self.hold_what_is_too_new(&api_servers);
        let mut before = 0;
        while before != self.waits_for.len() {
            before = self.waits_for.len();
            self.hold_departures(observation);
            self.hold_what_is_too_new(&api_servers);
        }
    }

    fn hold_what_is_too_new(&mut self, api_servers: &ApiServers<'_>) {
        let floors = api_servers
            .floors(|machine| Course::of(machine, self.drafts, |index| self.is_carried_out(index)));
        if floors.bound_nothing() {
            return;
        }
        let too_new = self.drafts.iter().filter_map(|(index, draft)| {
            let machine = floors.too_old_for(&draft.change)?;
            Some((index, self.what_keeps_back(machine)))
        });
        self.hold(too_new.collect());
    }

    /// What is to be named of `machine`, whose API server is too old for something.
    fn what_keeps_back(&self, machine: &str) -> ResourceKey {
        let [on_machine, bundle, control_plane] =
            [Kind::Machine, Kind::NodeBundle, Kind::ControlPlane].map(|kind| ResourceKey::new(kind, machine));
        if removal_for_good(machine, self.drafts).is_some() {
            control_plane
        } else if self.is_blocked(&bundle) && self.is_blocked(&on_machine) {
            on_machine
        } else {
            bundle
        }
    }

    fn is_carried_out(&self, index: usize) -> bool {
        !self.waits_for.contains_key(&index)
    }

    /// What keeps another one of the same etcd cluster, or another control plane, from being there.
    fn missing_fellow(&self, key: &ResourceKey, observation: &Observation) -> Option<ResourceKey> {
        let mut fellows = self
            .desired
            .resources
            .keys()
            .filter(|other| is_fellow(key, other));
        fellows.find_map(|fellow| {
            if self.is_blocked(fellow) {
                return Some(fellow.clone());
            }
            let build = self.drafts.build_of(fellow)?;
            let is_new = matches!(self.drafts.get(build)?.change.action, Action::Create { .. })
                || (fellow.kind() == Kind::EtcdMember && etcd::votes_not_yet(fellow, observation));
            self.waits_for.get(&build).filter(|_| is_new).cloned()
        })
    }

    fn is_blocked(&self, key: &ResourceKey) -> bool {
        is_blocked(self.verdicts, key)
    }

    /// Holds these drafts, and whatever comes after them.
    fn hold(&mut self, first: Vec<(usize, ResourceKey)>) {
        let mut queue: Vec<usize> = Vec::new();
        for (index, blocker) in first {
            if let Entry::Vacant(entry) = self.waits_for.entry(index) {
                entry.insert(blocker);
                queue.push(index);
            }
        }
        if queue.is_empty() {
            return;
        }
        let followers = self.followers.get_or_init(|| followers(self.drafts));
        while let Some(index) = queue.pop() {
            let Some(draft) = self.drafts.get(index) else {
                continue;
            };
            let key = draft.change.key.clone();
            let twin = self.drafts.removal_of(&key).filter(|&removal| removal != index);
            for follower in followers.get(&index).into_iter().flatten().copied().chain(twin) {
                if let Entry::Vacant(entry) = self.waits_for.entry(follower) {
                    entry.insert(key.clone());
                    queue.push(follower);
                }
            }
        }
    }
}

fn followers(drafts: &Drafts) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut followers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter() {
        for &earlier in &draft.after {
            followers.entry(earlier).or_default().insert(index);
        }
    }
    followers
}

fn serves_quorum(key: &ResourceKey) -> bool {
    matches!(key.kind(), Kind::EtcdMember | Kind::ControlPlane)
}

fn is_fellow(key: &ResourceKey, other: &ResourceKey) -> bool {
    key != other && key.kind() == other.kind() && key.etcd_cluster() == other.etcd_cluster()
}

fn blocked_need(change: &Change, verdicts: &Verdicts, desired: &DesiredState) -> Option<ResourceKey> {
    let is_blocked = |key: &ResourceKey| {
        is_blocked(verdicts, key) || matches!(verdicts.get(key), Some(Verdict::ComesBack { .. }))
    };
    if let Some(group) = group_key(change) {
        // It would start another like this one.
        return Some(group).filter(is_blocked);
    }
    if change.is_removal() {
        return None;
    }
    let wanted = desired.resources.get(&change.key)?;
    let all = change
        .resource()
        .references()
        .into_iter()
        .chain(wanted.after.iter().chain(&wanted.together_with).cloned());
    if let Some(blocker) = all.into_iter().find(|key| is_blocked(key)) {
        return Some(blocker);
    }
    let none_left = !wanted.after_any.is_empty() && wanted.after_any.iter().all(is_blocked);
    none_left.then(|| wanted.after_any.first().cloned()).flatten()
}
