//! One run of a plan: what it needs, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use keelson_provider_api::{BoxFuture, Clock, ResourceKey};

use super::dispatch::Dispatcher;
use super::event::{Event, Reporter, milliseconds};
use super::interrupt::Interrupt;
use super::lease::Lease;
use super::permits::Permits;
use super::providers::ProviderSet;
use super::step::{self, StepEnd};
use crate::plan::Plan;

/// One run of a plan, and everything it needs.
pub struct Execution<'a> {
    pub(super) plan: &'a Plan,
    pub(super) providers: &'a ProviderSet,
    pub(super) clock: &'a dyn Clock,
    pub(super) reporter: &'a dyn Reporter,
    /// The one signal that this run stops: from outside, or for a reason of its own.
    pub(super) interrupt: Interrupt,
    pub(super) lease: &'a Lease,
    pub(super) permits: Permits,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// Steps that were done.
    pub done: usize,
    /// Steps that failed, in the order in which they did.
    pub failures: Vec<StepFailure>,
    /// Steps that were not started: they wait for one that failed, or the run was stopped.
    pub not_started: usize,
    /// True when the run was stopped before its end.
    pub stopped: bool,
    /// True when the run's lease is over: another run of keelson has taken it, or the store has lost it.
    pub fenced: bool,
    /// How long the run took.
    pub took: Duration,
    /// How long each step that was done took, by its position in the plan.
    pub step_durations: BTreeMap<usize, Duration>,
}

/// A step that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// The resource.
    pub key: ResourceKey,
    /// `create`, `update` or `delete`.
    pub verb: &'static str,
    /// What went wrong.
    pub problem: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Executed {
    /// True when every step was done.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.not_started == 0
    }
}

impl<'a> Execution<'a> {
    /// A run of `plan` under `lease`: without one there is no way to change anything.
    pub fn new(
        plan: &'a Plan,
        lease: &'a Lease,
        providers: &'a ProviderSet,
        clock: &'a dyn Clock,
        reporter: &'a dyn Reporter,
        interrupt: &Interrupt,
    ) -> Self {
        Self {
            plan,
            providers,
            clock,
            reporter,
            interrupt: interrupt.of_part(),
            lease,
            permits: Permits::of(plan),
        }
    }

    /// Carries the plan out.
    pub async fn run(&self) -> Executed {
        let started = self.clock.now();
        let mut dispatcher = Dispatcher::new(self);
        self.reporter.report(&Event::Started {
            steps: self.plan.steps().len(),
            expected_ms: milliseconds(dispatcher.expected()),
        });
        let mut in_flight: FuturesUnordered<BoxFuture<'_, (usize, StepEnd)>> = FuturesUnordered::new();
        loop {
            if let Some(reason) = self.interrupt.reason() {
                dispatcher.stop(reason, in_flight.len());
            }
            while let Some(index) = dispatcher.next_to_start() {
                let step = &self.plan.steps()[index];
                in_flight.push(Box::pin(
                    async move { (index, step::run(self, index, step).await) },
                ));
            }
            if in_flight.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some((index, end)) = in_flight.next() => dispatcher.finish(index, end),
                () = self.interrupt.stopped(), if !dispatcher.is_stopped() => {}
            }
        }
        let took = Duration::try_from(self.clock.now().duration_since(started)).unwrap_or_default();
        dispatcher.into_executed(took)
    }
}
