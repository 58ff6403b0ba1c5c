//! `keelson etcd status`

use clap::Args;

use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::{EXIT_FAILED, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::execute::Silent;
use crate::view::etcd_text;

/// Show every member: leader, size, revision, how far behind, alarms, how fast it answers
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every member is healthy and votes, 1 otherwise.")]
pub(super) struct Status {
    #[command(flatten)]
    spec: ClusterArgument,
    /// How the status is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Status {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let report = session.etcd_report(&Silent).await;
        let report =
            report.map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd status")))?;
        self.output.print(terminal, &report, etcd_text::render)?;
        Ok(if report.healthy { EXIT_DONE } else { EXIT_FAILED })
    }
}
