//! `keelson node list`

use clap::Args;

use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::execute::Silent;
use crate::view::nodes_text;

/// Show the machines: what each is for, how it is, what it runs, and whether that is what the spec says
#[derive(Debug, Args)]
#[command(after_help = "Exit code: 0 when the machines were listed, however they are.")]
pub(super) struct List {
    #[command(flatten)]
    spec: ClusterArgument,
    /// How the list is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl List {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let list = session.nodes(&Silent).await;
        let list = list.map_err(|error| Failure::of_operation(&error, &self.spec.command("node list")))?;
        self.output.print(terminal, &list, nodes_text::render)?;
        Ok(EXIT_DONE)
    }
}
