//! The plan: steps in an order in which they can be carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Change, ClusterIdentity, Disruption, Observation, ResourceKey};

use super::desired::{DesiredState, Rolling};
use super::draft::Draft;
use super::safety;

/// What is to be done, complete and immutable: it can be shown, kept, and carried out without another decision.
///
/// Steps stand in an order in which they can be carried out one by one; what must come before a step stands before
/// it, so a plan cannot hold a cycle or point outside itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(super) cluster: ClusterIdentity,
    pub(super) made_at: Timestamp,
    pub(super) observation_digest: Digest,
    pub(super) desired_digest: Digest,
    pub(super) retires_cluster: bool,
    pub(super) rolling: BTreeMap<String, Rolling>,
    pub(super) decisive: BTreeSet<ResourceKey>,
    pub(super) steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub(super) change: Change,
    pub(super) after: Vec<usize>,
}

/// The steps that decide how long a plan takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Indices of the steps, first to last.
    pub steps: Vec<usize>,
    /// How long they take, one after the other.
    pub duration: Duration,
}

/// Why a plan cannot be made or read: a contradiction in itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanDefect {
    /// Steps wait for each other in a circle.
    #[error("steps wait for each other in a circle: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Cycle(Vec<ResourceKey>),
    /// A step waits for a step that does not come before it.
    #[error("step {step} waits for step {waits_for}, which does not come before it")]
    OutOfOrder {
        /// The step.
        step: usize,
        /// What it waits for.
        waits_for: usize,
    },
    /// Two steps do the same to the same resource.
    #[error("two steps {verb} {key}")]
    Twice {
        /// The resource.
        key: ResourceKey,
        /// What both do.
        verb: &'static str,
    },
}

impl Step {
    /// What the step does.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// Indices of the steps that must be done before this one.
    pub fn after(&self) -> &[usize] {
        &self.after
    }

    /// True when the step takes something down and needs a permit.
    pub fn is_disruptive(&self) -> bool {
        self.change.disruption != Disruption::None
    }
}

impl Plan {
    pub(super) fn assemble(
        cluster: ClusterIdentity,
        desired: &DesiredState,
        observation: &Observation,
        now: Timestamp,
        drafts: Vec<Draft>,
    ) -> Result<Self, PlanDefect> {
        let plan = Self {
            cluster,
            made_at: now,
            observation_digest: observation.digest(),
            desired_digest: desired.digest(),
            retires_cluster: desired.retires_cluster,
            rolling: desired.rolling.clone(),
            decisive: safety::decisive(desired.resources.keys(), observation),
            steps: sort(drafts)?,
        };
        plan.check()?;
        Ok(plan)
    }

    /// Checks what every plan promises.
    pub(super) fn check(&self) -> Result<(), PlanDefect> {
        let mut seen = BTreeSet::new();
        for (index, step) in self.steps.iter().enumerate() {
            if let Some(&waits_for) = step.after.iter().find(|&&earlier| earlier >= index) {
                return Err(PlanDefect::OutOfOrder {
                    step: index,
                    waits_for,
                });
            }
            let verb = step.change.action.verb();
            if !seen.insert((&step.change.key, verb)) {
                return Err(PlanDefect::Twice {
                    key: step.change.key.clone(),
                    verb,
                });
            }
        }
        Ok(())
    }

    /// The cluster that the plan is for.
    pub fn cluster(&self) -> &ClusterIdentity {
        &self.cluster
    }

    /// When the plan was made.
    pub fn made_at(&self) -> Timestamp {
        self.made_at
    }

    /// The digest of the observation that the plan was made from.
    pub fn observation_digest(&self) -> Digest {
        self.observation_digest
    }

    /// The digest of the desired state that the plan leads to.
    pub fn desired_digest(&self) -> Digest {
        self.desired_digest
    }

    /// True when the plan ends the cluster.
    pub fn retires_cluster(&self) -> bool {
        self.retires_cluster
    }

    /// How many nodes of `group` may be out of service at once.
    pub fn rolling(&self, group: &str) -> Rolling {
        self.rolling.get(group).copied().unwrap_or_default()
    }

    /// The etcd members, control planes and nodes that were this cluster's when the plan was made, or could not be seen.
    /// They are asked for by name before anything is taken down, so that one whose machine does not answer by then is
    /// not taken for one that never was.
    pub fn decisive(&self) -> &BTreeSet<ResourceKey> {
        &self.decisive
    }

    /// The steps, in an order in which they can be carried out.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps that decide how long the plan takes, when a step takes as long as `duration` says.
    pub fn critical_path(&self, duration: impl Fn(&Change) -> Duration) -> Path {
        let mut finish: Vec<(Duration, Option<usize>)> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let latest = step
                .after
                .iter()
                .copied()
                .max_by_key(|&earlier| finish[earlier].0);
            let start = latest.map_or(Duration::ZERO, |earlier| finish[earlier].0);
            finish.push((start + duration(&step.change), latest));
        }
        let mut last = (0..finish.len()).max_by_key(|&index| finish[index].0);
        let duration = last.map_or(Duration::ZERO, |index| finish[index].0);
        let mut steps = Vec::new();
        while let Some(index) = last {
            steps.push(index);
            last = finish[index].1;
        }
        steps.reverse();
        Path { steps, duration }
    }

    /// For each step, how long it and all that waits for it take, when a step takes as long as `duration` says.
    /// What decides the end of the plan has the longest time left, and is started first.
    pub fn time_left(&self, duration: impl Fn(&Change) -> Duration) -> Vec<Duration> {
        let mut left: Vec<Duration> = self.steps.iter().map(|step| duration(&step.change)).collect();
        let own = left.clone();
        for index in (0..self.steps.len()).rev() {
            for &earlier in &self.steps[index].after {
                left[earlier] = left[earlier].max(own[earlier] + left[index]);
            }
        }
        left
    }
}

/// Puts drafts in an order in which each comes after all that it waits for; among those that could come next, the
/// one with the smallest key does, so that equal input gives equal plans.
fn sort(drafts: Vec<Draft>) -> Result<Vec<Step>, PlanDefect> {
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    let mut waiting: Vec<usize> = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        draft
            .after
            .iter()
            .for_each(|&earlier| followers[earlier].push(index));
        waiting.push(draft.after.len());
    }
    let rank = |index: usize| {
        (
            drafts[index].change.key.clone(),
            drafts[index].change.action.verb(),
            index,
        )
    };
    let mut ready: BTreeSet<_> = (0..drafts.len())
        .filter(|&index| waiting[index] == 0)
        .map(rank)
        .collect();
    let mut position = vec![0; drafts.len()];
    let mut order = Vec::with_capacity(drafts.len());
    while let Some((_, _, index)) = ready.pop_first() {
        position[index] = order.len();
        order.push(index);
        for &follower in &followers[index] {
            waiting[follower] -= 1;
            if waiting[follower] == 0 {
                ready.insert(rank(follower));
            }
        }
    }
    if order.len() < drafts.len() {
        let stuck = (0..drafts.len()).filter(|&index| waiting[index] > 0);
        return Err(PlanDefect::Cycle(
            stuck.map(|index| drafts[index].change.key.clone()).collect(),
        ));
    }
    let mut steps: Vec<Option<Step>> = drafts
        .into_iter()
        .map(|draft| {
            let mut after: Vec<usize> = draft.after.into_iter().map(|earlier| position[earlier]).collect();
            after.sort_unstable();
            Some(Step {
                change: draft.change,
                after,
            })
        })
        .collect();
    Ok(order
        .into_iter()
        .filter_map(|index| steps[index].take())
        .collect())
}
