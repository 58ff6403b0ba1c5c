//! Files that the user names, and who the user is.

use std::env::VarError;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use keelson_provider_api::whole_file;

use super::failure::Failure;
use crate::view::size;

/// How long to wait until someone writes to a pipe that is to be read.
const PIPE_PATIENCE: Duration = Duration::from_secs(5);

/// Why the file system refused, in words alone.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Reads a file, or stdin for `-`, that may have `limit_bytes`. `missing` is the advice when it is not there.
pub(super) fn read_bounded(file: &Path, limit_bytes: usize, missing: &str) -> Result<Vec<u8>, Failure> {
    let bytes = read_start(file, limit_bytes.saturating_add(1), missing)?;
    if bytes.len() > limit_bytes {
        return Err(Failure::failed(format!(
            "{} is larger than {}, which is the limit",
            shown(file),
            size(limit_bytes)
        ))
        .with_help("check that it is the file you mean"));
    }
    Ok(bytes)
}

/// A file as messages name it.
pub(super) fn shown(file: &Path) -> String {
    if file == Path::new("-") {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    }
}

/// What to do about a file that cannot be read; `missing` is the advice when it is not there.
pub(super) fn help_on_reading<'a>(error: &io::Error, missing: &'a str) -> &'a str {
    match error.kind() {
        io::ErrorKind::NotFound => missing,
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::PermissionDenied => "check who may read it and its folder",
        io::ErrorKind::TimedOut => "name a file, or start the program that writes to it first",
        _ => "see that it is a file that can be read to its end, then try again",
    }
}

/// Reads the first `count` bytes of a file, or of stdin for `-`. `missing` is the advice when it is not there.
pub(super) fn read_start(file: &Path, count: usize, missing: &str) -> Result<Vec<u8>, Failure> {
    let is_stdin = file == Path::new("-");
    let cannot = |error: io::Error| {
        Failure::failed(format!("cannot read {}: {}", shown(file), reason(&error)))
            .with_help(help_on_reading(&error, missing))
    };
    let source: Box<dyn Read> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(open(file).map_err(cannot)?)
    };
    let mut bytes = Vec::new();
    source
        .take(u64::try_from(count).unwrap_or(u64::MAX))
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    Ok(bytes)
}

/// Opens a file. One that is a named pipe opens when someone writes to it, which may be never.
fn open(file: &Path) -> io::Result<File> {
    if !std::fs::metadata(file)?.file_type().is_fifo() {
        return File::open(file);
    }
    let (sender, opened) = mpsc::channel();
    let path = file.to_owned();
    // An open that waits cannot be called off: where nobody comes it ends with the process.
    std::thread::spawn(move || sender.send(File::open(path)));
    opened.recv_timeout(PIPE_PATIENCE).unwrap_or_else(|_| {
        let problem = format!(
            "it is a pipe, and nobody has begun to write to it within {} s",
            PIPE_PATIENCE.as_secs()
        );
        Err(io::Error::new(io::ErrorKind::TimedOut, problem))
    })
}

/// The failure of writing a file that is there already.
pub(super) fn exists(file: &Path) -> Failure {
    Failure::failed(format!("{} exists and was left as it is", file.display()))
        .with_help("choose another place, or pass --force to overwrite it")
}

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permissions {
    /// The user alone.
    Private,
    /// Everyone reads, the user writes.
    Readable,
    /// Everyone reads and runs it.
    Executable,
}

impl Permissions {
    /// The mode's permission bits.
    pub(super) fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Readable => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// Puts a whole file in its place, so that nobody ever sees half of it, and nobody else a private one. Where there is one
/// already it is replaced if `overwrite`, and kept otherwise.
pub(super) fn put(
    file: &Path,
    content: &[u8],
    permissions: Permissions,
    overwrite: bool,
) -> Result<(), Failure> {
    if !overwrite && file.symlink_metadata().is_ok() {
        return Err(exists(file));
    }
    whole_file::put(file, content, permissions.mode()).map_err(|error| {
        Failure::failed(format!("cannot write {}: {}", file.display(), reason(&error)))
            .with_help("name a place that you may write to")
    })
}

/// A file beside another, for as long as that one is being changed. Goes when it is dropped.
pub(super) struct FileLock(PathBuf);

impl Drop for FileLock {
    fn drop(&mut self) {
        // Who finds it after all is told what it is.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Locks a file as kubectl locks its kubeconfig: by a file of its name with `.lock` behind it.
pub(super) fn lock(file: &Path) -> Result<FileLock, Failure> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let lock = file.with_file_name(name);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&lock)
    {
        Ok(_) => Ok(FileLock(lock)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::failed(format!(
            "someone else is changing {}",
            file.display()
        ))
        .with_help(format!("try again; if nobody is, remove {}", lock.display()))),
        Err(error) => Err(
            Failure::failed(format!("cannot write {}: {}", lock.display(), reason(&error)))
                .with_help("name a file in a folder that you may write to"),
        ),
    }
}

/// Makes a folder that only the user can look into; one that is there stays as it is.
pub(super) fn make_private_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        Failure::failed(format!("cannot make {}: {}", folder.display(), reason(&error)))
            .with_help("name a folder that you may write to")
    })
}

/// A variable of the environment; nothing where it is not set or empty.
///
/// # Errors
/// When it is no text.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the environment is read"
)]
pub(super) fn variable(name: &str) -> Result<Option<String>, Failure> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Failure::usage(format!("{name} is no text")).with_help("write it in UTF-8, or leave it out"))
        }
    }
}

/// In whose name leases are taken: user, machine, process.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where the environment is read"
)]
pub(super) fn holder() -> String {
    let user = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "someone".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "localhost" } else { host };
    format!("{user}@{host} (process {})", std::process::id())
}
