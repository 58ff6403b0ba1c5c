//! The command line: one file a command. Commands read arguments and files, call [`crate::ops`], and show what comes
//! back through [`crate::view`].

mod advice;
mod apply;
mod arguments;
mod ask;
mod assets;
mod certs;
mod completion;
mod destroy;
mod etcd;
mod explain;
mod failure;
mod files;
mod init;
mod kubeconfig;
mod node;
mod plan;
mod render;
mod rendered_folder;
mod schema;
mod secrets;
mod status;
mod stopping;
mod terminal;
mod validate;
mod version;

use clap::{Parser, Subcommand};

pub use failure::{
    EXIT_BLOCKED, EXIT_CHANGES, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_INVALID_SPEC, EXIT_LOCKED, EXIT_USAGE,
};
pub use terminal::Terminal;

use crate::execute::Interrupt;
use failure::Failure;

/// The code that a command ends with when it did what was asked.
const EXIT_DONE: u8 = 0;

/// keelson builds, changes and retires Kubernetes clusters.
///
/// One file says what a cluster is. `plan` shows what would change and why, `apply` carries it out, and running
/// it again after an interruption goes on from where it stopped.
#[derive(Debug, Parser)]
#[command(
    name = "keelson",
    bin_name = "keelson",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage (plan: changes pending), 3 blocked, \
                        4 invalid spec, 5 locked by another run, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Validate(validate::Validate),
    Explain(explain::Explain),
    Schema(schema::Schema),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Status(status::Status),
    Kubeconfig(kubeconfig::Kubeconfig),
    Node(node::Node),
    Etcd(etcd::Etcd),
    Certs(certs::Certs),
    Render(render::Render),
    Assets(assets::Assets),
    Destroy(destroy::Destroy),
    Completion(completion::Completion),
    Version(version::Version),
}

impl Cli {
    /// True when a program reads stderr, so that nothing but lines of JSON may go there.
    pub fn speaks_to_programs(&self) -> bool {
        match &self.command {
            Command::Apply(command) => command.speaks_to_programs(),
            Command::Destroy(command) => command.speaks_to_programs(),
            Command::Node(command) => command.speaks_to_programs(),
            _ => false,
        }
    }

    /// True when the command comes to an orderly end once it is asked to stop; others may be ended at any moment.
    pub fn stops_in_order(&self) -> bool {
        match &self.command {
            Command::Apply(_) | Command::Destroy(_) => true,
            Command::Node(command) => command.stops_in_order(),
            Command::Etcd(command) => command.stops_in_order(),
            _ => false,
        }
    }

    /// Runs the command and gives its exit code. Whatever went wrong has been said on stderr.
    pub async fn run(self, terminal: &Terminal, interrupt: &Interrupt) -> u8 {
        let result = match self.command {
            Command::Init(command) => command.run(terminal),
            Command::Validate(command) => command.run(terminal),
            Command::Explain(command) => command.run(terminal),
            Command::Schema(command) => command.run(terminal),
            Command::Plan(command) => command.run(terminal).await,
            Command::Apply(command) => command.run(terminal, interrupt).await,
            Command::Status(command) => command.run(terminal, interrupt).await,
            Command::Kubeconfig(command) => command.run(terminal).await,
            Command::Node(command) => command.run(terminal, interrupt).await,
            Command::Etcd(command) => command.run(terminal, interrupt).await,
            Command::Certs(command) => command.run(terminal).await,
            Command::Render(command) => command.run(terminal).await,
            Command::Assets(command) => command.run(terminal).await,
            Command::Destroy(command) => command.run(terminal, interrupt).await,
            Command::Completion(command) => command.run(terminal),
            Command::Version(command) => command.run(terminal),
        };
        match result {
            Ok(code) => code,
            Err(failure) => failure.show(terminal),
        }
    }
}

/// What a command ends with: an exit code, or a failure that has one.
type CommandResult = Result<u8, Failure>;
