//! `keelson destroy`

use clap::Args;

use super::arguments::{ProgressArgument, SpecArgument};
use super::ask::AskUser;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::execute::Interrupt;
use crate::ops::DestroyOptions;
use crate::view::summary;

/// Take a cluster away: everything it owns and nothing else, shown first
#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    spec: SpecArgument,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Go on although the spec says `deletionProtection: true`
    #[arg(long)]
    override_deletion_protection: bool,
    #[command(flatten)]
    progress: ProgressArgument,
}

impl Destroy {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect(terminal)?;
        if !self.yes && !terminal.can_ask() {
            return Err(Failure::usage("there is no terminal to ask on")
                .with_help("pass --yes to go on without asking"));
        }
        let name = session.spec().name().to_string();
        let ask = AskUser {
            terminal,
            interrupt,
            yes: self.yes,
            quiet: self.progress.is_json(),
            question: format!("This ends cluster {name} and all that runs in it."),
            expected: name,
        };
        let options = DestroyOptions {
            override_protection: self.override_deletion_protection,
        };
        let reporter = self.progress.reporter(terminal);
        let destroyed = session
            .destroy(options, &ask, reporter.as_ref(), interrupt)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("destroy")))?;
        drop(reporter);
        if !self.progress.is_json() {
            terminal.text(&summary::destroyed(&destroyed));
        }
        Ok(EXIT_DONE)
    }
}
