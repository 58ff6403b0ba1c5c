//! Asking a run to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Why a run stops that someone asked to stop.
const ASKED: &str = "the run was asked to stop";

/// A wish that work stops: nothing new is started, what is in flight is finished, the lease is left free.
///
/// ```
/// use keelson::execute::Interrupt;
///
/// let interrupt = Interrupt::new();
/// let for_the_signal_handler = interrupt.clone();
/// for_the_signal_handler.stop();
/// assert!(interrupt.is_stopped());
/// ```
#[derive(Debug, Clone)]
pub struct Interrupt {
    reason: Arc<watch::Sender<Option<&'static str>>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            reason: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Interrupt {
    /// An interrupt that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the stop.
    pub fn stop(&self) {
        self.stop_because(ASKED);
    }

    /// Asks for the stop and says why: a fragment. The first reason counts.
    pub fn stop_because(&self, reason: &'static str) {
        self.reason.send_if_modified(|stopped| {
            let is_first = stopped.is_none();
            stopped.get_or_insert(reason);
            is_first
        });
    }

    /// Why the stop has been asked for, once it has.
    pub fn reason(&self) -> Option<&'static str> {
        *self.reason.borrow()
    }

    /// True when a person or a program has asked for the stop, and it is not for a reason of the run's own.
    pub fn is_asked_for(&self) -> bool {
        self.reason() == Some(ASKED)
    }

    /// True once the stop has been asked for.
    pub fn is_stopped(&self) -> bool {
        self.reason().is_some()
    }

    /// Waits until the stop is asked for.
    pub async fn stopped(&self) {
        let mut receiver = self.reason.subscribe();
        // The sender lives as long as this value, so waiting cannot fail before the stop comes.
        let _ = receiver.wait_for(Option::is_some).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let (own, asked) = (Interrupt::new(), Interrupt::new());
        own.stop_because("the lease is over");
        own.stop();
        asked.stop();
        asked.stop_because("the lease is over");
        assert_eq!(
            (own.reason(), own.is_asked_for()),
            (Some("the lease is over"), false)
        );
        assert!(asked.is_asked_for() && asked.is_stopped());
        assert!(!Interrupt::new().is_stopped());
    }
}
