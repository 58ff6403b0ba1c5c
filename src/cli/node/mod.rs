//! `keelson node`

mod forget;
mod forget_key;
mod list;
mod ssh;

use clap::{Args, Subcommand};

use super::CommandResult;
use super::terminal::Terminal;

/// See to single machines
#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Ssh(ssh::Ssh),
    Forget(forget::Forget),
    ForgetKey(forget_key::ForgetKey),
}

impl Node {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        match &self.command {
            Command::List(command) => command.run(terminal).await,
            Command::Ssh(command) => command.run(terminal).await,
            Command::Forget(command) => command.run(terminal).await,
            Command::ForgetKey(command) => command.run(terminal).await,
        }
    }
}
