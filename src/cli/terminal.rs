//! Where output goes: data to stdout, everything else to stderr, colours where someone can see them.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use keelson_provider_api::advice;
use serde_json::{Value, json};

use super::failure::Failure;
use super::files;
use crate::spec::{Labels, SpecWarnings};

/// The program's standard streams.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Someone sees stderr.
    watched: bool,
    /// Someone types stdin.
    typed: bool,
    output_choice: ColorChoice,
    error_choice: ColorChoice,
    speech: Speech,
}

/// Whom stderr speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    People,
    /// Every line is a JSON object with an `event`.
    Programs,
}

impl Terminal {
    /// The streams that the process was started with. Colours follow `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and
    /// `TERM` (<https://no-color.org>, <https://bixense.com/clicolors/>).
    pub fn from_environment() -> Self {
        Self {
            watched: io::stderr().is_terminal(),
            typed: io::stdin().is_terminal(),
            output_choice: AutoStream::choice(&io::stdout()),
            error_choice: AutoStream::choice(&io::stderr()),
            speech: Speech::People,
        }
    }

    /// The same streams, where a program reads stderr: nothing but lines of JSON goes there.
    #[must_use]
    pub fn for_programs(self) -> Self {
        Self {
            speech: Speech::Programs,
            ..self
        }
    }

    /// True when someone sees colours on stderr.
    pub(super) fn shows_colours(&self) -> bool {
        self.error_choice != ColorChoice::Never
    }

    /// True when a program reads stderr.
    pub(super) fn speaks_to_programs(&self) -> bool {
        self.speech == Speech::Programs
    }

    /// True when someone watches stderr on a terminal.
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    /// True when someone can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.typed && self.watched && !self.speaks_to_programs()
    }

    /// Prints data to stdout.
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stdout().lock(), self.output_choice);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // A reader that has seen enough, such as `head`, is not an error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(unwritable(&error)),
            Ok(()) => Ok(()),
        }
    }

    /// Prints text for people to stderr, as it is.
    pub(super) fn text(&self, text: &str) {
        if self.speech == Speech::People {
            self.write(text);
        }
    }

    /// Prints an event for programs to stderr.
    pub(super) fn event(&self, name: &str, fields: Value) {
        if self.speech == Speech::Programs {
            let mut event = serde_json::Map::from_iter([("event".to_owned(), Value::from(name))]);
            if let Value::Object(fields) = fields {
                event.extend(fields);
            }
            self.write(&format!("{}\n", Value::Object(event)));
        }
    }

    fn write(&self, text: &str) {
        let mut out = self.error_stream();
        // Where even stderr is gone there is nobody left to tell.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints one line to stderr.
    pub fn note(&self, line: &str) {
        self.text(&format!("{line}\n"));
        self.event("note", json!({ "message": line }));
    }

    /// Prints what is allowed in a spec but probably not meant.
    pub(super) fn warnings(&self, warnings: &SpecWarnings) {
        self.text(&warnings.labelled(&labels("warning")));
        for warning in &warnings.warnings {
            self.event(
                "warning",
                json!({ "origin": warnings.origin, "warning": warning }),
            );
        }
    }

    /// Says that stdout cannot be written, and gives the exit code.
    pub fn cannot_write(&self, error: &io::Error) -> u8 {
        unwritable(error).show(self)
    }

    /// Prints how a command that failed ends, with its exit code and advice.
    pub fn failure(&self, code: u8, message: &str, help: &str) -> u8 {
        Failure::new(code, message).with_help(help).show(self)
    }

    /// Prints an error for people to stderr.
    pub(super) fn error(&self, message: &str) {
        self.text(&format!("{}: {message}\n", labels("error").severity));
    }

    /// Prints a piece of advice for people to stderr.
    pub(super) fn help(&self, message: &str) {
        self.text(&format!("{}: {message}\n", labels("error").help));
    }

    /// stderr, with colours where someone can see them.
    pub(super) fn error_stream(&self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.error_choice)
    }
}

/// The words that begin a message, in colours; who sees none has them taken out on the way.
pub(super) fn labels(severity: &str) -> Labels {
    let colour = match severity {
        "warning" => anstyle::AnsiColor::Yellow,
        _ => anstyle::AnsiColor::Red,
    };
    let (style, help) = (colour.on_default().bold(), anstyle::AnsiColor::Cyan.on_default());
    Labels {
        severity: format!("{style}{severity}{style:#}"),
        help: format!("{help}help{help:#}"),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write to stdout: {}", files::reason(error)))
        .with_help(advice(error).unwrap_or("see where the output goes, then run the command again"))
}
