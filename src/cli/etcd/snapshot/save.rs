//! `keelson etcd snapshot save`

use clap::Args;
use keelson_provider_api::Progress;

use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::ops::SaveRequest;
use crate::view::backups_text;

/// Have a member write a snapshot, check it, and keep it
#[derive(Debug, Args)]
#[command(
    after_help = "A member that follows writes it, where there is one. It is checked on the member's machine, carried here, \
                  compressed, encrypted where the cluster's keys are, and counts only when all of it is kept. The cluster is \
                  not changed, and nothing keeps anybody from changing it meanwhile."
)]
pub(super) struct Save {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The etcd, `main` or `events`; without it, each that the cluster has
    #[arg(long, value_name = "NAME")]
    etcd: Option<String>,
    /// What it is for, for whoever reads the list
    #[arg(long, value_name = "WORDS", default_value = "by hand")]
    purpose: String,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Save {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let request = SaveRequest {
            etcd: self.etcd.clone(),
            purpose: self.purpose.clone(),
        };
        let tell = |action: &str| terminal.note(action);
        let saved = session
            .save_backups(&request, &Progress::to(&tell))
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd snapshot save")))?;
        self.output
            .print(terminal, &saved, |saved| backups_text::saved(saved))?;
        Ok(EXIT_DONE)
    }
}
