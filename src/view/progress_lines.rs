//! A run where there is no terminal: plain lines, one for each thing that was done or went wrong.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::humane::{duration, plural, printable};
use super::styles::{BAD, CHANGE, FAINT, GOOD, paint};
use crate::execute::{Event, Reporter};

/// Writes plain lines.
pub struct LineProgress<W> {
    state: Mutex<State<W>>,
}

struct State<W> {
    out: W,
    counter: Counter,
}

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct Counter {
    pub steps: usize,
    pub ended: usize,
}

impl Counter {
    /// Counts an event, and says what it is worth telling, if it is.
    pub(super) fn line(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Started { steps, expected_ms } => {
                *self = Self {
                    steps: *steps,
                    ended: 0,
                };
                let expected = duration(Duration::from_millis(*expected_ms));
                Some(format!("{}, about {expected}", plural(*steps, "step")))
            }
            Event::StepDone {
                key,
                verb,
                took_ms,
                attempts,
                ..
            } => {
                self.ended += 1;
                let done = paint(GOOD, past(verb));
                let took = took(*took_ms, *attempts);
                Some(format!("{} {done} {key} {took}", self.position()))
            }
            Event::StepFailed {
                key, verb, problem, ..
            } => {
                self.ended += 1;
                Some(format!(
                    "{} {} {key}: {}",
                    self.position(),
                    paint(BAD, format!("failed to {verb}")),
                    printable(problem)
                ))
            }
            Event::StepRetried { .. } | Event::StepWaits { .. } => waiting(event),
            Event::StopRequested => Some(format!(
                "{}: what is in flight is finished first; press Ctrl-C again to stop at once",
                paint(CHANGE, "stopping")
            )),
            Event::Stopping { reason, in_flight } => Some(format!(
                "{}: {reason}; {} in flight",
                paint(CHANGE, "stopping"),
                plural(*in_flight, "step")
            )),
            Event::LeaseTaken {
                taken_over: true,
                generation,
            } => Some(format!(
                "took the lease over from a run that did not let it go (generation {generation})"
            )),
            _ => None,
        }
    }

    fn position(&self) -> String {
        let width = self.steps.to_string().len();
        paint(FAINT, format!("[{:width$}/{}]", self.ended, self.steps))
    }
}

/// What is waited for, and until when.
fn waiting(event: &Event) -> Option<String> {
    match event {
        Event::StepRetried {
            key,
            attempt,
            wait_ms,
            problem,
            given_up_in_ms,
            ..
        } => {
            let wait = duration(Duration::from_millis(*wait_ms));
            let until = given_up_in_ms.map(|left| {
                let left = duration(Duration::from_millis(left));
                format!(", given up in {left} if it does not answer")
            });
            Some(format!(
                "{} {key}: {}; attempt {} in {wait}{}",
                paint(CHANGE, "again"),
                printable(problem),
                attempt + 1,
                until.unwrap_or_default()
            ))
        }
        Event::StepWaits {
            key,
            reason,
            given_up_in_ms,
            ..
        } => Some(format!(
            "{} {key}: {}; given up after {} of it",
            paint(CHANGE, "waiting"),
            printable(reason),
            duration(Duration::from_millis(*given_up_in_ms))
        )),
        _ => None,
    }
}

fn took(milliseconds: u64, attempts: u32) -> String {
    let again = if attempts > 1 {
        format!(", {attempts} attempts")
    } else {
        String::new()
    };
    let took = duration(Duration::from_millis(milliseconds));
    paint(FAINT, format!("({took}{again})"))
}

fn past(verb: &str) -> &'static str {
    match verb {
        "create" => "created",
        "update" => "updated",
        _ => "deleted",
    }
}

impl<W: Write + Send> LineProgress<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            state: Mutex::new(State {
                out,
                counter: Counter::default(),
            }),
        }
    }
}

impl<W: Write + Send> Reporter for LineProgress<W> {
    fn report(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let line = match event {
            // Bars show it in passing; in lines it stays, since nobody watches.
            Event::StepProgress { key, action, .. } => {
                Some(format!("{} {key}: {}", paint(FAINT, "  ·"), printable(action)))
            }
            event => state.counter.line(event),
        };
        if let Some(line) = line {
            // Nobody reads any more: the work goes on all the same.
            let _ = writeln!(state.out, "{line}").and_then(|()| state.out.flush());
        }
    }
}
