//! `keelson node add` and `keelson node remove`

use clap::Args;

use crate::cli::arguments::{ClusterArgument, ProgressArgument};
use crate::cli::ask::{Answer, AskUser};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE, stopping};
use crate::execute::Interrupt;
use crate::view::summary;

/// Bring in one machine of the spec and its node, whatever else waits for an apply
#[derive(Debug, Args)]
#[command(
    after_help = "Write the machine into the spec first: as one of `hosts`, or by raising `replicas`. What has to be done \
                  before it can come is done as well, and shown in the plan."
)]
pub(super) struct Add {
    #[command(flatten)]
    change: Change,
}

/// Take one machine out of the cluster that has left the spec: drain its node, remove its etcd member, clean it up
#[derive(Debug, Args)]
#[command(
    after_help = "Take the machine out of the spec first. A machine that is gone for good and does not answer is forgotten \
                  with `keelson node forget`."
)]
pub(super) struct Remove {
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The machine's name, as `keelson node list` shows it
    #[arg(value_name = "NAME")]
    name: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    progress: ProgressArgument,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Remove,
}

impl Add {
    pub(super) fn speaks_to_programs(&self) -> bool {
        self.change.progress.is_json()
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        self.change.run(Verb::Add, terminal, interrupt).await
    }
}

impl Remove {
    pub(super) fn speaks_to_programs(&self) -> bool {
        self.change.progress.is_json()
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        self.change.run(Verb::Remove, terminal, interrupt).await
    }
}

impl Change {
    async fn run(&self, verb: Verb, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect(terminal).await?;
        let cluster = session.spec().name();
        let (command, question) = match verb {
            Verb::Add => ("add", format!("Bring {} into cluster {cluster}?", self.name)),
            Verb::Remove => ("remove", format!("Take {} out of cluster {cluster}?", self.name)),
        };
        let again = format!("{} {}", self.spec.command(&format!("node {command}")), self.name);
        let failed = |error| Failure::of_operation(&error, &again);
        if verb == Verb::Add {
            session.check_can_add(&self.name).await.map_err(failed)?;
        }
        let answer = Answer::yes_if(self.yes);
        let ask = AskUser::new(terminal, interrupt, answer, &self.progress, question)?;
        let reporter = self.progress.reporter(terminal);
        let (ask, reporter_ref) = (&ask, reporter.as_ref());
        let work = async {
            match verb {
                Verb::Add => session.add_node(&self.name, ask, reporter_ref, interrupt).await,
                Verb::Remove => {
                    session
                        .remove_node(&self.name, ask, reporter_ref, interrupt)
                        .await
                }
            }
        };
        let changed = stopping::announced(reporter_ref, interrupt, work)
            .await
            .map_err(failed)?;
        drop(reporter);
        if !self.progress.is_quiet() {
            let is_there = verb == Verb::Add;
            terminal.text(&summary::of_one_node(
                &changed,
                &self.name,
                is_there,
                &self.spec.word(),
            ));
        }
        Ok(EXIT_DONE)
    }
}
