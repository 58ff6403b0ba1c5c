//! `keelson node drain` and `keelson node uncordon`

use clap::Args;
use keelson_provider_api::Progress;
use keelson_provider_api::values::Span;

use crate::cli::arguments::{ClusterArgument, lifetime};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::execute::{Interrupt, Silent};
use crate::ops::DrainRequest;
use crate::view::drained_text;

/// Keep new pods off a node and move its pods elsewhere, within their disruption budgets
#[derive(Debug, Args)]
#[command(
    after_help = "Pods of DaemonSets, static pods and pods that have ended stay. The node takes no new pods until \
                  `keelson node uncordon`."
)]
pub(super) struct Drain {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The node's name
    #[arg(value_name = "NAME")]
    name: String,
    /// How long pods may take to leave
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = lifetime)]
    timeout: Span,
    /// Refuse where pods without a controller are on the node: nothing would bring them back
    #[arg(long)]
    keep_unmanaged: bool,
}

impl Drain {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let request = DrainRequest {
            limit: self.timeout.as_duration(),
            keeps_unmanaged: self.keep_unmanaged,
        };
        let tell = |action: &str| terminal.note(action);
        let again = format!("{} {}", self.spec.command("node drain"), self.name);
        let drained = session
            .drain_node(&self.name, &request, &Progress::to(&tell), &Silent, interrupt)
            .await
            .map_err(|error| Failure::of_operation(&error, &again))?;
        let uncordon = format!("{} {}", self.spec.command("node uncordon"), self.name);
        terminal.text(&drained_text::render(&self.name, &drained, &uncordon));
        Ok(EXIT_DONE)
    }
}

/// Let new pods come to a node again
#[derive(Debug, Args)]
pub(super) struct Uncordon {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The node's name
    #[arg(value_name = "NAME")]
    name: String,
}

impl Uncordon {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let again = format!("{} {}", self.spec.command("node uncordon"), self.name);
        let done = session.uncordon_node(&self.name).await;
        done.map_err(|error| Failure::of_operation(&error, &again))?;
        terminal.note(&format!("{} takes pods again", self.name));
        Ok(EXIT_DONE)
    }
}
