//! Where output goes: data to stdout, everything else to stderr, colours where someone can see them.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::failure::Failure;

/// The program's standard streams.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Someone sees stderr.
    watched: bool,
    /// Someone types stdin.
    typed: bool,
    output_choice: ColorChoice,
    error_choice: ColorChoice,
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
        }
    }

    /// True when someone watches stderr on a terminal.
    pub(super) fn is_watched(&self) -> bool {
        self.watched
    }

    /// True when someone can be asked.
    pub(super) fn can_ask(&self) -> bool {
        self.typed && self.watched
    }

    /// Prints data to stdout.
    pub(super) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::new(io::stdout().lock(), self.output_choice);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // A reader that has seen enough, such as `head`, is not an error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(Failure::failed(format!("cannot write to stdout: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// Prints text for people to stderr, as it is.
    pub(super) fn text(&self, text: &str) {
        let mut out = self.error_stream();
        // Where even stderr is gone there is nobody left to tell.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints one line for people to stderr.
    pub fn note(&self, line: &str) {
        self.text(&format!("{line}\n"));
    }

    /// Prints an error to stderr.
    pub fn error(&self, message: &str) {
        let style = anstyle::AnsiColor::Red.on_default().bold();
        self.text(&format!("{style}error{style:#}: {message}\n"));
    }

    /// Prints a piece of advice to stderr.
    pub(super) fn help(&self, message: &str) {
        let style = anstyle::AnsiColor::Cyan.on_default();
        self.text(&format!("{style}help{style:#}: {message}\n"));
    }

    /// stderr, with colours where someone can see them.
    pub(super) fn error_stream(&self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.error_choice)
    }
}
