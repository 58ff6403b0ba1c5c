//! What goes wrong, and when: all of it from a seed, and never so much that patience does not win.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{Change, ErrorClass, ProviderError};

use crate::random::{between, chance, draw};

/// What may go wrong in a world. Every part of it is drawn from the seed, the key and a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPlan {
    /// Where the chance comes from.
    pub seed: u64,
    /// How many calls in a hundred go wrong.
    pub percent: u8,
    /// How often in a row calls for one key may go wrong; retries with more patience than this win.
    pub most_in_a_row: u32,
    /// How many calls may go wrong in all, so that every run comes to an end.
    pub most_in_all: u32,
    /// How many machines may die in all. No machine dies twice, none dies while another is missing, and never so
    /// that an etcd cluster could lose its quorum.
    pub most_deaths: u32,
}

impl FaultPlan {
    /// The usual plan: at most 3 in a row, 400 in all, and 2 deaths; nothing at all when `percent` is 0.
    pub fn new(seed: u64, percent: u8) -> Self {
        Self {
            seed,
            percent,
            most_in_a_row: 3,
            most_in_all: 400,
            most_deaths: if percent == 0 { 0 } else { 2 },
        }
    }
}

/// A moment at which keelson is gone, as if killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// Which write: the first is 0. [`crate::SimulatedWorld::writes`] counts them.
    pub write_index: u64,
    /// Before or after the write has had its effect.
    pub moment: CrashMoment,
}

/// When, within a write, a crash comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashMoment {
    /// The write has had no effect.
    BeforeEffect,
    /// The write has had its effect, and nobody was told.
    AfterEffect,
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused before it has an effect.
    Before,
    /// It is refused because there were too many.
    Throttled,
    /// Its answer is lost after it had its effect.
    After,
    /// It takes five times as long.
    Slow,
}

impl Fault {
    /// The error that the caller sees.
    pub(crate) fn error(self) -> ProviderError {
        let (class, message) = match self {
            Self::Throttled => (ErrorClass::Throttled, "RequestLimitExceeded: too many calls"),
            Self::After => (
                ErrorClass::Transient,
                "the connection was reset before an answer came",
            ),
            Self::Before | Self::Slow => (ErrorClass::Transient, "503: the service is unavailable"),
        };
        ProviderError::new(class, message)
    }
}

/// The plan, and how far it has been carried out.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) plan: FaultPlan,
    pub(crate) crash_at: Option<CrashPoint>,
    spent: u32,
    pub(crate) deaths: u32,
    calls: BTreeMap<String, u64>,
    in_a_row: BTreeMap<String, u32>,
    pub(crate) dead: Vec<String>,
}

impl Faults {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        Self {
            plan,
            crash_at: None,
            spent: 0,
            deaths: 0,
            calls: BTreeMap::new(),
            in_a_row: BTreeMap::new(),
            dead: Vec::new(),
        }
    }

    /// How often `subject` was called before.
    pub(crate) fn count(&mut self, subject: &str) -> u64 {
        let calls = self.calls.entry(subject.to_owned()).or_default();
        *calls += 1;
        *calls - 1
    }

    /// What goes wrong with this call of a change, if anything.
    pub(crate) fn for_change(&mut self, change: &Change, count: u64) -> Option<Fault> {
        let subject = change.to_string();
        let number = draw(self.plan.seed, &[&subject, "fault", &count.to_string()]);
        let fault = match (number >> 8) % 100 {
            0..30 => Fault::Before,
            30..50 => Fault::Throttled,
            50..75 => Fault::After,
            _ => Fault::Slow,
        };
        self.spend(&subject, number).then_some(fault)
    }

    /// The error of this look at `kind`, if it fails.
    pub(crate) fn for_look(&mut self, kind: Kind) -> Option<ProviderError> {
        self.for_call(&format!("observe {kind}"))
    }

    /// The error of this call that changes no resource, if it fails.
    pub(crate) fn for_call(&mut self, subject: &str) -> Option<ProviderError> {
        let count = self.count(subject);
        let number = draw(self.plan.seed, &[subject, "fault", &count.to_string()]);
        // Looks fail half as often as writes: there are many of them to one plan.
        (number & 0x100 == 0 && self.spend(subject, number)).then(|| Fault::Before.error())
    }

    /// How long observers go on seeing the state before a write.
    pub(crate) fn visibility_delay(&self, change: &Change, count: u64) -> Option<Duration> {
        let number = draw(
            self.plan.seed,
            &[&change.to_string(), "visible", &count.to_string()],
        );
        chance(self.plan.percent, number)
            .then(|| between(Duration::ZERO, Duration::from_secs(5), number >> 8))
    }

    /// A number to choose a machine with, when one is to die at this write; and how long it stays dark.
    pub(crate) fn death(&self, write: u64) -> Option<(u64, Duration)> {
        let number = draw(self.plan.seed, &["death", &write.to_string()]);
        let wanted = self.deaths < self.plan.most_deaths && number % 1000 < u64::from(self.plan.percent);
        let pause = between(Duration::from_secs(45), Duration::from_secs(150), number >> 20);
        wanted.then_some((number >> 10, pause))
    }

    fn spend(&mut self, subject: &str, number: u64) -> bool {
        let in_a_row = self.in_a_row.entry(subject.to_owned()).or_default();
        let wrong = chance(self.plan.percent, number)
            && *in_a_row < self.plan.most_in_a_row
            && self.spent < self.plan.most_in_all;
        if wrong {
            *in_a_row += 1;
            self.spent += 1;
        } else {
            *in_a_row = 0;
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, create};

    #[test]
    fn faults_repeat_and_patience_wins() {
        let change = create(Fixture::machine("a"));
        let run = || {
            let mut faults = Faults::new(FaultPlan::new(7, 90));
            (0..50)
                .map(|count| faults.for_change(&change, count))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
        assert!(run().iter().flatten().count() > 20);
        assert!(
            run().windows(4).all(|row| row.contains(&None)),
            "at most three in a row"
        );
    }

    #[test]
    fn there_is_an_end_to_faults() {
        let change = create(Fixture::machine("a"));
        let plan = FaultPlan {
            most_in_all: 5,
            ..FaultPlan::new(7, 90)
        };
        let mut faults = Faults::new(plan);
        let seen = (0..200)
            .filter_map(|count| faults.for_change(&change, count))
            .count();
        assert_eq!(seen, 5);
        let mut none = Faults::new(FaultPlan::new(7, 0));
        assert!((0..200).all(|count| none.for_change(&change, count).is_none()));
    }
}
