//! Asks before something is done.

use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::arguments::ProgressArgument;
use super::failure::Failure;
use super::terminal::Terminal;
use crate::execute::Interrupt;
use crate::ops::{Approval, Approve, Planned};
use crate::view::plan_text;

/// What was answered on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: ask.
    None,
    /// Yes to the plan that was saved, and to nothing else.
    YesToSavedPlan,
    /// Yes to everything.
    Yes,
}

impl Answer {
    /// The answer that `--yes` is.
    pub(super) fn yes_if(is_yes: bool) -> Self {
        if is_yes { Self::Yes } else { Self::None }
    }
}

/// Shows the plan on stderr and asks, unless the answer was given beforehand.
pub(super) struct AskUser<'a> {
    terminal: &'a Terminal,
    interrupt: &'a Interrupt,
    answer: Answer,
    /// A plan that needs no answer is not shown.
    quiet: bool,
    /// What must be typed: `yes`, or the cluster's name where more is at stake.
    expected: String,
    /// What is asked.
    question: String,
    /// True once the first plan has been shown.
    shown: AtomicBool,
}

impl<'a> AskUser<'a> {
    /// Asks `question`, to be answered with `yes`, unless there is an `answer`; what went well is told as `progress` says.
    ///
    /// # Errors
    /// When there is no answer, and nobody can be asked for one.
    pub(super) fn new(
        terminal: &'a Terminal,
        interrupt: &'a Interrupt,
        answer: Answer,
        progress: &ProgressArgument,
        question: String,
    ) -> Result<Self, Failure> {
        if answer == Answer::None {
            progress.check_can_ask(terminal)?;
        }
        Ok(Self {
            terminal,
            interrupt,
            answer,
            quiet: progress.is_quiet(),
            expected: "yes".to_owned(),
            question,
            shown: AtomicBool::new(false),
        })
    }

    /// The same, to be answered with `words`.
    pub(super) fn expecting(self, words: String) -> Self {
        Self {
            expected: words,
            ..self
        }
    }
}

#[async_trait]
impl Approve for AskUser<'_> {
    async fn approve(&self, planned: &Planned) -> Approval {
        let first = !self.shown.swap(true, Ordering::Relaxed);
        let answered = match self.answer {
            Answer::None => false,
            Answer::YesToSavedPlan => first,
            Answer::Yes => true,
        };
        if !(self.quiet && answered) {
            if !first {
                self.terminal
                    .note("The world has changed meanwhile; this is needed on top of the plan above:");
            }
            self.terminal.text(&plan_text::render(planned, false));
            self.terminal.text("\n");
        }
        if answered {
            Approval::Yes
        } else if self.terminal.can_ask() {
            self.ask().await
        } else {
            Approval::No
        }
    }
}

impl AskUser<'_> {
    async fn ask(&self) -> Approval {
        self.terminal
            .text(&format!("{} Type `{}` to go on: ", self.question, self.expected));
        // Reading a line cannot be called off, so it happens on a thread of its own.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let line = tokio::select! {
            line = line => line,
            () = self.interrupt.stopped() => {
                self.terminal.text("\n");
                return Approval::No;
            }
        };
        match line {
            Ok(Ok(line)) if line.trim() == self.expected => Approval::Yes,
            Ok(Ok(line)) => {
                // At the end of the input nobody has begun a new line.
                if !line.ends_with('\n') {
                    self.terminal.text("\n");
                }
                Approval::No
            }
            _ => Approval::No,
        }
    }
}
