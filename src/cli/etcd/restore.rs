//! `keelson etcd restore`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use keelson_provider_api::Progress;
use keelson_provider_api::values::Span;

use super::snapshot::{backup_name, backup_place};
use crate::backup::{BackupError, BackupName};
use crate::cli::arguments::{ClusterArgument, lifetime};
use crate::cli::ask::is_answered;
use crate::cli::failure::Failure;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE, stopping};
use crate::execute::{Interrupt, Silent};
use crate::ops::{
    BackupPlace, BegunRestore, ClusterStatus, OperationError, RestoreSource, RestoreTerms, RestoredEtcd,
    Session, UnpackedSnapshot, WhichBackup,
};
use crate::view::{backups_text, restores_text, status_text};

/// Give the cluster's etcd the data of a snapshot
#[derive(Debug, Args)]
#[command(
    after_help = "What was written after the snapshot is lost. Control planes are stopped, members are ended, and their \
                  data is moved aside on their machines, never deleted. Until it has come to its end no apply and no other \
                  restore begins; run again, the command goes on with the snapshot that it began with. Where that cannot come to its \
                  end, since a machine is gone for good or the snapshot is, --begin-anew takes its place. Exit codes: 0 restored \
                  and healthy, 1 failed, declined, or restored and something is not well: then it is said what, 3 another \
                  restore stands, or the snapshot is another cluster's: nothing was touched, 5 another run holds the lease, 130 \
                  interrupted: run again, it goes on."
)]
pub(super) struct Restore {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The snapshot, by the name that `keelson etcd snapshot list` shows; without it, that of the restore that has begun, or the
    /// newest of the etcd
    #[arg(value_name = "NAME", value_parser = backup_name, conflicts_with = "from")]
    name: Option<BackupName>,
    /// The snapshot that lies there: `state-store`, `bucket`, or the name of a machine; without it, wherever it is found
    #[arg(long, value_name = "PLACE", value_parser = backup_place, conflicts_with = "from")]
    place: Option<BackupPlace>,
    /// A file as `etcdctl snapshot save` and `keelson etcd snapshot download` write it
    #[arg(long, value_name = "FILE", requires = "of_another_cluster")]
    from: Option<PathBuf>,
    /// The etcd that is to have it, where no name tells: `main` or `events`; without it, that of the restore that has begun, or
    /// `main`
    #[arg(long, value_name = "ETCD", conflicts_with = "name")]
    etcd: Option<String>,
    /// Begin anew where a restore cannot come to its end: with this snapshot, or the newest, and with the machines that the spec
    /// names now and that are there: etcd takes 1, 3 or 5, so put another in the place of one that is gone. What members have of
    /// the one before is moved aside as well
    #[arg(long)]
    begin_anew: bool,
    /// Take a snapshot that is another cluster's, or of which nobody knows whose it is
    #[arg(long)]
    of_another_cluster: bool,
    /// Where a snapshot is unpacked meanwhile: a folder with room for all of it
    #[arg(long, value_name = "FOLDER")]
    work_folder: Option<PathBuf>,
    /// How long the cluster may take to be healthy again
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = lifetime)]
    timeout: Span,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Restore {
    pub(super) async fn run(&self, terminal: &Terminal, interrupt: &Interrupt) -> CommandResult {
        if !self.yes && !terminal.can_ask() {
            return Err(Failure::usage("there is no terminal to ask on")
                .with_help("pass --yes to go on without asking"));
        }
        let session = self.spec.connect_to_look(terminal).await?;
        let begun = session
            .begun_restore()
            .await
            .map_err(|error| self.failed(&error))?;
        let source = self.source(begun.as_ref()).map_err(|error| self.failed(&error))?;
        if let Some(begun) = &begun {
            terminal.note(&self.what_stands(begun));
        }
        terminal.note("read the snapshot to its end");
        let work_folder = self.work_folder.clone().unwrap_or_else(std::env::temp_dir);
        let unpacking = session.unpack_snapshot(&source, &work_folder, interrupt);
        let snapshot = stopping::told(terminal, interrupt, unpacking)
            .await
            .map_err(|error| self.unread(&error, begun.as_ref()))?;
        if self.name.is_none() {
            let told = backups_text::left_out(&snapshot.silent, &snapshot.passed_over);
            told.lines().for_each(|line| terminal.note(line));
        }
        let lacks = session.other_keys(&snapshot).await;
        for words in lacks.map_err(|error| self.failed(&error))? {
            terminal.note(&format!("{}: {words}", snapshot.source));
        }
        let is_newest = matches!(
            source,
            RestoreSource::Backup {
                which: WhichBackup::Newest(_),
                ..
            }
        );
        let stops_apis = !session.spec().is_etcd_alone();
        for line in restores_text::offered(&snapshot, is_newest, stops_apis) {
            terminal.note(&line);
        }
        if !self.yes {
            let name = session.spec().name();
            let question = format!(
                "All that etcd {} of {name} holds now gives way to {}.",
                snapshot.etcd_cluster, snapshot.source
            );
            if !is_answered(terminal, interrupt, &question, name.as_str()).await {
                return Err(Failure::of_operation(&OperationError::Declined, ""));
            }
        }
        let restored = self.restore(&session, &snapshot, terminal, interrupt).await?;
        drop(snapshot);
        terminal.text(&restores_text::restored(&restored));
        let ended = match restored.waiting.as_slice() {
            [] => self.wait(&session, &restored, terminal, interrupt).await,
            waiting => Err(self.others_wait(&restored, waiting)),
        };
        terminal.text(&restores_text::set_aside(&restored));
        ended
    }

    /// What becomes of a restore that has begun.
    fn what_stands(&self, begun: &BegunRestore) -> String {
        let BegunRestore { words, begun_at, .. } = begun;
        let verb = if self.begin_anew {
            "begin anew, in place of"
        } else {
            "go on with"
        };
        format!("{verb} the restore from {words} that began at {begun_at:.0}")
    }

    async fn restore(
        &self,
        session: &Session,
        snapshot: &UnpackedSnapshot,
        terminal: &Terminal,
        interrupt: &Interrupt,
    ) -> Result<RestoredEtcd, Failure> {
        let tell = |action: &str| terminal.note(action);
        let terms = RestoreTerms {
            of_another_cluster: self.of_another_cluster,
            begins_anew: self.begin_anew,
        };
        let progress = Progress::to(&tell);
        let work = session.restore_etcd(snapshot, terms, &progress, &Silent, interrupt);
        let restored = stopping::told(terminal, interrupt, work).await;
        restored.map_err(|error| self.failed(&error))
    }

    /// What is said where other etcds have lost their data as well: the cluster is not well before they have it again.
    fn others_wait(&self, restored: &RestoredEtcd, waiting: &[String]) -> Failure {
        let (etcd, others) = (&restored.etcd_cluster, waiting.join(", "));
        let commands = waiting.iter().map(|etcd| {
            let command = self.spec.command(&format!("etcd restore --etcd {etcd}"));
            format!("`{command}`")
        });
        Failure::failed(format!(
            "etcd {etcd} is restored, and no machine has data of etcd {others}: the cluster is not healthy before"
        ))
        .with_help(format!(
            "do not restore {etcd} again; {} goes on, then `{}` brings what is not there",
            commands.collect::<Vec<_>>().join(", "),
            self.spec.command("apply")
        ))
    }

    /// Waits until the whole cluster is well with its data, and says what is not.
    async fn wait(
        &self,
        session: &Session,
        restored: &RestoredEtcd,
        terminal: &Terminal,
        interrupt: &Interrupt,
    ) -> CommandResult {
        terminal.note("wait until the cluster is healthy");
        let timeout: Duration = self.timeout.as_duration();
        let again = self.spec.command("status --wait");
        let etcd = &restored.etcd_cluster;
        let tell = |status: &ClusterStatus| terminal.note(&status_text::waits_for(status));
        match session
            .status_after_restore(timeout, &tell, &Silent, interrupt)
            .await
        {
            Ok(status) if status.is_well() => Ok(EXIT_DONE),
            Ok(status) => Err(self.unwell(etcd, &status, &again)),
            Err(OperationError::Interrupted(_)) => {
                let words =
                    format!("etcd {etcd} is restored; it was not waited until the cluster is healthy");
                Err(Failure::of_operation(&OperationError::StoppedAmid(words), &again))
            }
            Err(error) => Err(Failure::of_operation(&error, &again)),
        }
    }

    /// What is said of a cluster that is not well with its data: not in time, or not before an apply.
    fn unwell(&self, etcd: &str, status: &ClusterStatus, again: &str) -> Failure {
        let apply = self.spec.command("apply");
        let (problem, help) = if status.yet_to_come.is_empty() {
            let help = format!(
                "see to what is named above, and let `{apply}` bring what is not there; then `{again}`"
            );
            (format!("the cluster is not healthy after {}", self.timeout), help)
        } else {
            let help = format!("`{apply}` brings and mends that; then `{again}`");
            (restores_text::yet_to_come(status), help)
        };
        Failure::failed(format!("etcd {etcd} is restored, and {problem}"))
            .with_details(status_text::render(status))
            .with_help(format!(
                "the data is in its place: do not restore it again; {help}"
            ))
    }

    /// The snapshot that is meant: where a restore has begun, its own, unless it is to begin anew.
    fn source(&self, begun: Option<&BegunRestore>) -> Result<RestoreSource, OperationError> {
        let of_begun = begun.map(|begun| begun.etcd_cluster.as_str());
        let etcd = self.etcd.as_deref().or(of_begun).unwrap_or("main").to_owned();
        if let Some(begun) = begun.filter(|begun| begun.etcd_cluster != etcd) {
            return Err(begun.refusal());
        }
        let begun = begun.filter(|_| !self.begin_anew);
        if let Some(file) = &self.from {
            let file = file.clone();
            return Ok(RestoreSource::File { file, etcd });
        }
        let which = match (&self.name, begun) {
            (Some(name), Some(begun)) if !begun.may_be_of(name) => return Err(begun.refusal()),
            (Some(name), _) => WhichBackup::Named(name.clone()),
            (None, Some(begun)) => match (&begun.source, &self.place) {
                (source, None) => return Ok(source.clone()),
                (RestoreSource::Backup { which, .. }, Some(_)) => which.clone(),
                (RestoreSource::File { .. }, Some(_)) => return Err(begun.refusal()),
            },
            (None, None) => WhichBackup::Newest(etcd),
        };
        Ok(RestoreSource::Backup {
            which,
            place: self.place.clone(),
        })
    }

    /// Why the snapshot could not be read. One that a restore has begun with and that is gone keeps that from its end.
    fn unread(&self, error: &OperationError, begun: Option<&BegunRestore>) -> Failure {
        if let (OperationError::Interrupted(_), Some(begun)) = (error, begun) {
            return self.failed(&begun.stopped());
        }
        let is_elsewhere = matches!(
            error,
            OperationError::Backup(
                BackupError::NotThere { .. }
                    | BackupError::Damaged { .. }
                    | BackupError::Unread { .. }
                    | BackupError::Store(_)
            ) | OperationError::SnapshotFile { .. }
                | OperationError::UnknownPlace { .. }
                | OperationError::UnreadablePlace { .. }
        );
        let failure = self.failed(error);
        if begun.is_none() || self.begin_anew || !is_elsewhere {
            return failure;
        }
        failure.with_help(
            "the restore that has begun goes on once its snapshot can be read: name the place with --place, or the file with \
             --from and --of-another-cluster; where it is gone for good, --begin-anew begins anew with another snapshot",
        )
    }

    fn failed(&self, error: &OperationError) -> Failure {
        Failure::of_operation(error, &self.spec.command("etcd restore"))
    }
}

#[cfg(test)]
mod tests;
