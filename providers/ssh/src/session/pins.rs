//! Host keys that are pinned in the state store.

use std::fs;
use std::path::Path;

use super::root::error;
use crate::records::Records;
use crate::shell::{HostError, HostErrorKind};
use crate::target::Target;

/// The keys that are pinned for a host.
pub(super) async fn known(target: &Target, records: &Records) -> Result<Vec<String>, HostError> {
    let record = records.read(&target.name).await;
    let record = record.map_err(|cause| {
        error(
            target,
            HostErrorKind::HostKey,
            format!("its pinned host keys cannot be read: {cause}"),
        )
    })?;
    Ok(record.map(|record| record.host_keys).unwrap_or_default())
}

/// Writes a `known_hosts` file that is read for one host alone, whatever that is called. What is no key, two words in one line,
/// is left out.
pub(super) fn write(file: &Path, keys: &[String]) -> std::io::Result<()> {
    let words = |key: &&String| key.lines().count() == 1 && key.split_whitespace().count() == 2;
    let lines: Vec<_> = keys
        .iter()
        .filter(words)
        .map(|key| format!("* {key}\n"))
        .collect();
    fs::write(file, lines.concat())
}

/// Remembers the keys that ssh wrote down, which it does for a host that was not known.
pub(super) async fn remember(target: &Target, records: &Records, known_hosts: &str) -> Result<(), HostError> {
    let keys = keys(known_hosts);
    if keys.is_empty() {
        return Ok(());
    }
    let pinned = records.change(target, |record| {
        for key in &keys {
            if !record.host_keys.contains(key) {
                record.host_keys.push(key.clone());
            }
        }
    });
    pinned.await.map_err(|cause| {
        error(
            target,
            HostErrorKind::HostKey,
            format!("its host key cannot be pinned: {cause}"),
        )
    })
}

/// The keys in a `known_hosts` file, without the names that they stand for.
fn keys(known_hosts: &str) -> Vec<String> {
    let lines = known_hosts.lines().filter(|line| !line.starts_with(['#', '@']));
    let key = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    lines.filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_known_hosts() {
        let text =
            "# comment\n* ssh-ed25519 AAAA\n|1|x=|y= ssh-rsa BBBB comment\n@revoked * ssh-rsa C\nrubbish\n\n";
        assert_eq!(keys(text), ["ssh-ed25519 AAAA", "ssh-rsa BBBB"]);
    }
}
