//! `keelson kubeconfig`

use std::path::PathBuf;

use clap::Args;

use super::arguments::ClusterArgument;
use super::failure::Failure;
use super::terminal::Terminal;
use super::{CommandResult, EXIT_DONE, files};

/// Print credentials for kubectl
#[derive(Debug, Args)]
pub(super) struct Kubeconfig {
    #[command(flatten)]
    spec: ClusterArgument,
    /// Write them to a file, readable by you alone, instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Overwrite the file
    #[arg(long, requires = "out")]
    force: bool,
}

impl Kubeconfig {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect(terminal).await?;
        let kubeconfig = session
            .kubeconfig()
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("kubeconfig")))?;
        match &self.out {
            Some(file) => files::write(file, &kubeconfig.yaml, self.force)?,
            None => terminal.data(&kubeconfig.yaml)?,
        }
        if let Some(caveat) = kubeconfig.caveat {
            terminal.note(&format!("note: {caveat}"));
        }
        Ok(EXIT_DONE)
    }
}
