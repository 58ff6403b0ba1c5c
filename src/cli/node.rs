//! `keelson node`

use clap::{Args, Subcommand};

use super::arguments::ClusterArgument;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::registry;

/// See to a single machine
#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    ForgetKey(ForgetKey),
}

/// Forget the host key that was remembered for a bare host, as after it was installed anew
#[derive(Debug, Args)]
struct ForgetKey {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The host's name in the spec
    #[arg(value_name = "NAME")]
    name: String,
}

impl Node {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let Command::ForgetKey(command) = &self.command;
        let spec = command.spec.load(terminal)?;
        let hosts = spec.provider.hosts();
        if !hosts.iter().any(|host| host.name.as_str() == command.name) {
            let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            let failure = Failure::usage(format!("the spec has no host `{}`", command.name));
            return Err(failure.with_help(format!("its hosts are: {}", names.join(", "))));
        }
        registry::forget_host_key(&spec, &command.spec.directory(), &command.name).await?;
        terminal.note(&format!(
            "forgotten; the next connection to {} goes by your own known hosts, or believes its key once with \
             --accept-new-host-keys",
            command.name
        ));
        Ok(EXIT_DONE)
    }
}
