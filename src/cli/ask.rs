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
    /// Yes to the plan that was saved; whatever else turns out to be needed is asked.
    YesToSavedPlan,
    /// Yes to the plan that was saved, and no to whatever else turns out to be needed: nobody is asked.
    YesToSavedPlanAlone,
    /// Yes to everything.
    Yes,
}

/// What an answer that was given beforehand means for one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Yes,
    No,
    Ask,
}

impl Answer {
    /// The answer that `--yes` is.
    pub(super) fn yes_if(is_yes: bool) -> Self {
        if is_yes { Self::Yes } else { Self::None }
    }

    /// The answer that `--yes` and `--plan` are to an apply.
    pub(super) fn to_apply(is_yes: bool, has_saved_plan: bool) -> Self {
        match (is_yes, has_saved_plan) {
            (true, true) => Self::YesToSavedPlanAlone,
            (true, false) => Self::Yes,
            (false, true) => Self::YesToSavedPlan,
            (false, false) => Self::None,
        }
    }

    /// What it means for a plan: the first one, or one that a later round needs on top of it.
    fn reply(self, is_first: bool) -> Reply {
        match self {
            Self::Yes => Reply::Yes,
            Self::YesToSavedPlan | Self::YesToSavedPlanAlone if is_first => Reply::Yes,
            Self::YesToSavedPlanAlone => Reply::No,
            Self::YesToSavedPlan | Self::None => Reply::Ask,
        }
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
        let reply = self.answer.reply(first);
        if !(self.quiet && reply == Reply::Yes) {
            if !first {
                self.terminal
                    .note("The world has changed meanwhile; this is needed on top of the plan above:");
            }
            self.terminal.text(&plan_text::render(planned, false));
            self.terminal.text("\n");
        }
        match reply {
            Reply::Yes => Approval::Yes,
            Reply::Ask if self.terminal.can_ask() => self.ask().await,
            Reply::Ask | Reply::No => Approval::No,
        }
    }
}

impl AskUser<'_> {
    async fn ask(&self) -> Approval {
        let is_answered = is_answered(self.terminal, self.interrupt, &self.question, &self.expected).await;
        if is_answered { Approval::Yes } else { Approval::No }
    }
}

/// Asks `question` on the terminal; true when the answer is `expected`.
pub(super) async fn is_answered(
    terminal: &Terminal,
    interrupt: &Interrupt,
    question: &str,
    expected: &str,
) -> bool {
    terminal.text(&format!("{question} Type `{expected}` to go on: "));
    // Reading a line cannot be called off, so it happens on a thread of its own.
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let line = tokio::select! {
        line = line => line,
        () = interrupt.stopped() => {
            terminal.text("\n");
            return false;
        }
    };
    match line {
        Ok(Ok(line)) if line.trim() == expected => true,
        Ok(Ok(line)) => {
            // At the end of the input nobody has begun a new line.
            if !line.ends_with('\n') {
                terminal.text("\n");
            }
            false
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::OperationError;

    #[test]
    fn who_declines_the_rest_is_told_what_goes_on_from_there() {
        let failure = Failure::of_operation(&OperationError::DeclinedRest, "keelson apply -f a.yaml");
        let shown = format!("{failure:?}");
        assert!(
            shown.contains("`keelson apply -f a.yaml` shows what is left"),
            "{shown}"
        );
        assert!(!shown.contains("--plan"), "it need not have been given: {shown}");
    }

    #[test]
    fn what_was_answered_for_a_saved_plan_answers_for_nothing_else() {
        let table = [
            (Answer::None, Reply::Ask, Reply::Ask),
            (Answer::Yes, Reply::Yes, Reply::Yes),
            (Answer::YesToSavedPlan, Reply::Yes, Reply::Ask),
            (Answer::YesToSavedPlanAlone, Reply::Yes, Reply::No),
        ];
        for (answer, first, later) in table {
            assert_eq!(
                (answer.reply(true), answer.reply(false)),
                (first, later),
                "{answer:?}"
            );
        }
        let given = |yes: bool, saved: bool| Answer::to_apply(yes, saved);
        assert_eq!(given(true, true), Answer::YesToSavedPlanAlone);
        assert_eq!(given(false, true), Answer::YesToSavedPlan);
        assert_eq!(given(true, false), Answer::Yes);
        assert_eq!(given(false, false), Answer::None);
    }
}
