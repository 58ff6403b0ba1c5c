//! `keelson completion`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::terminal::Terminal;
use super::{Cli, CommandResult, EXIT_DONE};

/// Print a script that completes keelson's commands in a shell
#[derive(Debug, Args)]
#[command(
    after_help = "For bash: keelson completion bash > ~/.local/share/bash-completion/completions/keelson"
)]
pub(super) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "keelson", &mut script);
        terminal.data(&String::from_utf8_lossy(&script))?;
        Ok(EXIT_DONE)
    }
}
