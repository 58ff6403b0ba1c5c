//! Waiting, never for ever.

use std::time::{Duration, Instant};

use crate::LabError;

const EVERY: Duration = Duration::from_millis(20);

/// Asks again and again until there is an answer, or the time is up.
pub(crate) fn wait_for<T>(
    time: Duration,
    what: impl FnOnce() -> (String, String),
    mut ask: impl FnMut() -> Result<Option<T>, LabError>,
) -> Result<T, LabError> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() >= time {
            let (what, hint) = what();
            return Err(LabError::TooLate {
                what,
                after: time,
                hint,
            });
        }
        std::thread::sleep(EVERY);
    }
}
