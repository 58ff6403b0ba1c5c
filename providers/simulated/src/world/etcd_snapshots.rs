//! Snapshots as members write them: their bytes follow from the etcd and its revision, so nobody has to keep them; and they tell
//! what the etcd held, so that it can be given to another one.

use std::fmt::Write as _;

use jiff::Timestamp;
use keelson_provider_api::kinds::MemberPhase;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ProviderError, SnapshotContents, WrittenSnapshot};

use super::{EtcdContents, Holder, World, permanent, transient};

/// So many keys are at most in a snapshot, whatever was written.
const KEYS_LIMIT: u64 = 500;
/// A SHA-256.
const SUM_BYTES: usize = 32;

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
        let file = format!("{name}-{revision}");
        let keys = revision.min(KEYS_LIMIT);
        let bytes = snapshot_bytes(&self.contents_of(thing, name, now), keys);
        Ok(WrittenSnapshot {
            etcd_cluster: name.to_owned(),
            machine: member.machine.clone(),
            etcd_version: self.etcd_version(thing, member),
            contents: told_of(revision, keys, bytes.len()),
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
        let Some((thing, _)) = writer else {
            return Err(permanent(format!("{} has no etcd any more", snapshot.machine)));
        };
        self.working(thing, now).map_err(transient)?;
        let contents = self.contents_of(thing, &snapshot.etcd_cluster, now);
        let contents = contents.until(snapshot.contents.revision);
        Ok(snapshot_bytes(&contents, snapshot.contents.total_keys))
    }
}

/// What is told of a snapshot of so many bytes.
fn told_of(revision: u64, keys: u64, bytes: usize) -> SnapshotContents {
    SnapshotContents {
        hash: u32::try_from(revision % u64::from(u32::MAX)).unwrap_or(0),
        revision,
        total_keys: keys,
        total_bytes: bytes as u64,
        live: None,
    }
}

/// What is told of a snapshot that is read again, which holds `contents`.
pub(crate) fn told_again(contents: &EtcdContents, snapshot: &[u8]) -> SnapshotContents {
    let revision = contents.revision();
    told_of(revision, revision.min(KEYS_LIMIT), snapshot.len())
}

/// What the etcd held, keys that can be told apart, and behind them their SHA-256, as etcd adds it.
fn snapshot_bytes(contents: &EtcdContents, keys: u64) -> Vec<u8> {
    // Writing to memory cannot fail, and no map in it has keys that are no strings.
    let mut text = serde_json::to_string(contents).unwrap_or_default();
    text.push('\n');
    for key in 0..keys {
        let _ = writeln!(text, "/registry/{key}");
    }
    let mut bytes = text.into_bytes();
    let sum = Digest::of_bytes(&bytes).bytes();
    bytes.extend(sum);
    bytes
}

/// What an etcd held when it wrote this snapshot.
///
/// # Errors
/// When it is damaged, or none of a simulated world.
pub(crate) fn contents_in(snapshot: &[u8]) -> Result<EtcdContents, ProviderError> {
    let whole = snapshot
        .len()
        .checked_sub(SUM_BYTES)
        .and_then(|end| snapshot.split_at_checked(end))
        .filter(|(text, sum)| Digest::of_bytes(text).bytes()[..] == **sum);
    let first = whole.and_then(|(text, _)| text.split(|&byte| byte == b'\n').next());
    first
        .and_then(|line| serde_json::from_slice(line).ok())
        .ok_or_else(|| {
            permanent("the snapshot is damaged, or of an etcd that is not simulated")
                .with_help("a simulated etcd can be given what another simulated one held")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Stretch;

    #[test]
    fn a_snapshot_tells_what_its_etcd_held_unless_it_is_damaged() {
        let stretch = Stretch {
            by: "a".to_owned(),
            first: 1,
            last: 9,
        };
        let contents = EtcdContents {
            stretches: vec![stretch],
        };
        let bytes = snapshot_bytes(&contents, 9);
        assert_eq!(contents_in(&bytes).unwrap(), contents);
        for place in [0, 40, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            contents_in(&damaged).unwrap_err();
        }
        for end in [0, 31, 32, bytes.len() - 1] {
            contents_in(&bytes[..end]).unwrap_err();
        }
    }
}
