//! Rules that nothing keelson does may break, and who broke them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{ClusterUid, ProviderError, Resource, ResourceKey};
use serde::{Deserialize, Serialize};

use super::{Call, Effect, Thing, World};
use crate::random::later;

/// How long after a machine's death a change may still come from a look that did not show it.
const TIME_TO_NOTICE: Duration = Duration::from_secs(10);

/// A rule of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A create made a second thing under a key that its cluster had already.
    MadeTwice,
    /// A change was asked for on a thing that belongs to somebody else. The world refused it.
    ForeignTouched,
    /// A change, and no fault, took an etcd cluster of three or more voters below its quorum.
    BelowQuorum,
    /// A member was started with the data of a restore while one of before was there.
    TwoEtcds,
    /// The volume of a member that had not left its etcd cluster was deleted.
    DataLost,
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// The rule.
    pub rule: Rule,
    /// The cluster whose run did it.
    pub cluster: ClusterUid,
    /// The resource that was changed.
    pub key: ResourceKey,
    /// What happened, for a person.
    pub what: String,
    /// The etcd cluster, for [`Rule::BelowQuorum`] and [`Rule::DataLost`]: the violation is withdrawn when that cluster ends, for then
    /// the change was a part of taking it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etcd: Option<String>,
}

/// A call that the world refuses, with what it notes about it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: ProviderError,
    pub(crate) noted: Vec<Effect>,
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        Self {
            error,
            noted: Vec::new(),
        }
    }
}

impl World {
    /// Everything that was broken so far.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// The most workers of each group that were drained or restarted at the same moment.
    pub(crate) fn unavailable_peak(&self) -> &BTreeMap<String, usize> {
        &self.unavailable_peak
    }

    pub(super) fn violation(call: &Call<'_>, rule: Rule, what: String) -> Option<Effect> {
        let cluster = call.identity.uid.clone()?;
        Some(Effect::Violation(Violation {
            at: call.now,
            rule,
            cluster,
            key: call.key().clone(),
            what,
            etcd: None,
        }))
    }

    /// The violations of quorum that `effects` would be at this moment.
    pub(super) fn quorum_violations(&self, call: &Call<'_>, effects: &[Effect]) -> Vec<Effect> {
        let Some(uid) = call.identity.uid.as_ref() else {
            return Vec::new();
        };
        let struck_meanwhile = self
            .last_strike
            .is_some_and(|strike| later(strike, TIME_TO_NOTICE) >= call.begun_at);
        if struck_meanwhile || !touches_etcd(effects) {
            return Vec::new();
        }
        let mut after = self.clone_for_quorum(&call.holder);
        after.apply(call.now, effects.iter().cloned());
        self.etcd_names(uid)
            .filter_map(|name| {
                let before = self.etcd_count(&call.holder, name, call.now);
                let then = after.etcd_count(&call.holder, name, call.now);
                let lost = before.voters >= 3 && before.has_quorum() && then.voters > 0 && !then.has_quorum();
                lost.then(|| {
                    Effect::Violation(Violation {
                        at: call.now,
                        rule: Rule::BelowQuorum,
                        cluster: uid.clone(),
                        key: call.key().clone(),
                        what: format!(
                            "{} left etcd {name} with {} of {} voters",
                            call.change, then.working, then.voters
                        ),
                        etcd: Some(name.to_owned()),
                    })
                })
            })
            .collect()
    }

    /// The violations that the delete of `volume` would be while members count on what it holds.
    pub(super) fn data_lost(&self, call: &Call<'_>, volume: &Thing) -> Vec<Effect> {
        let (Resource::Volume(volume), Some(uid)) = (&volume.resource, call.identity.uid.as_ref()) else {
            return Vec::new();
        };
        let lost = self.etcd_names(uid).filter_map(|name| {
            let mut members = self.members_of_any(&call.holder, name);
            let (_, member) = members.find(|(_, member)| member.machine == volume.machine)?;
            Some(Effect::Violation(Violation {
                at: call.now,
                rule: Rule::DataLost,
                cluster: uid.clone(),
                key: call.key().clone(),
                what: format!(
                    "{} took the data of {} of etcd {name}",
                    call.change, member.machine
                ),
                etcd: Some(name.to_owned()),
            }))
        });
        lost.collect()
    }

    /// Counts the workers of the group that are away at this moment.
    pub(crate) fn note_unavailable(&mut self, call: &Call<'_>) {
        if let Some((group, away)) = self.away_from_group(call) {
            let peak = self.unavailable_peak.entry(group).or_default();
            *peak = away.max(*peak);
            return;
        }
        let Some(machine) = call.change.machine() else {
            return;
        };
        let node = ResourceKey::new(Kind::Node, machine);
        let Some(Resource::Node(node)) = self.things.get(&call.holder, &node).map(|thing| &thing.resource)
        else {
            return;
        };
        let group = node.group.clone();
        let away = self
            .things
            .held(&call.holder, Kind::Node)
            .filter(|thing| matches!(&thing.resource, Resource::Node(other) if other.group == group))
            .filter(|thing| thing.is_busy(call.now) || self.working(thing, call.now).is_err())
            .count();
        let peak = self.unavailable_peak.entry(group).or_default();
        *peak = away.max(*peak);
    }
}

/// True when `effects` can change who of an etcd cluster works.
fn touches_etcd(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| match effect {
        Effect::Put(thing) => matches!(thing.key.kind(), Kind::NodeBundle | Kind::EtcdMember),
        Effect::Remove { .. } => true,
        _ => false,
    })
}
