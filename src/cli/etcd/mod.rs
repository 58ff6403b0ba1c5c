//! `keelson etcd`

mod credentials;
mod drill;
mod restore;
mod snapshot;
mod status;
mod upkeep;

use clap::{Args, Subcommand};

use super::CommandResult;
use super::terminal::Terminal;
use crate::execute::Interrupt;

/// See to the cluster's etcd, and let others use it
#[derive(Debug, Args)]
pub(super) struct Etcd {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Status),
    Credentials(credentials::Credentials),
    Snapshot(snapshot::Snapshot),
    Restore(restore::Restore),
    Drill(drill::Drill),
    Defrag(upkeep::Defrag),
    Disarm(upkeep::Disarm),
}

impl Etcd {
    pub(super) fn stops_in_order(&self) -> bool {
        matches!(
            self.command,
            Command::Defrag(_) | Command::Disarm(_) | Command::Restore(_)
        )
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        match &self.command {
            Command::Status(command) => command.run(terminal).await,
            Command::Credentials(command) => command.run(terminal).await,
            Command::Snapshot(command) => command.run(terminal, interrupt).await,
            Command::Restore(command) => command.run(terminal, interrupt).await,
            Command::Drill(command) => command.run(terminal).await,
            Command::Defrag(command) => command.run(terminal, interrupt).await,
            Command::Disarm(command) => command.run(terminal, interrupt).await,
        }
    }
}
