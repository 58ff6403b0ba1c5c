//! Asking a run to stop.

use std::fmt;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio::sync::watch;

/// Why a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// A person or a program asked for it.
    Asked,
    /// Its lease is someone else's, or nobody's.
    LeaseOver,
    /// What it does cannot be written down any more.
    JournalUnwritable,
    /// A step failed of something that every other would fail of as well.
    Hopeless,
}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Asked => "the run was asked to stop",
            Self::LeaseOver => "the lease of this run is over",
            Self::JournalUnwritable => "the journal cannot be written",
            Self::Hopeless => "every other step would fail for the same reason",
        })
    }
}

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
    own: Arc<Reason>,
    /// What stops this one as well, the nearest first.
    around: Vec<Arc<Reason>>,
}

type Reason = watch::Sender<Option<StopReason>>;

impl Default for Interrupt {
    fn default() -> Self {
        Self {
            own: Arc::new(watch::Sender::new(None)),
            around: Vec::new(),
        }
    }
}

impl Interrupt {
    /// An interrupt that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An interrupt for a part of the work: it stops with the whole, and may be stopped alone.
    #[must_use]
    pub fn of_part(&self) -> Self {
        Self {
            around: self.all().cloned().collect(),
            ..Self::default()
        }
    }

    /// Asks for the stop.
    pub fn stop(&self) {
        self.stop_because(StopReason::Asked);
    }

    /// Asks for the stop and says why. The first reason counts.
    pub fn stop_because(&self, reason: StopReason) {
        self.own.send_if_modified(|stopped| {
            let is_first = stopped.is_none();
            stopped.get_or_insert(reason);
            is_first
        });
    }

    /// Why the stop has been asked for, once it has.
    pub fn reason(&self) -> Option<StopReason> {
        self.all().find_map(|reason| *reason.borrow())
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Reason>> {
        std::iter::once(&self.own).chain(&self.around)
    }

    /// True when a person or a program has asked for the stop, and it is not for a reason of the run's own.
    pub fn is_asked_for(&self) -> bool {
        self.reason() == Some(StopReason::Asked)
    }

    /// True once the stop has been asked for.
    pub fn is_stopped(&self) -> bool {
        self.reason().is_some()
    }

    /// Waits until the stop is asked for.
    pub async fn stopped(&self) {
        let waits = self.all().map(|reason| {
            let mut receiver = reason.subscribe();
            // The sender lives as long as this value, so waiting cannot fail before the stop comes.
            Box::pin(async move { receiver.wait_for(Option::is_some).await.map(drop) })
        });
        let _ = select_all(waits).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts() {
        let (own, asked) = (Interrupt::new(), Interrupt::new());
        own.stop_because(StopReason::LeaseOver);
        own.stop();
        asked.stop();
        asked.stop_because(StopReason::LeaseOver);
        assert_eq!(
            (own.reason(), own.is_asked_for()),
            (Some(StopReason::LeaseOver), false)
        );
        assert!(asked.is_asked_for() && asked.is_stopped());
        assert!(!Interrupt::new().is_stopped());
    }

    #[test]
    fn a_part_stops_with_the_whole_and_the_whole_not_with_a_part() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = Interrupt::new();
        let (first, second) = (whole.of_part(), whole.of_part());
        first.stop_because(StopReason::Hopeless);
        assert!(first.is_stopped() && !whole.is_stopped() && !second.is_stopped());
        runtime.block_on(first.stopped());
        whole.stop();
        runtime.block_on(second.stopped());
        assert_eq!(second.reason(), Some(StopReason::Asked));
        assert_eq!(first.reason(), Some(StopReason::Hopeless));
    }
}
