//! `keelson etcd snapshot list`

use clap::Args;

use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::view::backups_text;

/// Show the snapshots that are kept, the newest first
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    spec: ClusterArgument,
    /// How the list is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl List {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let list = session.backups().await;
        let list =
            list.map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd snapshot list")))?;
        self.output.print(terminal, &list, backups_text::list)?;
        Ok(EXIT_DONE)
    }
}
