//! Asks before something is done.

use std::io::BufRead;

use async_trait::async_trait;

use super::terminal::Terminal;
use crate::execute::Interrupt;
use crate::ops::{Approval, Approve, Planned};
use crate::view::plan_text;

/// Shows the plan on stderr and asks, unless the answer was given beforehand.
pub(super) struct AskUser<'a> {
    pub terminal: &'a Terminal,
    pub interrupt: &'a Interrupt,
    /// The answer was given on the command line.
    pub yes: bool,
    /// Words for people are in the way.
    pub quiet: bool,
    /// What must be typed: `yes`, or the cluster's name where more is at stake.
    pub expected: String,
    /// What is asked.
    pub question: String,
}

#[async_trait]
impl Approve for AskUser<'_> {
    async fn approve(&self, planned: &Planned) -> Approval {
        if !self.quiet {
            self.terminal.text(&plan_text::render(planned, false));
            self.terminal.note("");
        }
        if self.yes {
            return Approval::Yes;
        }
        self.terminal
            .text(&format!("{} Type `{}` to go on: ", self.question, self.expected));
        // Reading a line cannot be called off, so it happens on a thread of its own.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map(|_| line)
        });
        let line = tokio::select! {
            line = line => line,
            () = self.interrupt.stopped() => return Approval::No,
        };
        match line {
            Ok(Ok(line)) if line.trim() == self.expected => Approval::Yes,
            _ => Approval::No,
        }
    }
}
