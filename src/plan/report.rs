//! What a plan does not do, and why.

use keelson_provider_api::ResourceKey;
use serde::Serialize;

/// What the planner found besides the plan: what it may not touch, what waits for that, and what is fine.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// Resources that nothing may be done to, in order of their keys.
    pub blocked: Vec<Blocked>,
    /// Changes that are wanted and wait for something that is blocked.
    pub held: Vec<Held>,
    /// How many resources are as they should be.
    pub unchanged: usize,
    /// Resources that go with what they live on, without a step of their own.
    pub goes_along: Vec<ResourceKey>,
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
    /// True when something is blocked.
    pub fn is_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }
}
