//! What is said of etcds that have had data, of which nothing is seen.

use std::collections::BTreeMap;

use keelson_provider_api::etcd::{MAIN, restore_command};
use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::{Kind, Observation, Observed};

use super::desired::DesiredState;
use super::etcd::EtcdHealth;
use super::verdict::Verdict;

/// Members that are as they should be but for their data are not well, and nothing else of them is changed before they have it.
pub(super) fn lost_all(
    member: &EtcdMember,
    clusters: &BTreeMap<String, EtcdHealth>,
    desired: &DesiredState,
) -> Verdict {
    let cluster = &member.cluster;
    let health = clusters.get(cluster).copied().unwrap_or_default();
    let help = match &desired.restore {
        Some(restore) => restore.help.clone(),
        None => help_for_the_lost(clusters),
    };
    Verdict::blocked(format!("etcd cluster `{cluster}` {health}"), help)
}

/// What to do where all data of an etcd is lost. API servers find both when they start: `main` comes last.
pub(super) fn help_for_the_lost(clusters: &BTreeMap<String, EtcdHealth>) -> String {
    let mut lost: Vec<&str> = clusters
        .iter()
        .filter(|(_, health)| health.has_lost_its_data)
        .map(|(name, _)| name.as_str())
        .collect();
    lost.sort_by_key(|name| *name == MAIN.cluster);
    let commands: Vec<String> = lost
        .into_iter()
        .map(|cluster| format!("`{}`", restore_command(cluster)))
        .collect();
    format!(
        "bring back the disks that have its data, or give it that of a snapshot: {}",
        commands.join(" first, then ")
    )
}

/// An empty cluster in place of one that had data would be taken for it.
pub(super) fn lost_data(member: &EtcdMember, desired: &DesiredState, observation: &Observation) -> Verdict {
    let cluster = &member.cluster;
    if let Some(restore) = &desired.restore {
        // What it had may lie aside on its machines, and a destroy would take that away.
        let reason = if restore.etcd == *cluster {
            format!("etcd cluster `{cluster}` is being restored, and that has not come to its end")
        } else {
            format!("etcd cluster `{cluster}` has had data, and none is seen that it could go on from")
        };
        return Verdict::blocked(reason, restore.help.clone());
    }
    let silent: Vec<&str> = observation
        .entries()
        .filter(|(key, observed)| key.kind() == Kind::Machine && matches!(observed, Observed::Unknown(_)))
        .map(|(key, _)| key.name())
        .collect();
    if silent.is_empty() {
        return Verdict::blocked(
            format!("etcd cluster `{cluster}` has had data, and nothing of it is on any machine"),
            format!(
                "bring back a machine that has its data, or give it that of a snapshot: `{}`; to begin anew without it, \
                 `keelson destroy` first",
                restore_command(cluster)
            ),
        );
    }
    let silent = silent.join(", ");
    Verdict::blocked(
        format!(
            "etcd cluster `{cluster}` has had data, which may be on machines that cannot be seen: {silent}"
        ),
        format!("bring {silent} back first, and run the command again"),
    )
}
