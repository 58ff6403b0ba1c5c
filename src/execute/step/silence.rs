//! How long a machine may be silent.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::{ErrorClass, ProviderError};

/// How long a machine may be silent, from the first call that it did not answer: for a boot, and not for an evening.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// Since when a step's machine has not answered.
#[derive(Default)]
pub(super) struct Silence(Option<Timestamp>);

impl Silence {
    /// How much longer the machine may be silent, after an attempt that ended at `now` with an error of `class`. Nothing for
    /// a machine that answers.
    pub(super) fn left(&mut self, class: ErrorClass, now: Timestamp) -> Option<Duration> {
        if class != ErrorClass::Unreachable {
            self.0 = None;
            return None;
        }
        let since = *self.0.get_or_insert(now);
        let silent = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        Some(SILENCE_LIMIT.saturating_sub(silent))
    }
}

/// The error of a machine that is waited for no longer.
pub(super) fn silent_for_too_long(error: ProviderError) -> ProviderError {
    ProviderError {
        message: format!(
            "{}; after {} s without an answer it is waited for no longer",
            error.message,
            SILENCE_LIMIT.as_secs()
        ),
        ..error
    }
}
