//! A run for programs: each event as one line of JSON. `docs/events.md` describes the events.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use crate::execute::{Event, Reporter};

/// Writes each event as a line of JSON.
pub struct JsonProgress<W> {
    out: Mutex<W>,
}

impl<W: Write + Send> JsonProgress<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

impl<W: Write + Send> Reporter for JsonProgress<W> {
    fn report(&self, event: &Event) {
        let Ok(line) = serde_json::to_string(event) else {
            return;
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody reads any more: the work goes on all the same.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}
