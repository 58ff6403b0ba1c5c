//! What it means that a script about etcd has ended with one of the statuses in [`exit_status`](crate::exit_status), in the words that
//! whoever asks has in common, and what to do about it. What it means for him alone he adds himself.

use keelson_provider_api::{EtcdInstance, ProviderError};

use super::room::full_folder;
use super::step::{permanent, transient};

/// `NOT_OURS` of a script about a member.
pub(super) fn not_ours(etcd: &EtcdInstance, machine: &str) -> ProviderError {
    let cluster = etcd.cluster;
    permanent(format!(
        "{machine} carries the mark of another cluster's etcd {cluster}, or none"
    ))
    .with_help(format!("see /var/lib/keelson/etcd-{cluster}.json on {machine}"))
}

/// `DATA_OF_NOBODY`: there is data and no mark.
pub(super) fn data_of_nobody(etcd: &EtcdInstance, machine: &str) -> ProviderError {
    let folder = etcd.data_folder;
    permanent(format!(
        "{folder} on {machine} has data that no mark of keelson's explains"
    ))
    .with_help(format!(
        "move {folder}/member on {machine} away if nobody needs it; keelson never touches it"
    ))
}

/// `NO_PROGRAMS`, and what `help` there is.
pub(super) fn no_programs(machine: &str, help: impl Into<String>) -> ProviderError {
    permanent(format!("{machine} has no etcd: its bundle has not come")).with_help(help)
}

/// `NO_ROOM`: `machine` has said so in the words of `scripts/room.sh`, which name the folder.
pub(super) fn no_room(machine: &str, what: &str, said: &str) -> ProviderError {
    let said = said.trim();
    let folder = full_folder(said).unwrap_or("/var/lib");
    permanent(format!("{machine} has no room for {what}: {said}")).with_help(format!(
        "make room on the disk of {folder} on {machine}: df -h {folder}"
    ))
}

/// `NOT_THERE` of a snapshot that was sent.
pub(super) fn snapshot_not_there(machine: &str) -> ProviderError {
    transient(format!("the snapshot is not on {machine} any more"))
}
