//! `keelson apply`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::arguments::{ClusterArgument, ProgressArgument};
use super::ask::{Answer, AskUser};
use super::failure::{Failure, chain};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files, stopping};
use crate::execute::Interrupt;
use crate::ops::ApplyOptions;
use crate::plan::{Plan, PlanFileError};
use crate::view::summary;

/// No plan of keelson comes near this: one of 5,000 nodes has about 30 MiB.
const PLAN_LIMIT_BYTES: usize = 256 << 20;

/// Make the cluster what the spec says: plan, ask, carry out
#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    spec: ClusterArgument,
    /// Carry out this saved plan, if the world and the spec are still as they were; what turns out to be needed beyond it is
    /// asked
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Do not ask; with --plan, what turns out to be needed beyond that plan is not carried out, and the exit code is 1
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    progress: ProgressArgument,
}

impl Apply {
    pub(super) fn speaks_to_programs(&self) -> bool {
        self.progress.is_json()
    }

    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let saved_plan = self.plan.as_deref().map(read_plan).transpose()?;
        let session = self.spec.connect(terminal).await?;
        let answer = Answer::to_apply(self.yes, saved_plan.is_some());
        let name = session.spec().name();
        let question = format!("Carry this out on cluster {name}?");
        let ask = AskUser::new(terminal, interrupt, answer, &self.progress, question)?;
        let options = ApplyOptions {
            saved_plan,
            only: None,
        };
        let reporter = self.progress.reporter(terminal);
        let again = self.spec.command("apply");
        let failed = |error| Failure::of_operation(&error, &again);
        let work = session.apply(&options, &ask, reporter.as_ref(), interrupt);
        let applied = stopping::announced(reporter.as_ref(), interrupt, work)
            .await
            .map_err(failed)?;
        drop(reporter);
        if let Some(status) = applied.status.as_deref().filter(|_| !self.progress.is_quiet()) {
            let offers_etcd = session.offers_etcd_credentials();
            terminal.text(&summary::applied(
                &applied,
                status,
                &self.spec.word(),
                offers_etcd,
            ));
        }
        Ok(EXIT_DONE)
    }
}

fn read_plan(file: &Path) -> Result<Plan, Failure> {
    let advice = "`keelson plan --out FILE` makes one";
    let bytes = files::read_bounded(file, PLAN_LIMIT_BYTES, advice)?;
    Plan::from_bytes(&bytes).map_err(|error| {
        let problem = match error {
            PlanFileError::Form(_) if is_other_json(&bytes) => {
                "it is not a plan: it is JSON, but has no `format`, as every plan of keelson has".to_owned()
            }
            error => chain(&error),
        };
        Failure::failed(format!("cannot use {}: {problem}", file.display()))
            .with_help("`keelson plan --out FILE` makes a new one")
    })
}

/// True for JSON that says of itself by no `format` what it is.
fn is_other_json(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Tagged {
        #[serde(rename = "format")]
        _format: String,
    }
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
        && (bytes.trim_ascii_start().first() != Some(&b'{')
            || serde_json::from_slice::<Tagged>(bytes).is_err())
}
