//! Snapshots that an upgrade takes before it changes anything: the kind `etcd-snapshot`.
//!
//! They are no backups. One stays where its member wrote it, unpacked, at `/var/lib/keelson/snapshots/<name>.db` with a manifest of
//! its own form; it goes with its machine, `keelson etcd snapshot list` does not show it, no rule prunes it, and `keelson etcd
//! restore` takes it as any other file, by `--from`. Backups, which outlive a machine or are kept by rules, are saved by
//! [`maintenance`](super::maintenance) to the state store, or taken by machines by a schedule ([`backups`](super::backups)).

mod listed;
mod taking;

pub(super) use listed::{list, observe};
pub(super) use taking::{forget, take};
