//! Says that a stop was heard: the work may take a while to come to an end.

use crate::execute::{Event, Interrupt, Reporter};

/// Does `work`, and tells `reporter` as soon as someone asks it to stop.
pub(super) async fn announced<T>(
    reporter: &dyn Reporter,
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        result = &mut work => return result,
        () = interrupt.stopped() => {}
    }
    // A run that stops for a reason of its own tells that by itself.
    if interrupt.is_asked_for() {
        reporter.report(&Event::StopRequested);
    }
    work.await
}
