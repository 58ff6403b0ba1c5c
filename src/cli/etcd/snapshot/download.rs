//! `keelson etcd snapshot download`

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use keelson_provider_api::whole_file;

use super::{backup_name, backup_place};
use crate::backup::{BackupName, begin_part};
use crate::cli::arguments::ClusterArgument;
use crate::cli::failure::Failure;
use crate::cli::files;
use crate::cli::terminal::Terminal;
use crate::cli::{CommandResult, EXIT_DONE};
use crate::ops::{BackupPlace, FoundBackup, OperationError, Session, WhichBackup};
use crate::view::backups_text;

/// Write a snapshot to a file, opened and unpacked, as `etcdutl snapshot restore` takes it
#[derive(Debug, Args)]
#[command(
    after_help = "The file holds everything that is in etcd, Secrets too unless the API encrypts them; nobody but its owner \
                  can read it. It holds one snapshot: where events have an etcd of their own, each etcd takes a file and a run of \
                  its own."
)]
pub(super) struct Download {
    #[command(flatten)]
    spec: ClusterArgument,
    /// The snapshot, by the name that `list` shows; without it, the newest of an etcd
    #[arg(value_name = "NAME", value_parser = backup_name)]
    name: Option<BackupName>,
    /// The etcd whose newest snapshot is written, where no name tells: `main` or `events`
    #[arg(long, value_name = "ETCD", default_value = "main", conflicts_with = "name")]
    etcd: String,
    /// The one that lies there: `state-store`, `bucket`, or the name of a machine; without it, wherever it is found
    #[arg(long, value_name = "PLACE", value_parser = backup_place)]
    place: Option<BackupPlace>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite a file that is there
    #[arg(long)]
    force: bool,
}

impl Download {
    pub(super) async fn run(&self, terminal: &Terminal) -> CommandResult {
        if !self.force && self.out.symlink_metadata().is_ok() {
            return Err(files::exists(&self.out));
        }
        let session = self.spec.connect_to_look(terminal).await?;
        let which = match &self.name {
            Some(name) => WhichBackup::Named(name.clone()),
            None => WhichBackup::Newest(self.newest_of(&session)?),
        };
        let found = session
            .find_backup(&which, self.place.as_ref())
            .await
            .map_err(|error| self.failed(&error))?;
        if self.name.is_none() {
            let told = backups_text::left_out(&found.silent, &found.passed_over);
            told.lines().for_each(|line| terminal.note(line));
        }
        let mut draft = Draft::begin(&self.out, self.force)?;
        self.fill(&found, &mut draft).await?;
        draft.finish()?;
        terminal.note(&backups_text::downloaded(
            &found.words(),
            &found.manifest,
            &self.out.display().to_string(),
        ));
        Ok(EXIT_DONE)
    }

    /// The etcd whose newest snapshot is meant.
    fn newest_of(&self, session: &Session) -> Result<String, Failure> {
        session
            .etcd_instances(Some(&self.etcd))
            .map_err(|error| self.failed(&error))?;
        Ok(self.etcd.clone())
    }

    async fn fill(&self, found: &FoundBackup, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let mut unpacker = found.open().await.map_err(|error| self.failed(&error))?;
        loop {
            match unpacker.next().await {
                Ok(Some(piece)) => draft.write(&piece)?,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.failed(&found.unread(error))),
            }
        }
    }

    fn failed(&self, error: &OperationError) -> Failure {
        Failure::of_operation(error, &self.spec.command("etcd snapshot download"))
    }
}

/// A file that gets its name when it is whole; until then another one, which is removed when it does not come to that.
struct Draft<'a> {
    file: &'a Path,
    overwrites: bool,
    part: PathBuf,
    opened: File,
    is_done: bool,
}

impl<'a> Draft<'a> {
    /// Begins `file`, which is there already only where `overwrites`.
    fn begin(file: &'a Path, overwrites: bool) -> Result<Self, Failure> {
        match begin_part(file) {
            Ok((part, opened)) => Ok(Self {
                file,
                overwrites,
                part,
                opened,
                is_done: false,
            }),
            Err(error) => Err(cannot_write(file, &error)),
        }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.opened
            .write_all(piece)
            .map_err(|error| cannot_write(self.file, &error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        let placed = self.opened.sync_all().and_then(|()| {
            if self.overwrites {
                whole_file::put_in_place(&self.part, self.file)
            } else {
                whole_file::put_new(&self.part, self.file)
            }
        });
        placed.map_err(|error| cannot_write(self.file, &error))?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "cannot write {}: {}",
        file.display(),
        files::reason(error)
    ))
    .with_help("name a file in a folder that you may write to, with room for all of the snapshot")
}
