//! `keelson etcd snapshot verify`

use clap::{ArgGroup, Args};

use super::{backup_name, backup_place};
use crate::backup::BackupName;
use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::{EXIT_FAILED, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::ops::{BackupPlace, OperationError, VerifyRequest};
use crate::view::backups_text;

/// Read snapshots again, to know that they are what was saved
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").args(["names", "all", "etcd"])))]
#[command(
    after_help = "Without a name, the newest of each etcd that is whole, and whatever is newer; an etcd that has none is told. \
                  Exit codes: 0 all are good, and each etcd has one, 1 otherwise."
)]
pub(super) struct Verify {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The snapshots, by the names that `list` shows
    #[arg(value_name = "NAME", value_parser = backup_name)]
    names: Vec<BackupName>,
    /// The etcd whose newest snapshot is read: `main` or `events`
    #[arg(long, value_name = "ETCD")]
    etcd: Option<String>,
    /// Read all of them
    #[arg(long)]
    all: bool,
    /// Those that lie there alone: `state-store`, `bucket`, or the name of a machine
    #[arg(long, value_name = "PLACE", value_parser = backup_place)]
    place: Option<BackupPlace>,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Verify {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let failed =
            |error: OperationError| Failure::of_operation(&error, &self.spec.command("etcd snapshot verify"));
        let report = session.verify_backups(&self.request(), self.place.as_ref()).await;
        let report = report.map_err(failed)?;
        self.output.print(terminal, &report, backups_text::verified)?;
        Ok(if report.good { EXIT_DONE } else { EXIT_FAILED })
    }

    fn request(&self) -> VerifyRequest {
        if self.all {
            VerifyRequest::All
        } else if let Some(etcd) = &self.etcd {
            VerifyRequest::NewestOf(etcd.clone())
        } else if self.names.is_empty() {
            VerifyRequest::Newest
        } else {
            VerifyRequest::Named(self.names.clone())
        }
    }
}
