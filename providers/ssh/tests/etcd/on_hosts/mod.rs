//! Members come, go, fail and come back.

mod cutting;
mod disks;
mod foreign;
mod founding;
mod growing;
mod losses;
mod mending;
mod restoring;
mod snapshots;
mod space;
mod transfers;

use std::time::{Duration, Instant};

use keelson_provider_api::{ErrorClass, Outcome};

async fn sleep(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// Why something was refused and surely had no effect.
fn rejected(outcome: &Outcome) -> (ErrorClass, &str) {
    match outcome {
        Outcome::Rejected(error) => (error.class, &error.message),
        other => panic!("{other:?}"),
    }
}

/// Figures for whoever asks how long things take: `--nocapture` shows them.
#[expect(
    clippy::print_stderr,
    reason = "figures are for the reader of the test's output"
)]
fn figure(what: &str, since: Instant) {
    eprintln!("figure: {what}: {:?}", since.elapsed());
}
