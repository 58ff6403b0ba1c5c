//! `keelson node ssh`

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use clap::Args;

use crate::cli::CommandResult;
use crate::cli::arguments::ClusterArgument;
use crate::cli::failure::{EXIT_FAILED, Failure};
use crate::cli::files;
use crate::cli::terminal::Terminal;
use crate::ops::{self, LoginRequest};
use crate::registry;

/// What ssh ends with when it is ssh itself that failed (ssh(1), "EXIT STATUS").
const SSH_FAILED: u8 = 255;
/// What a shell adds to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;
/// The shell of a user who has named none.
const SHELL: &str = "/bin/sh";

/// Log in on a machine with your own ssh, or run a command there
#[derive(Debug, Args)]
#[command(
    after_help = "The user and port of the spec are in force, and the host keys that the state store remembers; \
                  everything else is your ssh configuration's. The machine's shell reads the command, as with ssh. \
                  For `address: local` it is your own shell on this machine.\n\
                  Exit code: that of ssh, which is that of the command."
)]
pub(super) struct Ssh {
    #[command(flatten)]
    spec: ClusterArgument,
    /// Have a terminal there also for a command
    #[arg(short = 't', long = "terminal")]
    with_terminal: bool,
    /// The machine's name
    #[arg(value_name = "NAME")]
    name: String,
    /// What to run there instead of a shell
    #[arg(value_name = "COMMAND", last = true)]
    command: Vec<String>,
}

impl Ssh {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let access = registry::machine_access(&spec, &self.spec.options()?).await?;
        let request = LoginRequest {
            words: self.command.clone(),
            with_terminal: self.with_terminal,
            local_shell: files::variable("SHELL")?.unwrap_or_else(|| SHELL.to_owned()),
        };
        let failed = |error| Failure::of_operation(&error, &self.spec.command("node ssh"));
        let login = ops::login(access.as_ref(), &spec, &self.name, &request).await;
        let login = login.map_err(failed)?;
        let status = tokio::process::Command::new(login.program())
            .args(login.arguments())
            .kill_on_drop(true)
            .status()
            .await
            .map_err(|error| {
                let program = login.program();
                Failure::failed(format!("cannot run {program}: {}", files::reason(&error)))
                    .with_help(format!("install {program}, or see what it lacks"))
            })?;
        let is_ssh = login.program() == "ssh";
        let ended = login.ended().await;
        ended.map_err(|error| failed(ops::OperationError::Machine(Box::new(error))))?;
        let code = code(status);
        if is_ssh && code == SSH_FAILED {
            terminal.note(
                "note: 255 is ssh's own; if the host's key is not known, --accept-new-host-keys believes it once, \
                 and `keelson node forget-key` forgets one that has changed",
            );
        }
        Ok(code)
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(SIGNALLED + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(EXIT_FAILED)
}
