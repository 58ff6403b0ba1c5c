//! What is told while a plan is carried out, and to whom.
//!
//! Events are data: the executor tells them, a reporter draws, writes or counts them. `--progress json` prints
//! them as they are, one a line; `docs/events.md` describes that form.

use keelson_provider_api::{Disruption, ResourceKey};
use serde::Serialize;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// The lease is held from now on.
    LeaseTaken {
        /// The fencing generation.
        generation: u64,
        /// True when a holder that had not let go was taken over after its lease had run out.
        taken_over: bool,
    },
    /// The lease is free again.
    LeaseReleased,
    /// The world is being looked at.
    Observing,
    /// A plan is about to be carried out.
    Started {
        /// How many steps it has.
        steps: usize,
        /// How long it is expected to take, in milliseconds.
        expected_ms: u64,
    },
    /// A step was started.
    StepStarted {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// `create`, `update` or `delete`.
        verb: &'static str,
        /// What the step takes down.
        disruption: Disruption,
        /// How long it typically takes, in milliseconds.
        expected_ms: u64,
    },
    /// A step did not succeed yet and will be tried again.
    StepRetried {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// How often it has been tried.
        attempt: u32,
        /// How long it waits before it is tried again, in milliseconds.
        wait_ms: u64,
        /// What went wrong.
        problem: String,
        /// For how long a machine that does not answer is still waited for, in milliseconds; null where it does.
        given_up_in_ms: Option<u64>,
    },
    /// A step tells what it is doing.
    StepProgress {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// What is being done: `start etcd.service`.
        action: String,
    },
    /// A disruptive step waits until the others are well.
    StepWaits {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// What it waits for.
        reason: String,
        /// For how long it waits before it fails, in milliseconds.
        given_up_in_ms: u64,
    },
    /// A step was done.
    StepDone {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// `create`, `update` or `delete`.
        verb: &'static str,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// How often it was tried.
        attempts: u32,
    },
    /// A step failed for good.
    StepFailed {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// `create`, `update` or `delete`.
        verb: &'static str,
        /// What went wrong.
        problem: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// The run was asked to stop, by a signal for example.
    StopRequested,
    /// A step was given up because the run was asked to stop; the next run goes on with it.
    StepStopped {
        /// The step's position in the plan.
        step: usize,
        /// The resource.
        key: ResourceKey,
        /// `create`, `update` or `delete`.
        verb: &'static str,
    },
    /// No new step is started any more; those in flight are finished.
    Stopping {
        /// Why.
        reason: String,
        /// How many steps are in flight.
        in_flight: usize,
    },
    /// The plan has been carried out, as far as it could be.
    Finished {
        /// Steps that were done.
        done: usize,
        /// Steps that failed.
        failed: usize,
        /// Steps that were not started.
        not_started: usize,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
}

/// Someone who wants to know what happens. Called often and from the executor's own task: it must be quick and
/// must not fail.
pub trait Reporter: Send + Sync {
    /// Takes note of an event.
    fn report(&self, event: &Event);
}

/// A reporter that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: &Event) {}
}

/// Tells two reporters of everything.
pub struct Both<'a>(pub &'a dyn Reporter, pub &'a dyn Reporter);

impl Reporter for Both<'_> {
    fn report(&self, event: &Event) {
        self.0.report(event);
        self.1.report(event);
    }
}

/// Milliseconds of a duration, as events carry them.
pub(super) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
