//! Snapshots as members write them: their bytes follow from the etcd and its revision, so nobody has to keep them.

use std::fmt::Write as _;

use jiff::Timestamp;
use keelson_provider_api::kinds::MemberPhase;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ProviderError, SnapshotContents, WrittenSnapshot};

use super::{Holder, World, permanent, transient};

/// So many keys are at most in a snapshot, whatever was written.
const KEYS_LIMIT: u64 = 500;

impl World {
    /// What a member of the etcd `name` writes now: one that follows, where there is one.
    pub(crate) fn write_snapshot(
        &self,
        holder: &Holder,
        name: &str,
        now: Timestamp,
    ) -> Result<WrittenSnapshot, ProviderError> {
        let Some(cluster) = self.etcd_cluster(holder, name) else {
            return Err(permanent(format!(
                "there is no etcd {name} to take a snapshot of"
            )));
        };
        let count = self.etcd_count(holder, name, now);
        let voters = self
            .members(holder, name)
            .filter(|(thing, member)| member.phase == MemberPhase::Voter && self.working(thing, now).is_ok());
        let leads = |thing, member| self.etcd_leader(thing, member, now) == Some(thing.serial);
        let writer = voters.min_by_key(|(thing, member)| leads(thing, member));
        let (Some((thing, member)), true) = (writer, count.has_quorum()) else {
            return Err(transient(format!(
                "no member of etcd {name} answers with a quorum"
            )));
        };
        let revision = Self::revision(cluster, now);
        let contents = SnapshotContents {
            hash: u32::try_from(revision % u64::from(u32::MAX)).unwrap_or(0),
            revision,
            total_keys: revision.min(KEYS_LIMIT),
            total_bytes: 0,
            live: None,
        };
        let file = format!("{name}-{revision}");
        let bytes = snapshot_bytes(&file, contents.total_keys);
        Ok(WrittenSnapshot {
            etcd_cluster: name.to_owned(),
            machine: member.machine.clone(),
            etcd_version: self.etcd_version(thing, member),
            contents: SnapshotContents {
                total_bytes: bytes.len() as u64,
                ..contents
            },
            size_bytes: bytes.len() as u64,
            sha256: Digest::of_bytes(&bytes).hexadecimal(),
            file,
        })
    }

    /// The bytes of a snapshot, while the machine that it lies on works.
    pub(crate) fn read_snapshot(
        &self,
        holder: &Holder,
        snapshot: &WrittenSnapshot,
        now: Timestamp,
    ) -> Result<Vec<u8>, ProviderError> {
        let mut members = self.members(holder, &snapshot.etcd_cluster);
        let writer = members.find(|(_, member)| member.machine == snapshot.machine);
        match writer {
            Some((thing, _)) => self.working(thing, now).map_err(transient)?,
            None => return Err(permanent(format!("{} has no etcd any more", snapshot.machine))),
        }
        Ok(snapshot_bytes(&snapshot.file, snapshot.contents.total_keys))
    }
}

/// Keys that can be told apart, and behind them their SHA-256, as etcd adds it.
fn snapshot_bytes(file: &str, keys: u64) -> Vec<u8> {
    let mut text = format!("{file}\n");
    for key in 0..keys {
        let _ = writeln!(text, "/registry/{key}");
    }
    let mut bytes = text.into_bytes();
    let sum = Digest::of_bytes(&bytes).bytes();
    bytes.extend(sum);
    bytes
}
