//! The steps that verdicts take, before they are put in order.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::{Difference, Effect, Lifetime};
use keelson_provider_api::{
    Action, Change, Disruption, Existing, Kind, Observation, Observed, Resource, ResourceKey,
};

use super::desired::DesiredState;
use super::etcd;
use super::firewalls::ForNow;
use super::groups;
use super::report::{Blocked, Held, PlanReport};
use super::verdict::{Verdict, Verdicts, is_blocked};

/// One step in the making: what it does, and which drafts come before it.
pub(super) struct Draft {
    pub change: Change,
    pub after: BTreeSet<usize>,
}

/// All steps in the making. A replacement is two of them: a removal and a build.
#[derive(Default)]
pub(super) struct Drafts {
    list: Vec<Draft>,
    builds: BTreeMap<ResourceKey, usize>,
    removals: BTreeMap<ResourceKey, usize>,
}

impl Drafts {
    pub(super) fn from_verdicts(
        verdicts: &Verdicts,
        desired: &DesiredState,
        observation: &Observation,
        report: &mut PlanReport,
    ) -> Self {
        let mut drafts = Self::default();
        let etcd_clusters = etcd::clusters(observation);
        let for_now = if desired.retires_cluster {
            ForNow::default()
        } else {
            ForNow::on_the_way(desired, observation)
        };
        report.held = for_now.later(verdicts);
        for (key, verdict) in verdicts {
            let wanted = || {
                let resource = &desired.resources.get(key)?.resource;
                Some(match resource {
                    Resource::EtcdMember(member) => etcd::started_as(member, &etcd_clusters).into(),
                    other => for_now.of(key).unwrap_or(other).clone(),
                })
            };
            match verdict {
                Verdict::Keep => report.unchanged += 1,
                Verdict::GoesAlong => report.goes_along.push(key.clone()),
                Verdict::ComesBack { with } => report.held.push(Held {
                    key: key.clone(),
                    verb: "update".to_owned(),
                    waits_for: with.clone(),
                }),
                Verdict::Blocked { reason, help } => report.blocked.push(Blocked {
                    key: key.clone(),
                    reason: reason.clone(),
                    help: help.clone(),
                    follows: followed(key, verdicts, observation),
                }),
                Verdict::Create { reason } => {
                    let Some(resource) = wanted() else { continue };
                    drafts.push_build(create(key, resource, observation, reason, false));
                }
                Verdict::Update { reason, differences } => {
                    let (Some(resource), Some(existing)) = (wanted(), observation.present(key)) else {
                        continue;
                    };
                    let differences = match for_now.of(key) {
                        Some(for_now) => existing.resource.differences(for_now),
                        None => differences.clone(),
                    };
                    if differences.is_empty() {
                        continue;
                    }
                    drafts.push_build(update(key, resource, existing, reason, differences));
                }
                Verdict::Delete { .. } if for_now.needs(key) => {}
                Verdict::Delete { reason } => {
                    let Some(existing) = observation.present(key) else {
                        continue;
                    };
                    drafts.remove(key, existing, desired, reason);
                }
                Verdict::Replace { reason } => {
                    let (Some(resource), Some(existing)) = (wanted(), observation.present(key)) else {
                        continue;
                    };
                    drafts.push_removal(delete(key, existing, reason, true));
                    drafts.push_build(create(key, resource, observation, reason, true));
                }
            }
        }
        drafts
    }

    /// Removes what is there for good.
    fn remove(&mut self, key: &ResourceKey, existing: &Existing, desired: &DesiredState, reason: &str) {
        if let Some(let_go) = groups::let_go(key, existing, desired, reason) {
            self.push_build(let_go);
        }
        let mut change = delete(key, existing, reason, false);
        if desired.retires_cluster && change.disruption == Disruption::Drain {
            // Nobody takes its pods.
            change.disruption = Disruption::Removal;
        }
        self.push_removal(change);
    }

    fn push_build(&mut self, change: Change) -> usize {
        let index = self.list.len();
        self.builds.insert(change.key.clone(), index);
        self.list.push(Draft {
            change,
            after: BTreeSet::new(),
        });
        index
    }

    fn push_removal(&mut self, change: Change) {
        self.removals.insert(change.key.clone(), self.list.len());
        self.list.push(Draft {
            change,
            after: BTreeSet::new(),
        });
    }

    /// Adds a step that no verdict asked for, such as a snapshot before an upgrade.
    pub(super) fn push_extra(&mut self, change: Change) -> usize {
        self.push_build(change)
    }

    /// The draft that makes or changes `key`, if there is one.
    pub(super) fn build_of(&self, key: &ResourceKey) -> Option<usize> {
        self.builds.get(key).copied()
    }

    /// The draft that removes `key`, if there is one.
    pub(super) fn removal_of(&self, key: &ResourceKey) -> Option<usize> {
        self.removals.get(key).copied()
    }

    /// Says that `earlier` comes before `later`.
    pub(super) fn order(&mut self, earlier: usize, later: usize) {
        if earlier != later
            && let Some(draft) = self.list.get_mut(later)
        {
            draft.after.insert(earlier);
        }
    }

    /// Says that `later` need not wait for `earlier`.
    pub(super) fn let_go(&mut self, earlier: usize, later: usize) {
        if let Some(draft) = self.list.get_mut(later) {
            draft.after.remove(&earlier);
        }
    }

    /// The draft of that index.
    pub(super) fn get(&self, index: usize) -> Option<&Draft> {
        self.list.get(index)
    }

    /// The drafts with their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Draft)> {
        self.list.iter().enumerate()
    }

    /// Takes out every draft that neither concerns `machine` nor has to be done before one that does. Gives the number of
    /// those.
    pub(super) fn narrow(&mut self, machine: &str) -> usize {
        let concerns = |(index, draft): (usize, &Draft)| {
            let change = &draft.change;
            let whose = change.machine().or_else(|| change.resource().kept_for());
            (whose == Some(machine)).then_some(index)
        };
        let mut queue: Vec<usize> = self.iter().filter_map(concerns).collect();
        let mut kept: BTreeSet<usize> = queue.iter().copied().collect();
        while let Some(index) = queue.pop() {
            queue.extend(
                self.list[index]
                    .after
                    .iter()
                    .filter(|&&earlier| kept.insert(earlier)),
            );
        }
        let left_out = self.list.len() - kept.len();
        self.retain(|index| kept.contains(&index));
        left_out
    }

    /// Takes out every draft that `keep` does not name.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mut renumbered: Vec<Option<usize>> = Vec::with_capacity(self.list.len());
        let mut kept = 0;
        for index in 0..self.list.len() {
            renumbered.push(keep(index).then(|| {
                kept += 1;
                kept - 1
            }));
        }
        let mut index = 0;
        self.list.retain(|_| {
            index += 1;
            renumbered[index - 1].is_some()
        });
        for draft in &mut self.list {
            draft.after = draft
                .after
                .iter()
                .filter_map(|&earlier| renumbered[earlier])
                .collect();
        }
        for map in [&mut self.builds, &mut self.removals] {
            map.retain(|_, index| match renumbered[*index] {
                Some(kept) => {
                    *index = kept;
                    true
                }
                None => false,
            });
        }
    }

    pub(super) fn into_steps(self) -> Vec<Draft> {
        self.list
    }
}

/// The machine that cannot be seen, and is blocked for it, where something on it cannot be seen either.
fn followed(key: &ResourceKey, verdicts: &Verdicts, observation: &Observation) -> Option<ResourceKey> {
    let is_unknown = |key: &ResourceKey| matches!(observation.get(key), Observed::Unknown(_));
    let machine = ResourceKey::new(Kind::Machine, key.host()?);
    (is_blocked(verdicts, &machine) && is_unknown(&machine) && is_unknown(key)).then_some(machine)
}

fn create(
    key: &ResourceKey,
    resource: Resource,
    observation: &Observation,
    reason: &str,
    replacement: bool,
) -> Change {
    Change {
        key: key.clone(),
        action: Action::Create {
            resource: Box::new(resource),
            generation: observation.next_generation(key),
        },
        reason: reason.to_owned(),
        disruption: Disruption::None,
        replacement,
    }
}

fn update(
    key: &ResourceKey,
    resource: Resource,
    existing: &Existing,
    reason: &str,
    differences: Vec<Difference>,
) -> Change {
    let disruption = match differences.iter().map(|difference| difference.effect).max() {
        Some(Effect::Drain) => Disruption::Drain,
        Some(Effect::Restart) => Disruption::Restart,
        _ => Disruption::None,
    };
    Change {
        key: key.clone(),
        action: Action::Update {
            id: existing.id.clone(),
            resource: Box::new(resource),
            differences,
        },
        reason: reason.to_owned(),
        disruption,
        replacement: false,
    }
}

fn delete(key: &ResourceKey, existing: &Existing, reason: &str, replacement: bool) -> Change {
    let serves = match key.kind() {
        Kind::LoadBalancer
        | Kind::DnsRecord
        | Kind::Machine
        | Kind::NodeGroup
        | Kind::VirtualAddress
        | Kind::NatGateway
        | Kind::WayOut => true,
        kind => kind.info().lifetime == Lifetime::Machine,
    };
    Change {
        key: key.clone(),
        action: Action::Delete {
            existing: Box::new(existing.clone()),
        },
        reason: reason.to_owned(),
        disruption: match key.kind() {
            Kind::NodeGroup | Kind::GroupMachine => Disruption::Drain,
            _ if serves => Disruption::Removal,
            _ => Disruption::None,
        },
        replacement,
    }
}
