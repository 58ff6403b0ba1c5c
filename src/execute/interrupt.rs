//! Asking a run to stop.

use std::sync::Arc;

use tokio::sync::watch;

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
        self.stop_because("the run was asked to stop");
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
