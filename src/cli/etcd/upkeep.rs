//! `keelson etcd defrag` and `keelson etcd disarm`

use clap::Args;
use keelson_provider_api::Progress;

use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE, stopping};
use crate::execute::{Interrupt, Silent};
use crate::ops::DefragmentRequest;
use crate::view::etcd_upkeep_text;

/// Give space of members' databases back that compacted keys have left, one member after the other, leaders last
#[derive(Debug, Args)]
#[command(
    after_help = "A member answers nobody while it is defragmented: seconds for each GiB in use. The next one begins only while \
                  the others have a quorum without it."
)]
pub(super) struct Defrag {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The machine whose member is defragmented; without it, each in its turn
    #[arg(value_name = "MACHINE")]
    machine: Option<String>,
    /// The etcd, `main` or `events`; without it, each that the cluster has
    #[arg(long, value_name = "NAME")]
    etcd: Option<String>,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Defrag {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let request = DefragmentRequest {
            etcd: self.etcd.clone(),
            machine: self.machine.clone(),
        };
        let tell = |action: &str| terminal.note(action);
        let progress = Progress::to(&tell);
        let work = session.defragment_etcd(&request, &progress, &Silent, interrupt);
        let done = stopping::told(terminal, interrupt, work)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd defrag")))?;
        self.output
            .print(terminal, &done, |done| etcd_upkeep_text::defragmented(done))?;
        Ok(EXIT_DONE)
    }
}

/// Take back the alarms of members whose databases had reached their quota, so that etcd takes writes again
#[derive(Debug, Args)]
#[command(
    after_help = "It helps once there is space again: compact and `keelson etcd defrag`, or raise `spec.etcd.quota` and apply. \
                  A member that has none raises its alarm again."
)]
pub(super) struct Disarm {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The etcd, `main` or `events`; without it, each that the cluster has
    #[arg(long, value_name = "NAME")]
    etcd: Option<String>,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Disarm {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        let session = self.spec.connect_to_look(terminal).await?;
        let tell = |action: &str| terminal.note(action);
        let progress = Progress::to(&tell);
        let work = session.disarm_etcd_alarms(self.etcd.as_deref(), &progress, &Silent, interrupt);
        let disarmed = stopping::told(terminal, interrupt, work)
            .await
            .map_err(|error| Failure::of_operation(&error, &self.spec.command("etcd disarm")))?;
        self.output.print(terminal, &disarmed, |disarmed| {
            etcd_upkeep_text::disarmed(disarmed)
        })?;
        Ok(EXIT_DONE)
    }
}
