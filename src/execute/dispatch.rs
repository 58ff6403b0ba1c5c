//! Starts each step the moment all that it waits for is done.
//!
//! There are no waves. A step is ready when its own dependencies are done; among those that are ready the one with
//! the most work behind it goes first; each provider takes as many at once as it allows. When a step fails, what
//! waits for it is not started, and everything else goes on; unless whatever is started then would fail as well.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use keelson_provider_api::{BoxFuture, Clock, ErrorClass, ResourceKey};

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
    pub(super) interrupt: &'a Interrupt,
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
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            plan,
            providers,
            clock,
            reporter,
            interrupt,
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
                () = self.interrupt.stopped(), if !dispatcher.stopped => {}
            }
        }
        let took = Duration::try_from(self.clock.now().duration_since(started)).unwrap_or_default();
        dispatcher.into_executed(took)
    }
}

/// The dispatcher's state: who waits for whom, who is ready, who has room.
struct Dispatcher<'a, 'b> {
    execution: &'b Execution<'a>,
    followers: Vec<Vec<usize>>,
    waits_for: Vec<usize>,
    time_left: Vec<Duration>,
    /// Ready steps of each provider: most time left first, then in the plan's order.
    ready: Vec<BinaryHeap<(Duration, Reverse<usize>)>>,
    room: Vec<usize>,
    started: usize,
    executed: Executed,
    stopped: bool,
}

impl<'a, 'b> Dispatcher<'a, 'b> {
    fn new(execution: &'b Execution<'a>) -> Self {
        let steps = execution.plan.steps();
        let mut followers = vec![Vec::new(); steps.len()];
        for (index, step) in steps.iter().enumerate() {
            step.after()
                .iter()
                .for_each(|&earlier| followers[earlier].push(index));
        }
        let room = execution.providers.concurrency_limits();
        let mut dispatcher = Self {
            execution,
            followers,
            waits_for: steps.iter().map(|step| step.after().len()).collect(),
            time_left: execution
                .plan
                .time_left(|change| execution.providers.typical_duration(change)),
            // Steps that no provider looks after stand in a queue of their own, behind the providers'.
            ready: vec![BinaryHeap::new(); room.len() + 1],
            room: room.into_iter().chain([usize::MAX]).collect(),
            started: 0,
            executed: Executed {
                done: 0,
                failures: Vec::new(),
                not_started: 0,
                stopped: false,
                fenced: false,
                took: Duration::ZERO,
                step_durations: BTreeMap::new(),
            },
            stopped: false,
        };
        let at_once: Vec<usize> = (0..steps.len())
            .filter(|&index| dispatcher.waits_for[index] == 0)
            .collect();
        for index in at_once {
            dispatcher.make_ready(index);
        }
        dispatcher
    }

    fn expected(&self) -> Duration {
        self.time_left.iter().copied().max().unwrap_or_default()
    }

    fn queue_of(&self, index: usize) -> usize {
        let kind = self.execution.plan.steps()[index].change().key.kind();
        self.execution
            .providers
            .of_kind(kind)
            .map_or(self.ready.len() - 1, |(position, _)| position)
    }

    fn make_ready(&mut self, index: usize) {
        let queue = self.queue_of(index);
        self.ready[queue].push((self.time_left[index], Reverse(index)));
    }

    fn next_to_start(&mut self) -> Option<usize> {
        if self.stopped {
            return None;
        }
        let queue =
            (0..self.ready.len()).find(|&queue| self.room[queue] > 0 && !self.ready[queue].is_empty())?;
        let (_, Reverse(index)) = self.ready[queue].pop()?;
        self.room[queue] -= 1;
        self.started += 1;
        let change = self.execution.plan.steps()[index].change();
        self.execution.reporter.report(&Event::StepStarted {
            step: index,
            key: change.key.clone(),
            verb: change.action.verb(),
            disruption: change.disruption,
            expected_ms: milliseconds(self.execution.providers.typical_duration(change)),
        });
        Some(index)
    }

    fn finish(&mut self, index: usize, end: StepEnd) {
        let queue = self.queue_of(index);
        self.room[queue] += 1;
        let change = self.execution.plan.steps()[index].change();
        let (key, verb) = (change.key.clone(), change.action.verb());
        match end {
            StepEnd::Done { attempts, took } => {
                self.executed.done += 1;
                self.executed.step_durations.insert(index, took);
                let took_ms = milliseconds(took);
                self.execution.reporter.report(&Event::StepDone {
                    step: index,
                    key,
                    verb,
                    took_ms,
                    attempts,
                });
                for position in 0..self.followers[index].len() {
                    let follower = self.followers[index][position];
                    self.waits_for[follower] -= 1;
                    if self.waits_for[follower] == 0 {
                        self.make_ready(follower);
                    }
                }
            }
            StepEnd::Failed(error) => {
                let (problem, help) = (error.to_string(), error.help.clone());
                self.execution.reporter.report(&Event::StepFailed {
                    step: index,
                    key: key.clone(),
                    verb,
                    problem: problem.clone(),
                    help: help.clone(),
                });
                self.executed.failures.push(StepFailure {
                    key,
                    verb,
                    problem,
                    help,
                });
                let reason = match error.class {
                    ErrorClass::Fenced => "the lease of this run is over",
                    ErrorClass::Unusable => "every other step would fail for the same reason",
                    ErrorClass::Transient
                    | ErrorClass::Unreachable
                    | ErrorClass::Throttled
                    | ErrorClass::Permanent => return,
                };
                self.executed.fenced |= error.class == ErrorClass::Fenced;
                let in_flight = self.started - self.executed.done - self.executed.failures.len();
                self.stop(reason, in_flight);
            }
            StepEnd::Stopped => {
                self.started -= 1;
                self.execution.reporter.report(&Event::StepStopped {
                    step: index,
                    key,
                    verb,
                });
            }
        }
    }

    fn stop(&mut self, reason: &str, in_flight: usize) {
        if !self.stopped {
            self.stopped = true;
            self.executed.stopped = true;
            self.execution.reporter.report(&Event::Stopping {
                reason: reason.to_owned(),
                in_flight,
            });
        }
    }

    fn into_executed(mut self, took: Duration) -> Executed {
        self.executed.took = took;
        self.executed.not_started = self.execution.plan.steps().len() - self.started;
        self.execution.reporter.report(&Event::Finished {
            done: self.executed.done,
            failed: self.executed.failures.len(),
            not_started: self.executed.not_started,
            took_ms: milliseconds(took),
        });
        self.executed
    }
}
