//! Says that a stop was heard: the work may take a while to come to an end.

use super::terminal::Terminal;
use crate::execute::{Event, Interrupt, Reporter};
use crate::view::progress_lines::LineProgress;

/// Does `work`, and tells `reporter` as soon as someone asks it to stop.
pub(super) async fn announced<T>(
    reporter: &dyn Reporter,
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
) -> T {
    let mut work = Box::pin(work);
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

/// The same where what is done is told in lines anyway.
pub(super) async fn told<T>(terminal: &Terminal, interrupt: &Interrupt, work: impl Future<Output = T>) -> T {
    announced(&LineProgress::new(terminal.error_stream()), interrupt, work).await
}
