//! What a plan does not do, and why.

use keelson_provider_api::{Finding, Kind, ResourceKey};
use serde::Serialize;

use super::problems::Problem;

/// What the planner found besides the plan: what it may not touch, what waits for that, and what is fine.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// The restore that stands, if one does: nothing is carried out before it has come to its end.
    pub restore: Option<StandingRestore>,
    /// Resources that nothing may be done to, in order of their keys.
    pub blocked: Vec<Blocked>,
    /// Changes that are wanted and wait for something that is blocked.
    pub held: Vec<Held>,
    /// How many resources are as they should be.
    pub unchanged: usize,
    /// What does not work, and what the plan does nothing about.
    pub problems: Vec<Problem>,
    /// Kinds that could not be looked at; what there is of them is not part of the plan.
    pub unseen_kinds: Vec<UnseenKind>,
    /// What stands in the way on machines that are about to be used; nothing is carried out while there is any.
    pub findings: Vec<Finding>,
    /// What someone should know of machines and of what the plan leads to; it stops nothing.
    pub warnings: Vec<Finding>,
    /// Findings that the spec lets pass (`spec.preflight.ignore`).
    pub ignored_findings: Vec<Finding>,
    /// Resources that go with what they live on, without a step of their own.
    pub goes_along: Vec<ResourceKey>,
    /// How many changes of other machines the plan leaves out, because one machine alone is seen to.
    #[serde(skip)]
    pub left_out: usize,
}

/// A restore of an etcd that has begun and did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StandingRestore {
    /// The etcd.
    pub etcd: String,
    /// Why nothing else is done: a lower-case fragment.
    pub reason: String,
    /// What to do about it.
    pub help: String,
}

/// A resource that nothing may be done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Blocked {
    /// The resource.
    pub key: ResourceKey,
    /// Why: a lower-case fragment.
    pub reason: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The blocked machine that it lives on, where nothing but that is known to be wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<ResourceKey>,
}

/// A kind that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnseenKind {
    /// The kind.
    pub kind: Kind,
    /// Why: the provider's words.
    pub reason: String,
}

/// A change that waits for something that is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The resource.
    pub key: ResourceKey,
    /// What would be done: `create`, `update` or `delete`.
    pub verb: String,
    /// The blocked or held resource that it waits for.
    pub waits_for: ResourceKey,
}

impl PlanReport {
    /// Leaves out what is blocked and has nothing to do with the plan: neither `is_concerned` nor waited for.
    pub(super) fn narrow(&mut self, is_concerned: impl Fn(&ResourceKey) -> bool) {
        let held = &self.held;
        self.blocked.retain(|blocked| {
            is_concerned(&blocked.key) || held.iter().any(|held| held.waits_for == blocked.key)
        });
    }

    /// True when a restore stands, or something is blocked, could not be looked at, or stands in the way.
    pub fn is_blocked(&self) -> bool {
        self.restore.is_some()
            || !self.blocked.is_empty()
            || !self.unseen_kinds.is_empty()
            || !self.findings.is_empty()
    }
}
