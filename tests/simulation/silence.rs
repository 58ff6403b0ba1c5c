//! A machine that falls silent in the middle of an apply.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson::execute::{Event, Interrupt, Reporter};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError};
use keelson_provider_api::{
    Change, Clock, ErrorClass, Kind, Outcome, Provider, ProviderError, ResourceKey, StepContext,
};

use super::between::{Between, session};
use super::life::{Life, NAME, block_on};
use super::specs::Shape;

/// As long as it takes to see that nobody answers.
const CONNECT: Duration = Duration::from_secs(15);

/// One machine, the first, does not answer when it is to be configured.
struct OneIsSilent {
    clock: Arc<dyn Clock>,
    silent: OnceLock<ResourceKey>,
}

#[async_trait]
impl Between for OneIsSilent {
    async fn carry_out(
        &self,
        provider: &dyn Provider,
        context: &StepContext<'_>,
        change: &Change,
    ) -> Outcome {
        let key = &change.key;
        if key.kind() == Kind::NodeBundle && self.silent.get_or_init(|| key.clone()) == key {
            self.clock.sleep(CONNECT).await;
            let error = ProviderError::new(ErrorClass::Unreachable, "it does not answer in time");
            return Outcome::Rejected(error);
        }
        provider.carry_out(context, change).await
    }
}

/// What was told, and when.
struct Told {
    clock: Arc<dyn Clock>,
    events: Mutex<Vec<(Timestamp, Event)>>,
}

impl Reporter for Told {
    fn report(&self, event: &Event) {
        self.events
            .lock()
            .unwrap()
            .push((self.clock.now(), event.clone()));
    }
}

#[test]
fn a_machine_that_falls_silent_is_given_up_in_two_minutes_and_it_is_told_when() {
    block_on(async {
        let shape = Shape::of_seed(1);
        let life = Life::new(1, &shape);
        let clock: Arc<dyn Clock> = life.world.clock();
        let one_is_silent = Arc::new(OneIsSilent {
            clock: clock.clone(),
            silent: OnceLock::new(),
        });
        let between: Arc<dyn Between> = one_is_silent.clone();
        let session = session(&life, shape.spec(NAME, 1), &between);
        let told = Told {
            clock: clock.clone(),
            events: Mutex::default(),
        };
        let applied = session
            .apply(&ApplyOptions::default(), &AutoApprove, &told, &Interrupt::new())
            .await;
        let Err(OperationError::StepsFailed(executed)) = applied else {
            panic!("{applied:?}");
        };
        let silent = one_is_silent.silent.get().unwrap();
        let failure = executed
            .failures
            .iter()
            .find(|failure| failure.key == *silent)
            .unwrap();
        assert!(failure.problem.contains("without an answer"), "{failure:?}");

        let mut begun = None;
        let mut left = Vec::new();
        let mut ended = None;
        for (time, event) in told.events.into_inner().unwrap() {
            match event {
                Event::StepStarted { key, .. } if key == *silent => begun = Some(time),
                Event::StepRetried {
                    key, given_up_in_ms, ..
                } if key == *silent => left.push(given_up_in_ms.expect("it says for how long")),
                Event::StepFailed { key, .. } if key == *silent => ended = Some(time),
                _ => {}
            }
        }
        let took = ended.unwrap().duration_since(begun.unwrap());
        assert!((90..=140).contains(&took.as_secs()), "{took}");
        assert!(
            left.len() > 2 && left.is_sorted_by(|before, after| before > after),
            "{left:?}"
        );
    });
}
