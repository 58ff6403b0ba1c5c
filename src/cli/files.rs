//! Files that the user names, and who the user is.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure::Failure;
use crate::view::size;

/// Why the file system refused, in words alone.
pub(super) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Reads a file, or stdin for `-`, up to and not past `limit_bytes`. `missing` is the advice when it is not there.
pub(super) fn read_bounded(file: &Path, limit_bytes: usize, missing: &str) -> Result<Vec<u8>, Failure> {
    let is_stdin = file == Path::new("-");
    let shown = if is_stdin {
        "stdin".to_owned()
    } else {
        file.display().to_string()
    };
    let cannot = |error: io::Error| {
        let failure = Failure::failed(format!("cannot read {shown}: {}", reason(&error)));
        match error.kind() {
            io::ErrorKind::NotFound => failure.with_help(missing),
            io::ErrorKind::IsADirectory => failure.with_help("name a file in it"),
            io::ErrorKind::PermissionDenied => failure.with_help("check who may read it and its folder"),
            _ => failure,
        }
    };
    let source: Box<dyn Read> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(cannot)?)
    };
    let mut bytes = Vec::new();
    source
        .take(u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() > limit_bytes {
        return Err(Failure::failed(format!(
            "{shown} is larger than {}, which is the limit",
            size(limit_bytes)
        ))
        .with_help("check that it is the file you mean"));
    }
    Ok(bytes)
}

/// Writes a new file that only the user can read; an old one is kept unless `overwrite`.
pub(super) fn write(file: &Path, content: &str, overwrite: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let shown = file.display();
    let result = options
        .open(file)
        .and_then(|mut opened| opened.write_all(content.as_bytes()));
    result.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!("{shown} exists and was left as it is"))
            .with_help("choose another file, or pass --force to overwrite it"),
        _ => Failure::failed(format!("cannot write {shown}: {}", reason(&error)))
            .with_help("name a file in a folder that you may write to"),
    })
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
