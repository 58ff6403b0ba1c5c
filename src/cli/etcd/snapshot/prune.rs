//! `keelson etcd snapshot prune`

use clap::Args;

use crate::backup::KeepRules;
use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::ask::is_answered;
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::execute::Interrupt;
use crate::ops::OperationError;
use crate::view::backups_text;
use crate::view::plural;

/// Delete the snapshots that no rule keeps
#[derive(Debug, Args)]
#[command(
    after_help = "The rules are those of `spec.etcd.snapshots.keep`, unless others are given here: then those alone. The newest \
                  good snapshot of each etcd always stays, and is read to its end before any other of that etcd is deleted. So does \
                  the one that a restore has begun with, until it has come to its end."
)]
pub(super) struct Prune {
    #[command(flatten)]
    spec: ClusterArgument,
    /// Keep the last so many
    #[arg(long, value_name = "NUMBER")]
    last: Option<u32>,
    /// Keep the newest of each of the last so many hours that have one
    #[arg(long, value_name = "NUMBER")]
    hourly: Option<u32>,
    /// Keep the newest of each of the last so many days that have one
    #[arg(long, value_name = "NUMBER")]
    daily: Option<u32>,
    /// Keep the newest of each of the last so many weeks that have one
    #[arg(long, value_name = "NUMBER")]
    weekly: Option<u32>,
    /// Show what would be deleted, and delete nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Prune {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        if !self.yes && !self.dry_run && !terminal.can_ask() {
            return Err(Failure::usage("there is no terminal to ask on")
                .with_help("pass --yes to go on without asking, or --dry-run to see what would be deleted"));
        }
        let session = self.spec.connect_to_look(terminal).await?;
        let failed =
            |error: OperationError| Failure::of_operation(&error, &self.spec.command("etcd snapshot prune"));
        let planned = session.plan_prune(self.rules()).await.map_err(failed)?;
        let count = planned.report.deleted.len();
        if self.dry_run {
            self.output
                .print(terminal, &planned.report, backups_text::pruned)?;
            return Ok(EXIT_DONE);
        }
        if !self.yes && count > 0 {
            terminal.text(&backups_text::pruned(&planned.report));
            let question = format!("{} will be deleted for good.", plural(count, "snapshot"));
            if !is_answered(terminal, interrupt, &question, "yes").await {
                return Err(Failure::of_operation(&OperationError::Declined, ""));
            }
        }
        let report = session.prune(planned).await.map_err(failed)?;
        self.output.print(terminal, &report, backups_text::pruned)?;
        Ok(EXIT_DONE)
    }

    /// The rules that are given here, if any is.
    fn rules(&self) -> Option<KeepRules> {
        let given = [self.last, self.hourly, self.daily, self.weekly];
        given.iter().any(Option::is_some).then(|| KeepRules {
            last: self.last.unwrap_or(0),
            hourly: self.hourly.unwrap_or(0),
            daily: self.daily.unwrap_or(0),
            weekly: self.weekly.unwrap_or(0),
        })
    }
}
