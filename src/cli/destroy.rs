//! `keelson destroy`

use std::path::Path;

use clap::Args;

use super::arguments::{ClusterArgument, ProgressArgument, shell_word};
use super::ask::{Answer, AskUser};
use super::failure::{Failure, chain};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, stopping};
use crate::execute::Interrupt;
use crate::ops::DestroyOptions;
use crate::registry::{self, ConnectOptions};
use crate::view::summary;

/// Take a cluster away: everything it owns and nothing else, shown first
#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    spec: ClusterArgument,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Go on although the spec says `deletionProtection: true`
    #[arg(long)]
    override_deletion_protection: bool,
    /// A bare host that is gone for good: it is not waited for, and nothing is done on it; may be repeated
    #[arg(long, value_name = "HOST")]
    gone: Vec<String>,
    #[command(flatten)]
    progress: ProgressArgument,
}

impl Destroy {
    pub(super) fn speaks_to_programs(&self) -> bool {
        self.progress.is_json()
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let spec = self.spec.load(terminal)?;
        let connect = ConnectOptions {
            // What is on the machines knows how to leave them.
            installs_nothing: true,
            gone_hosts: self.gone.iter().cloned().collect(),
            ..self.spec.options()?
        };
        if !self.gone.is_empty() {
            registry::check_gone_hosts(&spec, &connect).await?;
        }
        let session = registry::connect(spec, &connect).await?;
        let answer = Answer::yes_if(self.yes);
        let name = session.spec().name().to_string();
        let question = format!("This ends cluster {name} and all that runs in it.");
        let ask = AskUser::new(terminal, interrupt, answer, &self.progress, question)?.expecting(name);
        let options = DestroyOptions {
            override_protection: self.override_deletion_protection,
        };
        let reporter = self.progress.reporter(terminal);
        let work = session.destroy(options, &ask, reporter.as_ref(), interrupt);
        let destroyed = stopping::announced(reporter.as_ref(), interrupt, work)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.again()))?;
        drop(reporter);
        if !self.progress.is_quiet() {
            let pinned = registry::pinned_hosts(session.spec(), &connect).await;
            terminal.text(&summary::destroyed(
                &destroyed,
                pinned.as_deref().unwrap_or_default(),
                &self.spec.command("node forget-key"),
                &self.gone,
            ));
            // What was asked for is done, whether what is remembered can be read or not.
            if let Err(error) = pinned {
                terminal.note(&format!(
                    "note: whose SSH keys stay remembered cannot be read: {}",
                    chain(&error)
                ));
            }
        }
        Ok(EXIT_DONE)
    }

    /// The command that goes on from here.
    fn again(&self) -> String {
        let gone = self
            .gone
            .iter()
            .map(|host| format!(" --gone {}", shell_word(Path::new(host))));
        self.spec.command("destroy") + &gone.collect::<String>()
    }
}
