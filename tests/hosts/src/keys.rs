//! Keys of SSH: the lab's own pair, and one for each host.

use std::fs;
use std::path::Path;

use crate::LabError;
use crate::command::tool;
use crate::error::AboutFile;
use crate::record::Record;

/// A new pair of keys: `path` and `path.pub`.
pub(crate) fn generate(path: &Path, comment: &str) -> Result<(), LabError> {
    tool("ssh-keygen", 30)
        .words("-q -t ed25519 -N")
        .args(["", "-C", comment, "-f"])
        .arg(path)
        .run()
        .map(drop)
}

/// The public key in a file, without its comment: `ssh-ed25519 AAAA…`.
pub(crate) fn public(path: &Path) -> Result<String, LabError> {
    let text = fs::read_to_string(path).about("failed to read", path)?;
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

/// Writes down which key each host of the lab has, the way ssh reads it.
pub(crate) fn write_known_hosts(record: &Record) -> Result<(), LabError> {
    let mut lines = Vec::new();
    for host in &record.hosts {
        let key = public(&record.path("hosts").join(&host.name).join("host-key.pub"))?;
        for address in std::iter::once(&host.address).chain(&host.extra_addresses) {
            lines.push(format!("{address} {key}\n"));
        }
    }
    record.write("known_hosts", &lines.concat())
}
