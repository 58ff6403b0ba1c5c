//! `keelson status`

use clap::Args;
use keelson_provider_api::values::Span;

use super::arguments::{ClusterArgument, Format, lifetime};
use super::failure::{EXIT_FAILED, Failure};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::execute::{Interrupt, Silent};
use crate::ops::{ClusterStatus, Condition};
use crate::view::status_text;

/// Show how a cluster is doing: machines, etcd, control planes, nodes, certificates, drift
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 healthy, 1 degraded, down or absent.")]
pub(super) struct Status {
    #[command(flatten)]
    spec: ClusterArgument,
    /// How the status is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
    /// Wait until the cluster is healthy and as the spec says
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = lifetime, requires = "wait")]
    timeout: Span,
}

impl Status {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let status = if self.wait {
            let tell = |status: &ClusterStatus| terminal.note(&status_text::waits_for(status));
            session
                .wait_until_healthy(self.timeout.as_duration(), &tell, &Silent, interrupt)
                .await
        } else {
            session.status(&Silent).await
        };
        let status = status.map_err(|error| Failure::of_operation(&error, &self.spec.command("status")))?;
        self.output.print(terminal, &status, status_text::render)?;
        if status.condition == Condition::Healthy {
            return Ok(EXIT_DONE);
        }
        if !self.wait {
            return Ok(EXIT_FAILED);
        }
        let words = format!(
            "the cluster is not healthy and as the spec says after {}",
            self.timeout
        );
        let help = "what is wrong stands in the status; what only an apply mends, `keelson plan` shows";
        Err(Failure::failed(words).with_help(help))
    }
}
