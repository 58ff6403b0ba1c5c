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
    /// What the line of each says, or would say if there were room.
    in_flight: BTreeMap<usize, InFlight>,
    counter: Counter,
}

/// A step that was started and has not ended.
struct InFlight {
    verb: &'static str,
    message: String,
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
            let message = self.in_flight.get(&step).map(|step| step.message.clone());
            line.set_message(message.unwrap_or_default());
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

    /// What a step does now, for when it has a line.
    fn say(&mut self, step: usize, message: String) {
        if let Some(line) = self.lines.get(&step) {
            line.set_message(message.clone());
        }
        if let Some(in_flight) = self.in_flight.get_mut(&step) {
            in_flight.message = message;
        }
    }

    /// A step is in flight no more.
    fn leave(&mut self, step: usize) {
        self.in_flight.remove(&step);
        if let Some(line) = self.lines.remove(&step) {
            line.finish_and_clear();
            self.bars.remove(&line);
        }
        self.show_lines();
    }

    fn end_step(&mut self, step: usize) {
        if let Some(whole) = &self.whole {
            whole.inc(1);
        }
        self.leave(step);
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

    fn draw(&mut self, event: &Event) {
        match event {
            Event::Started { steps, .. } => self.start(*steps),
            Event::StepStarted {
                step,
                key,
                verb,
                expected_ms,
                ..
            } => {
                let expected = duration(Duration::from_millis(*expected_ms));
                let message = format!("{verb} {key} (about {expected})");
                self.in_flight.insert(*step, InFlight { verb, message });
                self.show_lines();
            }
            Event::StepWaits {
                step,
                key,
                reason,
                given_up_in_ms,
            } => {
                let message = waiting(*given_up_in_ms, reason);
                self.say(*step, format!("{key}: {message}"));
            }
            Event::StepRetried {
                step,
                key,
                attempt,
                problem,
                given_up_in_ms,
                ..
            } => {
                let verb = self.in_flight.get(step).map_or("", |step| step.verb);
                let mut message = format!("{verb} {key}, attempt {}", attempt + 1);
                // The next attempt waits for an answer as well.
                if let Some(left) = given_up_in_ms {
                    message = format!("{message}: {}", waiting(*left, problem));
                }
                self.say(*step, message);
            }
            Event::StepProgress { step, key, action } => {
                self.say(*step, format!("{key}: {}", printable(action)));
            }
            Event::StepDone { step, .. } | Event::StepFailed { step, .. } => self.end_step(*step),
            // The next run goes on with it.
            Event::StepStopped { step, .. } => self.leave(*step),
            Event::Finished { .. } => self.end(),
            _ => {}
        }
    }
}

fn waiting(given_up_in_ms: u64, reason: &str) -> String {
    let limit = duration(Duration::from_millis(given_up_in_ms));
    format!("waiting for up to {limit}: {}", printable(reason))
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
        state.draw(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden() -> State {
        State {
            colours: false,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
            whole: None,
            lines: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            counter: Counter::default(),
        }
    }

    fn key(step: usize) -> keelson_provider_api::ResourceKey {
        format!("node/w-{step}").parse().unwrap()
    }

    fn started(step: usize) -> Event {
        Event::StepStarted {
            step,
            key: key(step),
            verb: "create",
            disruption: keelson_provider_api::Disruption::None,
            expected_ms: 1_000,
        }
    }

    fn retried(step: usize, given_up_in_ms: Option<u64>) -> Event {
        Event::StepRetried {
            step,
            key: key(step),
            attempt: 1,
            wait_ms: 500,
            problem: "no route to host".to_owned(),
            given_up_in_ms,
        }
    }

    fn waits(step: usize) -> Event {
        Event::StepWaits {
            step,
            key: key(step),
            reason: "w-0 is not well".to_owned(),
            given_up_in_ms: 60_000,
        }
    }

    fn shown(state: &State, step: usize) -> String {
        state.lines[&step].message()
    }

    #[test]
    fn a_step_that_was_stopped_is_no_step_that_ended() {
        let mut state = hidden();
        state.draw(&Event::Started {
            steps: 3,
            expected_ms: 1_000,
        });
        for step in 0..3 {
            state.draw(&started(step));
        }
        state.draw(&Event::StepStopped {
            step: 0,
            key: key(0),
            verb: "create",
        });
        state.draw(&Event::StepDone {
            step: 1,
            key: key(1),
            verb: "create",
            took_ms: 1,
            attempts: 1,
        });
        assert_eq!(state.whole.as_ref().unwrap().position(), 1);
        assert_eq!(state.lines.keys().collect::<Vec<_>>(), [&2]);
    }

    #[test]
    fn what_a_step_without_a_line_waits_for_is_told_once_it_has_one() {
        let mut state = hidden();
        for step in 0..=LINES {
            state.draw(&started(step));
        }
        assert!(!state.lines.contains_key(&LINES));
        state.draw(&waits(LINES));
        state.draw(&Event::StepStopped {
            step: 0,
            key: key(0),
            verb: "create",
        });
        assert_eq!(
            shown(&state, LINES),
            "node/w-8: waiting for up to 1m: w-0 is not well"
        );
    }

    #[test]
    fn an_attempt_does_not_go_on_in_the_words_of_the_one_before() {
        let mut state = hidden();
        state.draw(&started(0));
        assert_eq!(shown(&state, 0), "create node/w-0 (about 1s)");
        state.draw(&waits(0));
        state.draw(&retried(0, None));
        assert_eq!(shown(&state, 0), "create node/w-0, attempt 2");
        state.draw(&retried(0, Some(90_000)));
        assert_eq!(
            shown(&state, 0),
            "create node/w-0, attempt 2: waiting for up to 1m 30s: no route to host"
        );
    }
}
