//! How long to wait before trying again.

use std::time::Duration;

use keelson_provider_api::ErrorClass;

/// How often a step is tried before it counts as failed.
pub const STEP_ATTEMPTS: u32 = 12;

/// How often a look at one kind is tried before the kind counts as unknown.
pub const OBSERVATION_ATTEMPTS: u32 = 6;

const FIRST_WAIT: Duration = Duration::from_millis(500);
const FIRST_WAIT_THROTTLED: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Waits that double from one attempt to the next, up to a limit, each with a jitter of half its length, so that
/// many steps that failed together do not come back together.
///
/// The jitter comes from a seed: it spreads callers, it is no secret, and a simulation must repeat.
#[derive(Debug, Clone)]
pub struct Backoff {
    state: u64,
    attempt: u32,
}

impl Backoff {
    /// Waits whose jitter is drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            attempt: 0,
        }
    }

    /// The next wait, after an error of `class`.
    pub fn next(&mut self, class: ErrorClass) -> Duration {
        let first = if class == ErrorClass::Throttled {
            FIRST_WAIT_THROTTLED
        } else {
            FIRST_WAIT
        };
        let full = first.saturating_mul(1 << self.attempt.min(16)).min(LONGEST_WAIT);
        self.attempt = self.attempt.saturating_add(1);
        let half = full / 2;
        let per_mille = u32::try_from(self.random() % 1001).unwrap_or(0);
        half + half * per_mille / 1000
    }

    /// `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_and_repeat_with_the_seed() {
        let waits = |seed: u64| -> Vec<Duration> {
            let mut backoff = Backoff::new(seed);
            (0..20).map(|_| backoff.next(ErrorClass::Transient)).collect()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        assert!(
            waits(1)
                .iter()
                .all(|wait| (FIRST_WAIT / 2..=LONGEST_WAIT).contains(wait)),
            "{:?}",
            waits(1)
        );
        assert!(waits(1)[19] >= LONGEST_WAIT / 2);
    }
}
