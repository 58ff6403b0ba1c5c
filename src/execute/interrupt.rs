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
    stopped: Arc<watch::Sender<bool>>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            stopped: Arc::new(watch::Sender::new(false)),
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
        self.stopped.send_replace(true);
    }

    /// True once the stop has been asked for.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits until the stop is asked for.
    pub async fn stopped(&self) {
        let mut receiver = self.stopped.subscribe();
        // The sender lives as long as this value, so waiting cannot fail before the stop comes.
        let _ = receiver.wait_for(|stopped| *stopped).await;
    }
}
