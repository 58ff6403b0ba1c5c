//! `keelson explain`

use clap::Args;

use super::failure::Failure;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE};
use crate::spec;

/// Describe a field of the spec: what it is, its type, its default
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The field's path, for example `spec.etcd.snapshots`
    #[arg(value_name = "PATH", default_value = "spec")]
    path: String,
}

impl Explain {
    pub(super) fn run(&self, terminal: &Terminal) -> CommandResult {
        let explanation = spec::explain(&self.path).map_err(|error| Failure::usage(error.to_string()))?;
        terminal.data(&explanation.to_string())?;
        Ok(EXIT_DONE)
    }
}
