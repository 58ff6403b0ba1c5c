//! Carries one step out.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::MemberStart;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Action, Change, ErrorClass, Existing, Observation, Observed, Outcome, Owner, Progress, Provider,
    ProviderError, Resource, StepContext,
};

use super::backoff::{Backoff, STEP_ATTEMPTS};
use super::dispatch::Execution;
use super::event::{Event, milliseconds};
use super::observe::observe;
use super::permits::Held;
use crate::plan::{Step, safety};

/// How long a disruptive step waits for the others to be well before it counts as refused.
const PERMIT_PATIENCE: Duration = Duration::from_secs(600);
/// How long a machine may be silent, from the first call that it did not answer: for a boot, and not for an evening.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);
const PERMIT_POLL: Duration = Duration::from_secs(5);

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
        let authority = match authorise(execution, index, step).await {
            Ok(authority) => authority,
            Err(end) => return end,
        };
        // After the permit, which may have been waited for.
        if let Err(lost) = execution.lease.confirm().await {
            return StepEnd::Failed(ProviderError::new(ErrorClass::Fenced, lost.to_string()));
        }
        let error = match try_unless_stopped(execution, provider, index, change, attempt, authority).await {
            None => return StepEnd::Stopped,
            Some(Ok(())) => {
                execution.permits.note_done(change);
                let took = Duration::try_from(execution.clock.now().duration_since(started));
                return StepEnd::Done {
                    attempts: attempt,
                    took: took.unwrap_or_default(),
                };
            }
            Some(Err(error)) => error,
        };
        let left = silence.left(error.class, execution.clock.now());
        if left == Some(Duration::ZERO) {
            execution.permits.note_silent_machine();
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

/// Since when a step's machine has not answered.
#[derive(Default)]
struct Silence(Option<Timestamp>);

impl Silence {
    /// How much longer the machine may be silent, after an attempt that ended at `now` with an error of `class`. Nothing for
    /// a machine that answers.
    fn left(&mut self, class: ErrorClass, now: Timestamp) -> Option<Duration> {
        if class != ErrorClass::Unreachable {
            self.0 = None;
            return None;
        }
        let since = *self.0.get_or_insert(now);
        let silent = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        Some(SILENCE_LIMIT.saturating_sub(silent))
    }
}

fn silent_for_too_long(error: ProviderError) -> ProviderError {
    ProviderError {
        message: format!(
            "{}; after {} s without an answer it is waited for no longer",
            error.message,
            SILENCE_LIMIT.as_secs()
        ),
        ..error
    }
}

/// What allows a change to be carried out once.
enum Authority<'a> {
    /// It takes nothing down.
    Harmless,
    /// It takes something down and may, as long as this is held.
    Permitted(Held<'a>),
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
    authority: Authority<'_>,
) -> Option<Result<(), ProviderError>> {
    let attempt = try_once(execution, provider, index, change, attempt, authority);
    let waits_for_fellows = !matches!(change.action, Action::Delete { .. })
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

/// One attempt. It uses the authority up, at its end: the next one has to ask again, since the world may have changed.
async fn try_once(
    execution: &Execution<'_>,
    provider: &dyn Provider,
    index: usize,
    change: &Change,
    attempt: u32,
    authority: Authority<'_>,
) -> Result<(), ProviderError> {
    if let Authority::Permitted(permit) = &authority
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

/// Asks for the permit, with a fresh observation each time, until it is given or patience ends.
async fn authorise<'a>(
    execution: &'a Execution<'_>,
    index: usize,
    step: &Step,
) -> Result<Authority<'a>, StepEnd> {
    if !step.is_disruptive() {
        return Ok(Authority::Harmless);
    }
    let change = step.change();
    let mut waited = Duration::ZERO;
    let mut has_told = false;
    loop {
        let asking = execution.permits.ask(index).await;
        if execution.interrupt.is_stopped() {
            return Err(StepEnd::Stopped);
        }
        let observation = look_at_the_others(execution).await;
        let refusal = match safety::permit(execution.plan, change, &observation, asking.going_down()) {
            Ok(permit) => return Ok(Authority::Permitted(asking.hold(permit, change.machine()))),
            Err(refusal) => refusal,
        };
        let others_are_at_it = !asking.going_down().is_empty();
        drop(asking);
        // Nobody will be well again by waiting whose machine has been given up.
        let patience = if execution.permits.has_silent_machine() {
            SILENCE_LIMIT
        } else {
            PERMIT_PATIENCE
        };
        if waited >= patience {
            let message = format!("it is not safe to take it down: {refusal}");
            let error = ProviderError::new(ErrorClass::Permanent, message)
                .with_help("`keelson status` shows what is unwell; mend that, then run the command again");
            return Err(StepEnd::Failed(error));
        }
        if !has_told {
            has_told = true;
            execution.reporter.report(&Event::StepWaits {
                step: index,
                key: change.key.clone(),
                reason: refusal.to_string(),
                given_up_in_ms: milliseconds(patience),
            });
        }
        sleep_unless_stopped(execution, PERMIT_POLL).await?;
        // Steps that hold a permit come to an end: waiting for them is no sign that something is wrong.
        if !others_are_at_it {
            waited += PERMIT_POLL;
        }
    }
}

/// What decides about permits, as it is now. Where the cluster ends nothing does.
async fn look_at_the_others(execution: &Execution<'_>) -> Observation {
    if execution.plan.retires_cluster() {
        return Observation::new(execution.clock.now());
    }
    let wanted = execution.permits.decisive();
    let cluster = execution.plan.cluster();
    let kinds = safety::DECISIVE_KINDS;
    observe(execution.providers, execution.clock, cluster, kinds, &wanted).await
}

/// Waits, or gives up at once when the run is asked to stop.
async fn sleep_unless_stopped(execution: &Execution<'_>, duration: Duration) -> Result<(), StepEnd> {
    tokio::select! {
        biased;
        () = execution.interrupt.stopped() => Err(StepEnd::Stopped),
        () = execution.clock.sleep(duration) => Ok(()),
    }
}

/// What looking again showed.
enum Settled {
    /// The change has happened.
    Done,
    /// It has not, or nothing can be said yet: doing it again is safe, since every change is idempotent.
    Open,
    /// The world is neither as before nor as wanted.
    Changed(String),
}

async fn look_again(
    execution: &Execution<'_>,
    provider: &dyn Provider,
    change: &Change,
    class: ErrorClass,
) -> Settled {
    let wanted = BTreeSet::from([change.key.clone()]);
    let kind = change.key.kind();
    let Ok(seen) = provider.observe(execution.plan.cluster(), kind, &wanted).await else {
        return Settled::Open;
    };
    match seen.found.get(&change.key).unwrap_or(&Observed::Absent) {
        Observed::Absent if matches!(change.action, Action::Delete { .. }) => Settled::Done,
        Observed::Absent | Observed::Unknown(_) => Settled::Open,
        Observed::Present(existing) => settle_present(change, existing, class),
    }
}

fn settle_present(change: &Change, existing: &Existing, class: ErrorClass) -> Settled {
    let deletes = matches!(change.action, Action::Delete { .. });
    if let Owner::Other(owner) = &existing.owner {
        // What was to be deleted is gone, and someone else has taken its name.
        if deletes {
            return Settled::Done;
        }
        return Settled::Changed(format!("it exists by now and belongs to {owner}"));
    }
    match &change.action {
        Action::Create { resource, .. } | Action::Update { resource, .. } => {
            // Made and unwell for a reason that stays: a node that is not Ready is no node that is done.
            let stays_unwell = class == ErrorClass::Permanent && !existing.health.is_healthy();
            if existing.resource.differences(resource).is_empty() && !stays_unwell {
                Settled::Done
            } else {
                Settled::Open
            }
        }
        // Something that was made since is not what was to be deleted.
        Action::Delete { existing: doomed } if doomed.id != existing.id => Settled::Done,
        Action::Delete { .. } => Settled::Open,
    }
}
