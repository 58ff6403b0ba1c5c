//! `keelson etcd drill`

use std::path::PathBuf;

use clap::Args;
use keelson_provider_api::Progress;

use super::snapshot::{backup_name, backup_place};
use crate::backup::BackupName;
use crate::cli::arguments::{ClusterArgument, Format};
use crate::cli::failure::{EXIT_FAILED, Failure};
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::execute::Interrupt;
use crate::ops::{BackupPlace, DrillReport, OperationError, RestoreSource, Session, WhichBackup};
use crate::registry::{self, ConnectOptions};
use crate::view::{backups_text, restores_text};

/// Restore snapshots for trial: a backup that was never restored is a hope
#[derive(Debug, Args)]
#[command(
    after_help = "Each is read to its end, restored into a member that is alone on a machine of the cluster, in a folder of its \
                  own, and what that member has is compared with what was written down when the snapshot was taken. Nothing of \
                  the cluster is changed, and nothing is left. Without a name, the newest of each etcd; one that is newer and \
                  damaged is told, and nothing is good then. Exit codes: 0 all are good, 1 otherwise."
)]
pub(super) struct Drill {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The snapshots, by the names that `keelson etcd snapshot list` shows
    #[arg(value_name = "NAME", value_parser = backup_name, conflicts_with = "etcd")]
    names: Vec<BackupName>,
    /// Where they lie: `state-store`, `bucket`, or the name of a machine; without it, wherever they are found
    #[arg(long, value_name = "PLACE", value_parser = backup_place)]
    place: Option<BackupPlace>,
    /// The etcd whose newest snapshot is restored: `main` or `events`
    #[arg(long, value_name = "ETCD")]
    etcd: Option<String>,
    /// The machine; without it, one whose member follows and has room
    #[arg(long, value_name = "MACHINE", conflicts_with = "programs")]
    machine: Option<String>,
    /// Restore here and not on a machine of the cluster, with etcd, etcdctl and etcdutl in this folder
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Where snapshots are unpacked meanwhile: a folder with room for the largest, and with --programs for two of it
    #[arg(long, value_name = "FOLDER")]
    work_folder: Option<PathBuf>,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

impl Drill {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        let failed = |error: OperationError| Failure::of_operation(&error, &self.spec.command("etcd drill"));
        let session = self.connect(terminal).await?;
        if let Some(machine) = &self.machine {
            session.check_drill_machine(machine).map_err(failed)?;
        }
        let mut reports = Vec::new();
        let mut first_error = None;
        for which in self.which(&session).map_err(failed)? {
            match self.drill(&session, which, terminal).await {
                Ok(report) => reports.push(report),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        // What was found of one is told whatever became of another.
        if first_error.is_none() || !reports.is_empty() {
            self.output
                .print(terminal, &reports, |reports| restores_text::drilled(reports))?;
        }
        if let Some(error) = first_error {
            return Err(failed(error));
        }
        let good = reports.iter().all(|report| report.good);
        Ok(if good { EXIT_DONE } else { EXIT_FAILED })
    }

    async fn connect(&self, terminal: &Terminal) -> Result<Session, Failure> {
        let options = ConnectOptions {
            installs_nothing: true,
            drill_programs: self.programs.clone(),
            ..self.spec.options()?
        };
        Ok(registry::connect(self.spec.load(terminal)?, &options).await?)
    }

    fn which(&self, session: &Session) -> Result<Vec<WhichBackup>, OperationError> {
        if !self.names.is_empty() {
            return Ok(self.names.iter().cloned().map(WhichBackup::Named).collect());
        }
        let etcds = session.etcd_instances(self.etcd.as_deref())?.into_iter();
        Ok(etcds
            .map(|etcd| WhichBackup::Newest(etcd.cluster.to_owned()))
            .collect())
    }

    async fn drill(
        &self,
        session: &Session,
        which: WhichBackup,
        terminal: &Terminal,
    ) -> Result<DrillReport, OperationError> {
        terminal.note("read the snapshot to its end");
        let work_folder = self.work_folder.clone().unwrap_or_else(std::env::temp_dir);
        let is_named = matches!(which, WhichBackup::Named(_));
        let source = RestoreSource::Backup {
            which,
            place: self.place.clone(),
        };
        let snapshot = session
            .unpack_snapshot(&source, &work_folder, &Interrupt::new())
            .await?;
        if !is_named {
            let silent = backups_text::silent(&snapshot.silent);
            silent.lines().for_each(|line| terminal.note(line));
        }
        let tell = |action: &str| terminal.note(action);
        session
            .drill_etcd(&snapshot, self.machine.as_deref(), &Progress::to(&tell))
            .await
    }
}
