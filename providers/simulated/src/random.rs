//! Draws from a seed: the same seed, subject and counter always give the same number.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::values::Digest;

/// A number that depends on nothing but the seed and the words.
pub(crate) fn draw(seed: u64, words: &[&str]) -> u64 {
    Digest::of_bytes(format!("{seed}\n{}", words.join("\n")).as_bytes()).as_seed()
}

/// True in `percent` of a hundred draws.
pub(crate) fn chance(percent: u8, number: u64) -> bool {
    number % 100 < u64::from(percent)
}

/// A duration between `low` and `high`.
pub(crate) fn between(low: Duration, high: Duration, number: u64) -> Duration {
    let span = high.saturating_sub(low).as_millis().max(1);
    let offset = u128::from(number) % span;
    low.saturating_add(Duration::from_millis(u64::try_from(offset).unwrap_or(0)))
}

/// The moment `duration` after `moment`, or the end of time.
pub(crate) fn later(moment: Timestamp, duration: Duration) -> Timestamp {
    moment.checked_add(duration).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_and_differ_by_every_word() {
        assert_eq!(draw(7, &["a", "b"]), draw(7, &["a", "b"]));
        assert_ne!(draw(7, &["a", "b"]), draw(8, &["a", "b"]));
        assert_ne!(draw(7, &["a", "b"]), draw(7, &["a", "c"]));
    }

    #[test]
    fn chances_are_about_what_they_say() {
        let hits = (0..1000_u32)
            .filter(|index| chance(20, draw(1, &[&index.to_string()])))
            .count();
        assert!((150..250).contains(&hits), "{hits}");
        assert!(!chance(0, 0) && chance(100, 99));
    }
}
