//! Starts each step the moment all that it waits for is done.
//!
//! There are no waves. A step is ready when its own dependencies are done; among those that are ready the one with
//! the most work behind it goes first; each provider takes as many at once as it allows. When a step fails, what
//! waits for it is not started, and everything else goes on; unless whatever is started then would fail as well.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use keelson_provider_api::ErrorClass;

use super::event::{Event, milliseconds};
use super::execution::{Executed, Execution, StepFailure};
use super::interrupt::StopReason;
use super::step::StepEnd;

/// The dispatcher's state: who waits for whom, who is ready, who has room.
pub(super) struct Dispatcher<'a, 'b> {
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
    pub(super) fn new(execution: &'b Execution<'a>) -> Self {
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

    pub(super) fn expected(&self) -> Duration {
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

    pub(super) fn next_to_start(&mut self) -> Option<usize> {
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

    pub(super) fn finish(&mut self, index: usize, end: StepEnd) {
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
                    ErrorClass::Fenced => StopReason::LeaseOver,
                    ErrorClass::Unusable => StopReason::Hopeless,
                    ErrorClass::Transient
                    | ErrorClass::Unreachable
                    | ErrorClass::Throttled
                    | ErrorClass::Permanent => return,
                };
                self.executed.fenced |= error.class == ErrorClass::Fenced;
                // Whatever waits hears of it as well, and does not go on.
                self.execution.interrupt.stop_because(reason);
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

    pub(super) fn stop(&mut self, reason: StopReason, in_flight: usize) {
        if !self.stopped {
            self.stopped = true;
            self.executed.stopped = true;
            self.execution.reporter.report(&Event::Stopping {
                reason: reason.to_string(),
                in_flight,
            });
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    pub(super) fn into_executed(mut self, took: Duration) -> Executed {
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
