//! Waiting that ends.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::Clock;

/// Waiting that ends.
pub(super) struct Patience<'a> {
    clock: &'a dyn Clock,
    until: Timestamp,
}

impl<'a> Patience<'a> {
    /// Patience for `limit` from now on.
    pub(super) fn new(clock: &'a dyn Clock, limit: Duration) -> Self {
        let now = clock.now();
        Self {
            clock,
            until: now.checked_add(limit).unwrap_or(now),
        }
    }

    /// Waits for `pause`; false when there is no patience left.
    pub(super) async fn wait(&self, pause: Duration) -> bool {
        let left = !self.is_over();
        if left {
            self.clock.sleep(pause).await;
        }
        left
    }

    /// True when there is no patience left.
    pub(super) fn is_over(&self) -> bool {
        self.clock.now() >= self.until
    }
}
