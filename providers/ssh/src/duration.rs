//! How long things typically take, for forecasts.

use std::time::Duration;

use keelson_provider_api::kinds::{Kind, MachineRole, Resource};
use keelson_provider_api::{Action, Change};

/// Kind, verb, milliseconds: measured on test hosts (docs/testing.md), and for bundles with what a download of kubelet,
/// containerd and etcd takes at 100 Mbit/s added.
const TYPICAL: &[(Kind, &str, u64)] = &[
    (Kind::Machine, "create", 200),
    (Kind::Machine, "update", 150),
    (Kind::Machine, "delete", 500),
    (Kind::NodeBundle, "create", 8_000),
    (Kind::NodeBundle, "update", 5_000),
    (Kind::NodeBundle, "delete", 1_500),
];
const OTHERWISE_MS: u64 = 1_000;

/// A machine that is a node ends its pods, and takes back mounts, firewall rules and the network of its pods: 43 s for five at
/// once (docs/performance.md), 13 s for one.
const NODE_DELETE_MS: u64 = 30_000;

/// How long `change` typically takes.
pub(crate) fn typical(change: &Change) -> Duration {
    let verb = match &change.action {
        Action::Create { .. } => "create",
        Action::Update { .. } => "update",
        Action::Delete { .. } => "delete",
    };
    if let (Action::Delete { .. }, Resource::Machine(machine)) = (&change.action, change.resource())
        && machine.roles.iter().any(|role| *role != MachineRole::Etcd)
    {
        return Duration::from_millis(NODE_DELETE_MS);
    }
    let row = TYPICAL
        .iter()
        .find(|(kind, of, _)| *kind == change.key.kind() && *of == verb);
    Duration::from_millis(row.map_or(OTHERWISE_MS, |(_, _, milliseconds)| *milliseconds))
}
