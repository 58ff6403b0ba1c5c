//! `keelson render`

use std::path::PathBuf;

use clap::Args;

use super::arguments::{SpecArgument, shell_word};
use super::failure::{Failure, REPORT};
use super::rendered_folder::{self, Written};
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, secrets};
use crate::registry::{self, ConnectOptions};
use crate::view::{plural, rendered};

/// Write every machine's files to a folder, for review or GitOps, offline
#[derive(Debug, Args)]
#[command(
    after_help = "FOLDER/<machine>/ holds the machine's bundle as it will lie there (actions, apply, record.json, \
                  files/…), machine.yaml, and certificates.yaml with the certificates that it gets. There is no key and \
                  no other secret in it. The same spec gives the same bytes. Files of an earlier render that are no \
                  longer needed are removed; others are left alone."
)]
pub(super) struct Render {
    #[command(flatten)]
    spec: SpecArgument,
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Write also to a folder with other things in it, and over them
    #[arg(long)]
    force: bool,
    /// Look up the digests of release files that are not known here, as an apply does
    #[arg(long)]
    look_up_digests: bool,
}

impl Render {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let base = self.spec.directory();
        let spec = registry::resolve_references(self.spec.load(terminal)?, &base)?;
        let index = if self.look_up_digests {
            let options = ConnectOptions {
                base_directory: base.clone(),
                ..secrets::from_environment()?
            };
            let known = registry::known_assets(&spec, &options).await?;
            registry::find_assets(&spec, &base, &known).await?.index
        } else {
            registry::find_assets_offline(&spec, &base).await?
        };
        let failed = |error| Failure::of_operation(&error, &self.spec.command("render"));
        let machines = crate::ops::render(&spec, &index).map_err(failed)?;
        let files = rendered::files(&machines).map_err(|problem| {
            Failure::failed(format!("cannot write down what machines get: {problem}")).with_help(REPORT)
        })?;
        let Written { changed, removed } =
            rendered_folder::write(&self.out, spec.name(), &files, self.force)?;
        terminal.note(&format!(
            "{}: {} of {}; {} written, {} removed",
            shell_word(&self.out),
            plural(files.len(), "file"),
            plural(machines.machines.len(), "machine"),
            changed,
            removed
        ));
        if !machines.unresolved.is_empty() {
            terminal.note(&format!(
                "note: nobody was asked for the digests of {}; zeros stand for them, which nothing can be installed \
                 with; --look-up-digests asks, and an apply remembers them",
                plural(machines.unresolved.len(), "release file")
            ));
        }
        let unplaced = machines.machines.iter();
        let unplaced = unplaced
            .filter(|machine| machine.internal_address.is_none())
            .count();
        if unplaced > 0 {
            terminal.note(&format!(
                "note: the addresses of {} are not known before they are made: host.env and certificates are left out",
                plural(unplaced, "machine")
            ));
        }
        Ok(EXIT_DONE)
    }
}
