//! Waiting that ends.

use std::time::Duration;

use jiff::Timestamp;

use crate::Clock;

/// How long something may take that is waited for, by a clock.
pub struct Patience<'a> {
    clock: &'a dyn Clock,
    until: Timestamp,
}

impl<'a> Patience<'a> {
    /// As much as lasts for `limit` from now on.
    pub fn of(clock: &'a dyn Clock, limit: Duration) -> Self {
        let now = clock.now();
        Self {
            clock,
            until: now.checked_add(limit).unwrap_or(now),
        }
    }

    /// True when there is no patience left.
    pub fn is_over(&self) -> bool {
        self.clock.now() >= self.until
    }

    /// Waits for `pause`; false when there is no patience left.
    pub async fn wait(&self, pause: Duration) -> bool {
        let left = !self.is_over();
        if left {
            self.clock.sleep(pause).await;
        }
        left
    }
}
