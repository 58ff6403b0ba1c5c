//! Files that the user names, and who the user is.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::failure::Failure;

/// Reads a file, or stdin for `-`, up to and not past `limit_bytes`.
pub(super) fn read_bounded(file: &Path, limit_bytes: usize) -> Result<Vec<u8>, Failure> {
    let shown = file.display();
    let cannot = |error: io::Error| {
        let failure = Failure::failed(format!("cannot read {shown}: {error}"));
        match error.kind() {
            io::ErrorKind::NotFound => failure.with_help("`keelson init` writes a spec to begin with"),
            _ => failure,
        }
    };
    let source: Box<dyn Read> = if file == Path::new("-") {
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
            "{shown} is larger than {limit_bytes} bytes, which is the limit"
        )));
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
        _ => Failure::failed(format!("cannot write {shown}: {error}")),
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
