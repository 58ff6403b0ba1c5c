//! `keelson etcd snapshot`

mod download;
mod list;
mod prune;
mod save;
mod verify;

use clap::{Args, Subcommand};

use crate::backup::BackupName;
use crate::cli::CommandResult;
use crate::cli::terminal::Terminal;
use crate::execute::Interrupt;
use crate::ops::BackupPlace;

/// Take snapshots of etcd, keep them beside the cluster's state, and read them again
#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Save(save::Save),
    List(list::List),
    Verify(verify::Verify),
    Download(download::Download),
    Prune(prune::Prune),
}

impl Snapshot {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        match &self.command {
            Command::Save(command) => command.run(terminal).await,
            Command::List(command) => command.run(terminal).await,
            Command::Verify(command) => command.run(terminal).await,
            Command::Download(command) => command.run(terminal).await,
            Command::Prune(command) => command.run(terminal, interrupt).await,
        }
    }
}

/// The name of a backup as an argument.
pub(super) fn backup_name(text: &str) -> Result<BackupName, String> {
    BackupName::parse(text).map_err(|error| format!("{error}; `keelson etcd snapshot list` shows them"))
}

/// A place where backups lie as an argument.
pub(super) fn backup_place(text: &str) -> Result<BackupPlace, std::convert::Infallible> {
    text.parse()
}
