//! Carries one step out.
//!
//! | module | does |
//! |---|---|
//! | `permission` | gets the permit that a step needs which takes something down |
//! | `silence` | how long a machine may be silent |
//! | `settle` | looks again where it is not known whether something happened |

mod permission;
mod settle;
mod silence;

use std::time::Duration;

use keelson_provider_api::causes::with_causes;
use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Change, ErrorClass, Outcome, Progress, Provider, ProviderError, Resource, StepContext,
};

use self::permission::Permission;
use self::settle::{Settled, look_again};
use self::silence::{Silence, silent_for_too_long};
use super::backoff::{Backoff, STEP_ATTEMPTS};
use super::event::{Event, milliseconds};
use super::execution::Execution;
use super::lease::LeaseError;
use crate::plan::Step;

/// How a step ended.
#[derive(Debug)]
pub(super) enum StepEnd {
    Done {
        attempts: u32,
        took: Duration,
    },
    Failed(ProviderError),
    /// It was given up because the run was asked to stop; the next run goes on with it.
    Stopped,
}

/// Why nothing may be done any more: somebody else has the lease, or the store that it is kept in cannot be used.
fn without_lease(over: &LeaseError) -> ProviderError {
    let class = match over {
        LeaseError::RanOut { .. } | LeaseError::Store { .. } => ErrorClass::Unusable,
        LeaseError::Lost { .. } | LeaseError::Held { .. } => ErrorClass::Fenced,
    };
    ProviderError::new(class, with_causes(over))
}

/// Carries step `index` out: with a permit where it takes something down, again where that may help, and by looking
/// again where it is not known whether something happened.
pub(super) async fn run(execution: &Execution<'_>, index: usize, step: &Step) -> StepEnd {
    let change = step.change();
    let started = execution.clock.now();
    let Some((_, provider)) = execution.providers.of_kind(change.key.kind()) else {
        let message = format!("no provider looks after {}", change.key.kind());
        return StepEnd::Failed(ProviderError::new(ErrorClass::Permanent, message));
    };
    let mut backoff = Backoff::new(Digest::of_bytes(change.key.to_string().as_bytes()).as_seed());
    let mut silence = Silence::default();
    for attempt in 1..=STEP_ATTEMPTS {
        let permission = match permission::obtain(execution, index, step).await {
            Ok(permission) => permission,
            Err(end) => return end,
        };
        // After the permit, which may have been waited for.
        if let Err(over) = execution.lease.confirm().await {
            return StepEnd::Failed(without_lease(&over));
        }
        let error = match try_unless_stopped(execution, provider, index, change, attempt, permission).await {
            None => return StepEnd::Stopped,
            Some(Ok(())) => {
                execution.permits.note_done(change);
                execution.permits.note_answers(change.machine());
                let took = Duration::try_from(execution.clock.now().duration_since(started));
                return StepEnd::Done {
                    attempts: attempt,
                    took: took.unwrap_or_default(),
                };
            }
            Some(Err(error)) => error,
        };
        if error.class != ErrorClass::Unreachable {
            execution.permits.note_answers(change.machine());
        }
        let left = silence.left(error.class, execution.clock.now());
        if left == Some(Duration::ZERO) {
            execution.permits.note_silent(change.machine());
            return StepEnd::Failed(silent_for_too_long(error));
        }
        if !error.class.may_pass() || attempt == STEP_ATTEMPTS {
            return StepEnd::Failed(error);
        }
        let wait = backoff.next(error.class);
        let wait = left.map_or(wait, |left| wait.min(left));
        execution.reporter.report(&Event::StepRetried {
            step: index,
            key: change.key.clone(),
            attempt,
            wait_ms: milliseconds(wait),
            problem: error.to_string(),
            given_up_in_ms: left.map(milliseconds),
        });
        if let Err(end) = sleep_unless_stopped(execution, wait).await {
            return end;
        }
    }
    StepEnd::Failed(ProviderError::new(ErrorClass::Permanent, "it was never tried"))
}

/// One attempt; `None` when it was given up. After a stop only what waits for steps that will not be started any more
/// is given up: a founder of an etcd cluster whose fellows stay away. That is no worse than a crash at that moment, and
/// the next run goes on with it.
async fn try_unless_stopped(
    execution: &Execution<'_>,
    provider: &dyn Provider,
    index: usize,
    change: &Change,
    attempt: u32,
    permission: Permission<'_>,
) -> Option<Result<(), ProviderError>> {
    let attempt = try_once(execution, provider, index, change, attempt, permission);
    let waits_for_fellows = !change.is_removal()
        && matches!(change.resource(), Resource::EtcdMember(member) if member.start == MemberStart::Initial);
    if !waits_for_fellows {
        return Some(attempt.await);
    }
    tokio::select! {
        biased;
        result = attempt => Some(result),
        () = execution.interrupt.stopped() => None,
    }
}

/// One attempt. It uses the permission up, at its end: the next one has to ask again, since the world may have changed.
async fn try_once(
    execution: &Execution<'_>,
    provider: &dyn Provider,
    index: usize,
    change: &Change,
    attempt: u32,
    permission: Permission<'_>,
) -> Result<(), ProviderError> {
    if let Permission::Held(permit) = &permission
        && permit.key() != &change.key
    {
        let message = format!("the permit is for {}", permit.key());
        return Err(ProviderError::new(ErrorClass::Permanent, message));
    }
    let tell = |action: &str| {
        execution.reporter.report(&Event::StepProgress {
            step: index,
            key: change.key.clone(),
            action: action.to_owned(),
        });
    };
    let context = StepContext {
        cluster: execution.plan.cluster().clone(),
        fencing_generation: execution.lease.generation(),
        attempt: attempt - 1,
        progress: Progress::to(&tell),
    };
    match provider.carry_out(&context, change).await {
        Outcome::Done => Ok(()),
        Outcome::Rejected(error) => Err(error),
        Outcome::Indeterminate(error) => match look_again(execution, provider, change, error.class).await {
            Settled::Done => Ok(()),
            Settled::Open => Err(error),
            Settled::Changed(problem) => Err(ProviderError::new(ErrorClass::Permanent, problem)),
        },
    }
}

/// Waits, or gives up at once when the run is asked to stop.
async fn sleep_unless_stopped(execution: &Execution<'_>, duration: Duration) -> Result<(), StepEnd> {
    tokio::select! {
        biased;
        () = execution.interrupt.stopped() => Err(StepEnd::Stopped),
        () = execution.clock.sleep(duration) => Ok(()),
    }
}
