//! A run on a terminal: a bar for the whole, and a line for each step in flight, as far as there is room.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::humane::{duration, printable};
use super::progress_lines::Counter;
use crate::execute::{Event, Reporter};

/// So many steps in flight have a line of their own; the others are counted.
const LINES: usize = 8;
const TICK: Duration = Duration::from_millis(120);

/// Draws bars on stderr.
pub struct BarProgress {
    state: Mutex<State>,
}

struct State {
    colours: bool,
    bars: MultiProgress,
    whole: Option<ProgressBar>,
    lines: BTreeMap<usize, ProgressBar>,
    in_flight: BTreeMap<usize, String>,
    counter: Counter,
}

impl BarProgress {
    /// Bars on stderr, in `colours` or without.
    pub fn new(colours: bool) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let state = State {
            colours,
            bars,
            whole: None,
            lines: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            counter: Counter::default(),
        };
        Self {
            state: Mutex::new(state),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates below are constants; one that does not parse shows as indicatif's default.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━╌")
}

impl State {
    fn start(&mut self, steps: usize) {
        let whole = self
            .bars
            .add(ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX)));
        whole.set_style(style(if self.colours {
            "{bar:20.green} {pos}/{len} {wide_msg}"
        } else {
            "{bar:20} {pos}/{len} {wide_msg}"
        }));
        whole.enable_steady_tick(TICK);
        self.whole = Some(whole);
    }

    fn show_lines(&mut self) {
        let missing: Vec<usize> = self
            .in_flight
            .keys()
            .filter(|step| !self.lines.contains_key(step))
            .copied()
            .collect();
        for step in missing {
            if self.lines.len() >= LINES {
                break;
            }
            let line = match &self.whole {
                Some(whole) => self.bars.insert_before(whole, ProgressBar::new_spinner()),
                None => self.bars.add(ProgressBar::new_spinner()),
            };
            line.set_style(style(if self.colours {
                "  {spinner:.yellow} {wide_msg}"
            } else {
                "  {spinner} {wide_msg}"
            }));
            line.set_message(self.in_flight.get(&step).cloned().unwrap_or_default());
            line.enable_steady_tick(TICK);
            self.lines.insert(step, line);
        }
        if let Some(whole) = &self.whole {
            let others = self.in_flight.len().saturating_sub(self.lines.len());
            whole.set_message(if others > 0 {
                format!("and {others} more in flight")
            } else {
                String::new()
            });
        }
    }

    fn end_step(&mut self, step: usize) {
        self.in_flight.remove(&step);
        if let Some(line) = self.lines.remove(&step) {
            line.finish_and_clear();
            self.bars.remove(&line);
        }
        if let Some(whole) = &self.whole {
            whole.inc(1);
        }
        self.show_lines();
    }

    fn end(&mut self) {
        for (_, line) in std::mem::take(&mut self.lines) {
            line.finish_and_clear();
        }
        self.in_flight.clear();
        if let Some(whole) = self.whole.take() {
            whole.finish_and_clear();
        }
    }
}

impl Reporter for BarProgress {
    fn report(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = state.counter.line(event) {
            // What has been said stays above the bars, so that it can be read afterwards.
            let line = if state.colours {
                line
            } else {
                anstream::adapter::strip_str(&line).to_string()
            };
            let _ = state.bars.println(line);
        }
        match event {
            Event::Started { steps, .. } => state.start(*steps),
            Event::StepStarted {
                step,
                key,
                verb,
                expected_ms,
                ..
            } => {
                let expected = duration(Duration::from_millis(*expected_ms));
                state
                    .in_flight
                    .insert(*step, format!("{verb} {key} (about {expected})"));
                state.show_lines();
            }
            Event::StepWaits {
                step,
                key,
                reason,
                given_up_in_ms,
            } => {
                let limit = duration(Duration::from_millis(*given_up_in_ms));
                if let Some(line) = state.lines.get(step) {
                    line.set_message(format!("{key}: waiting for up to {limit}: {}", printable(reason)));
                }
            }
            Event::StepRetried {
                step,
                key,
                problem,
                given_up_in_ms: Some(left),
                ..
            } => {
                let left = duration(Duration::from_millis(*left));
                if let Some(line) = state.lines.get(step) {
                    line.set_message(format!("{key}: waiting for up to {left}: {}", printable(problem)));
                }
            }
            Event::StepProgress { step, key, action } => {
                if let Some(line) = state.lines.get(step) {
                    line.set_message(format!("{key}: {}", printable(action)));
                }
            }
            Event::StepDone { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepStopped { step, .. } => state.end_step(*step),
            Event::Finished { .. } => state.end(),
            _ => {}
        }
    }
}
