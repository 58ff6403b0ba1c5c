//! `keelson plan`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::{ClusterArgument, shell_word};
use super::failure::{EXIT_BLOCKED, EXIT_CHANGES, Failure, REPORT};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files};
use crate::execute::Silent;
use crate::ops::Planned;
use crate::view::{plan_json, plan_picture, plan_text, printable};

/// Show what an apply would change, why, how disruptive it is and how long it takes; nothing is touched
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 no changes, 2 changes pending, 3 something is blocked.")]
pub(super) struct Plan {
    #[command(flatten)]
    spec: ClusterArgument,
    /// How the plan is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: PlanFormat,
    /// Print the plan as a picture instead
    #[arg(long, value_name = "FORMAT", conflicts_with = "output")]
    graph: Option<GraphFormat>,
    /// Keep the plan in a file, for `keelson apply --plan FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "destroy")]
    out: Option<PathBuf>,
    /// Overwrite the file named by --out
    #[arg(long, requires = "out")]
    force: bool,
    /// Show every field of what would be created
    #[arg(long)]
    details: bool,
    /// Plan the destruction of the cluster instead
    #[arg(long)]
    destroy: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For reading
    Text,
    /// For programs; without --destroy, it can be applied like a saved plan
    Json,
    /// The same for reading; a plan that is applied is JSON
    Yaml,
    /// A page with the plan and its timeline
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// A timeline, with what decides how long it takes
    Svg,
    /// Graphviz text
    Dot,
}

impl Plan {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect(terminal).await?;
        let planned = if self.destroy {
            session.plan_destruction(&Silent).await
        } else {
            session.plan(&Silent).await
        };
        let planned = planned.map_err(|error| Failure::of_operation(&error, &self.spec.command("plan")))?;
        let typical = |change: &_| session.providers().typical_duration(change);
        let text = match (self.graph, self.output) {
            (Some(GraphFormat::Svg), _) => plan_picture::svg(&planned, &typical),
            (Some(GraphFormat::Dot), _) => plan_picture::graphviz(&planned),
            (None, PlanFormat::Text) => plan_text::render(&planned, self.details),
            (None, PlanFormat::Json) => json(&planned)?,
            (None, PlanFormat::Yaml) => plan_json::render_yaml(&planned).map_err(unprintable)?,
            (None, PlanFormat::Html) => plan_picture::html(&planned, &typical),
        };
        if let Some(file) = &self.out {
            files::put(
                file,
                json(&planned)?.as_bytes(),
                files::Permissions::Private,
                self.force,
            )?;
        }
        terminal.data(&text)?;
        if let Some(file) = &self.out {
            terminal.note(&format!(
                "saved; `{} --plan {}` carries out exactly this",
                self.spec.command("apply"),
                shell_word(file)
            ));
        }
        // Whoever only looks needs no lease, and one that cannot be read has been found damaged before.
        if let Ok(Some(lease)) = session.lease_in_use().await {
            terminal.note(&format!(
                "note: {} is changing the cluster since {:.0} ({}): the plan shows one moment of that",
                printable(&lease.holder),
                lease.since,
                printable(&lease.purpose)
            ));
        }
        Ok(code(&planned))
    }
}

fn json(planned: &Planned) -> Result<String, Failure> {
    plan_json::render(planned).map_err(unprintable)
}

fn unprintable(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot print the plan: {error}")).with_help(REPORT)
}

fn code(planned: &Planned) -> u8 {
    match (planned.report.is_blocked(), planned.plan.is_empty()) {
        (true, _) => EXIT_BLOCKED,
        (false, true) if !planned.report.held.is_empty() => EXIT_BLOCKED,
        (false, false) => EXIT_CHANGES,
        (false, true) => EXIT_DONE,
    }
}
