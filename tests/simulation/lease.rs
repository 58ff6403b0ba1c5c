//! One keelson at a time: a second is told who is at work, a dead one is taken over, and what it still does comes
//! to nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use keelson::execute::{
    Event, Executed, Execution, Interrupt, Lease, LeaseError, LeaseHolder, Reporter, Silent,
};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError, Session};
use keelson_provider_api::clock::{BoxFuture, Clock};
use keelson_provider_simulated::CrashMoment;

use super::life::{Life, NAME, Operation, Run, block_on};
use super::specs::Shape;

fn shape() -> Shape {
    Shape {
        like: "aws",
        control_planes: 3,
        dedicated_etcd: false,
        workers: 2,
        ..Shape::of_seed(7)
    }
}

async fn apply(session: &Session) -> Result<(), OperationError> {
    session
        .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
        .await
        .map(|_| ())
}

#[test]
fn of_two_applies_at_once_one_works_and_the_other_says_who_does() {
    block_on(async {
        let life = Life::new(7, &shape());
        let (first, second) = (
            life.session(shape().spec(NAME, 7)),
            life.session(shape().spec(NAME, 7)),
        );
        let (first, second) = tokio::join!(apply(&first), apply(&second));
        let (winners, losers): (Vec<_>, Vec<_>) = [first, second].into_iter().partition(Result::is_ok);
        assert_eq!((winners.len(), losers.len()), (1, 1), "{winners:?} {losers:?}");
        let loser = losers.into_iter().next().unwrap().unwrap_err();
        let OperationError::Lease(LeaseError::Held { record, .. }) = &loser else {
            panic!("{loser:?}")
        };
        assert_eq!(
            (record.holder.as_str(), record.purpose.as_str()),
            ("run 0", "apply")
        );
        assert!(
            life.world.violations().is_empty(),
            "{:?}",
            life.world.violations()
        );
    });
}

#[derive(Default)]
struct Listener(Mutex<Vec<Event>>);

impl Reporter for Listener {
    fn report(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

#[test]
fn a_holder_that_was_killed_is_taken_over_when_its_time_is_up_and_not_before() {
    block_on(async {
        let mut life = Life::new(7, &shape());
        let operation = Operation::Apply(shape());
        life.crash_at(9, CrashMoment::AfterEffect);
        assert!(matches!(life.run(&operation, &Silent).await, Run::Crashed));

        let too_early = life.run(&operation, &Silent).await;
        assert!(
            matches!(
                too_early,
                Run::Failed(OperationError::Lease(LeaseError::Held { .. }))
            ),
            "{too_early:?}"
        );

        life.pass(Duration::from_secs(31)).await;
        let listener = Listener::default();
        assert!(matches!(life.run(&operation, &listener).await, Run::Done));
        let events = listener.0.into_inner().unwrap();
        let taken_over = events
            .iter()
            .any(|event| matches!(event, Event::LeaseTaken { taken_over: true, .. }));
        assert!(taken_over, "{events:?}");
        life.check(&operation).await.unwrap();
    });
}

/// The clock of a process that was stopped: no time passes for it.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep(&self, _duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// A first run takes the lease by `clock`, plans to destroy everything, and sleeps for too long; a second takes over and
/// changes something; the first wakes up and goes on. What comes of that, and the life in which it happened.
async fn wake_up_late(clock: impl Fn(&Life) -> Arc<dyn Clock>) -> (Executed, Life) {
    let life = Life::new(7, &shape());
    let session = life.session(shape().spec(NAME, 7));
    let holder = LeaseHolder {
        name: "the first".to_owned(),
        purpose: "apply".to_owned(),
        time_to_live: Duration::from_secs(30),
        processes: None,
    };
    apply(&session).await.unwrap();
    let name = NAME.parse().unwrap();
    let lease = Lease::take(life.store.clone(), clock(&life), &name, &holder)
        .await
        .unwrap();
    let planned = session.plan_destruction(&Silent).await.unwrap();
    assert!(!planned.plan.is_empty());
    life.pass(Duration::from_secs(31)).await;

    let scaled = Shape {
        workers: 3,
        ..shape()
    };
    apply(&life.session(scaled.spec(NAME, 7))).await.unwrap();
    let before = life.world.footprint(planned.plan.cluster());

    let (interrupt, providers) = (Interrupt::new(), session.providers());
    let world_clock: Arc<dyn Clock> = life.world.clock();
    let execution = Execution::new(
        &planned.plan,
        &lease,
        providers,
        world_clock.as_ref(),
        &Silent,
        &interrupt,
    );
    let mut executed = None;
    world_clock
        .drive(Box::pin(async { executed = Some(execution.run().await) }))
        .await;
    let after = life.world.footprint(planned.plan.cluster());
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        after.keys().collect::<Vec<_>>()
    );
    (executed.unwrap(), life)
}

#[test]
fn one_that_slept_through_its_lease_does_not_even_try() {
    block_on(async {
        let (executed, life) = wake_up_late(|life| life.world.clock()).await;
        assert!(executed.fenced && executed.done == 0, "{executed:?}");
        assert!(!executed.failures.is_empty());
        for failure in &executed.failures {
            assert!(failure.problem.contains("was lost"), "{failure:?}");
        }
        assert_eq!(life.world.fenced_writes(), 0);
    });
}

#[test]
fn the_late_writes_of_one_that_was_taken_over_are_fenced_off() {
    block_on(async {
        // It does not know that its time is over: what it had begun before it slept is on its way.
        let (executed, life) = wake_up_late(|life| Arc::new(Standing(life.world.clock().now()))).await;
        assert!(executed.fenced && executed.done == 0, "{executed:?}");
        assert!(life.world.fenced_writes() > 0);
    });
}
