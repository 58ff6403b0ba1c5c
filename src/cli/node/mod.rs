//! `keelson node`

mod change;
mod drain;
mod forget;
mod forget_key;
mod list;
mod ssh;

use clap::{Args, Subcommand};

use super::CommandResult;
use super::terminal::Terminal;
use crate::execute::Interrupt;

/// See to single machines
#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Add(change::Add),
    Remove(change::Remove),
    Drain(drain::Drain),
    Uncordon(drain::Uncordon),
    Ssh(ssh::Ssh),
    Forget(forget::Forget),
    ForgetKey(forget_key::ForgetKey),
}

impl Node {
    pub(super) fn speaks_to_programs(&self) -> bool {
        match &self.command {
            Command::Add(command) => command.speaks_to_programs(),
            Command::Remove(command) => command.speaks_to_programs(),
            _ => false,
        }
    }

    pub(super) fn stops_in_order(&self) -> bool {
        matches!(
            self.command,
            Command::Add(_) | Command::Remove(_) | Command::Drain(_)
        )
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        match &self.command {
            Command::Add(command) => command.run(terminal, interrupt).await,
            Command::Remove(command) => command.run(terminal, interrupt).await,
            Command::Drain(command) => command.run(terminal, interrupt).await,
            Command::Uncordon(command) => command.run(terminal).await,
            Command::List(command) => command.run(terminal).await,
            Command::Ssh(command) => command.run(terminal).await,
            Command::Forget(command) => command.run(terminal).await,
            Command::ForgetKey(command) => command.run(terminal).await,
        }
    }
}
