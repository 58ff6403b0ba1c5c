//! `keelson certs`

use clap::{Args, Subcommand};
use keelson_provider_api::values::Span;

use super::arguments::{ClusterArgument, Format, lifetime};
use super::failure::{EXIT_FAILED, Failure};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::view::certificates_text;

/// See to the cluster's certificates
#[derive(Debug, Args)]
pub(super) struct Certs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
}

/// Show every certificate, in the state store and on the machines, with its end and what is wrong with it
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 every certificate is good, 1 one is not, or ends soon, or could not be seen."
)]
struct Check {
    #[command(flatten)]
    spec: ClusterArgument,
    /// What ends within this time is not good. Without it 30d, or a third of a certificate's life where that is less
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    warn_within: Option<Span>,
    /// How the list is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Certs {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let Command::Check(command) = &self.command;
        let session = command.spec.connect_to_look(terminal).await?;
        let report = session.check_certificates(command.warn_within).await;
        let report =
            report.map_err(|error| Failure::of_operation(&error, &command.spec.command("certs check")))?;
        command
            .output
            .print(terminal, &report, certificates_text::render)?;
        Ok(if report.good { EXIT_DONE } else { EXIT_FAILED })
    }
}
