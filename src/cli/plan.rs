//! `keelson plan`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::{ClusterArgument, shell_word};
use super::failure::{EXIT_BLOCKED, EXIT_CHANGES, Failure, REPORT};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files};
use crate::execute::Silent;
use crate::ops::{Planned, Session};
use crate::registry;
use crate::view::{plan_json, plan_picture, plan_text, printable};

/// Show what an apply would change, why, how disruptive it is and how long it takes; nothing is touched
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no changes, 2 changes pending, 3 something is blocked. With --iam-policy: 0, or 3 where something is \
                  blocked, so that the policy lacks what that needs."
)]
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
    /// Print instead the least IAM policy that an apply of this plan needs, or with `life` one for the whole life of the cluster
    #[arg(
        long,
        value_name = "OF",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "plan",
        conflicts_with_all = ["output", "graph", "out", "details"]
    )]
    iam_policy: Option<PolicyOf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PolicyOf {
    /// What is looked at, and the steps of the plan
    Plan,
    /// Whatever the spec can come to: made, changed, destroyed; nobody is asked
    Life,
}

/// A managed policy of IAM has no more characters, spaces not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MANAGED_POLICY_LIMIT: usize = 6144;

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
        if self.iam_policy == Some(PolicyOf::Life) {
            return self.print_policy_of_life(terminal);
        }
        let session = self.spec.connect(terminal).await?;
        let planned = if self.destroy {
            session.plan_destruction(&Silent).await
        } else {
            session.plan(&Silent).await
        };
        let planned = planned.map_err(|error| Failure::of_operation(&error, &self.spec.command("plan")))?;
        if self.iam_policy.is_some() {
            return print_policy_of_plan(terminal, &session, &planned);
        }
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

    fn print_policy_of_life(&self, terminal: &Terminal) -> CommandResult {
        if self.destroy {
            return Err(Failure::usage("--iam-policy=life is for more than --destroy")
                .with_help("leave one of them out: a whole life has its end in it"));
        }
        let policy = registry::policy_of_life(&self.spec.load(terminal)?)?;
        print_policy(terminal, &policy)?;
        Ok(EXIT_DONE)
    }
}

/// What is blocked is not in the plan, so that nobody knows what it would need.
fn print_policy_of_plan(terminal: &Terminal, session: &Session, planned: &Planned) -> CommandResult {
    let policy = registry::policy_of_plan(session.spec(), planned)?;
    print_policy(terminal, &policy)?;
    if planned.report.is_blocked() {
        terminal.note("note: something is blocked, and what that needs is not in the policy; `keelson plan` says what it is");
        return Ok(EXIT_BLOCKED);
    }
    Ok(EXIT_DONE)
}

fn print_policy(terminal: &Terminal, policy: &str) -> Result<(), Failure> {
    terminal.data(policy)?;
    let characters = policy
        .chars()
        .filter(|character| !character.is_whitespace())
        .count();
    if characters > MANAGED_POLICY_LIMIT {
        terminal.note(&format!(
            "note: these are {characters} characters, and a managed policy of IAM has {MANAGED_POLICY_LIMIT} at most: put the \
             statements into several"
        ));
    }
    Ok(())
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
