//! `keelson node forget`

use clap::Args;

use crate::cli::arguments::ClusterArgument;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::registry;

/// Forget a bare host that has left the spec and is gone for good; nothing is done on it
#[derive(Debug, Args)]
pub(super) struct Forget {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The name that the host had in the spec
    #[arg(value_name = "NAME")]
    name: String,
}

impl Forget {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let options = self.spec.options()?;
        let spec = self.spec.load(terminal)?;
        registry::forget_host(&spec, &options, &self.name).await?;
        terminal.note(&format!(
            "{} is forgotten; `{}` takes away what the cluster still knows of it. Should it come back: it still runs what \
             it ran, so install it anew, or take it into the spec again.",
            self.name,
            self.spec.command("apply")
        ));
        Ok(EXIT_DONE)
    }
}
