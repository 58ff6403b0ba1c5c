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
    Forget(Forget),
    ForgetKey(ForgetKey),
}

/// Forget a bare host that has left the spec and is gone for good; nothing is done on it
#[derive(Debug, Args)]
struct Forget {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The name that the host had in the spec
    #[arg(value_name = "NAME")]
    name: String,
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
        match &self.command {
            Command::Forget(command) => command.run(terminal).await,
            Command::ForgetKey(command) => command.run(terminal).await,
        }
    }
}

impl Forget {
    async fn run(&self, terminal: &Terminal) -> CommandResult {
        let options = self.spec.options()?;
        let spec = self.spec.load(terminal)?;
        registry::forget_host(&spec, &options, &self.name).await?;
        terminal.note(&format!(
            "{} is forgotten; `{}` takes away what the cluster still knows of it. Should it come back: it still runs what \
             it ran, so install it anew, or take it into the spec again.",
            self.name,
            self.spec.command("apply")
        ));
        Ok(EXIT_DONE)
    }
}

impl ForgetKey {
    async fn run(&self, terminal: &Terminal) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let hosts = spec.provider.hosts();
        if !hosts.iter().any(|host| host.name.as_str() == self.name) {
            let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            let failure = Failure::usage(format!("the spec has no host `{}`", self.name));
            return Err(failure.with_help(format!("its hosts are: {}", names.join(", "))));
        }
        registry::forget_host_key(&spec, &self.spec.directory(), &self.name).await?;
        terminal.note(&format!(
            "forgotten; the next connection to {} goes by your own known hosts, or believes its key once with \
             --accept-new-host-keys",
            self.name
        ));
        Ok(EXIT_DONE)
    }
}
