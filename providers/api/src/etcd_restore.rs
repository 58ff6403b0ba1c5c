//! Giving an etcd the data of a snapshot: the steps, each of which can be done again.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;

use serde::Serialize;

use crate::etcd::EtcdInstance;
use crate::etcd_maintenance::SnapshotContents;
use crate::identity::ClusterIdentity;
use crate::provider::{ProviderError, StepContext};

/// An etcd that is given the data of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// What tells it from every other restore: members that bear it have been given this data.
    pub id: String,
    /// When it began; the same for whoever goes on with it.
    pub begun_at: Timestamp,
    /// The etcd.
    pub etcd: &'static EtcdInstance,
    /// The machines whose members are given the data.
    pub founders: Vec<String>,
    /// The snapshot, as etcd reads it, on the machine that keelson runs on.
    pub file: PathBuf,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The size of the file in bytes.
    pub size_bytes: u64,
    /// What it is to hold; nothing for a file of which nothing was written down.
    pub noted: Option<NotedContents>,
    /// By how much revisions go up, so that none is ever given twice: whoever watches sees that what it knows is compacted
    /// away, and reads anew.
    pub bump_revision: u64,
    /// True where API servers keep their leases in it.
    pub serves_kubernetes: bool,
}

/// What was written down about a snapshot when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedContents {
    /// What etcdutl told of it.
    pub contents: SnapshotContents,
    /// The release that the member ran which wrote it. The etcdutl that told of it was installed beside that, and is the next one
    /// where an upgrade had brought that already and the member was not restarted yet.
    pub etcd_version: String,
}

impl NotedContents {
    /// How what etcdutl of the release `etcd_version` tells now differs from what it told then, in words; nothing where it is the
    /// same. Keys are compared where the release is the same and counts as all later ones do: 3.5 counts others than 3.6 does, and
    /// what a member of 3.5 has written may have been counted by an etcdutl of 3.6. The hash is over all keys anyway.
    pub fn differences(&self, is: &SnapshotContents, etcd_version: &str) -> Vec<String> {
        let was = &self.contents;
        let keys_compare = self.etcd_version == etcd_version && !etcd_version.starts_with("3.5.");
        let rows = [
            ("hash", u64::from(is.hash), u64::from(was.hash), true),
            ("revision", is.revision, was.revision, true),
            ("keys", is.total_keys, was.total_keys, keys_compare),
            ("bytes", is.total_bytes, was.total_bytes, true),
        ];
        let differs = rows
            .iter()
            .filter(|(_, is, was, compares)| *compares && is != was);
        differs
            .map(|(what, is, was, _)| format!("{what}: it has {is}, and {was} was written down"))
            .collect()
    }
}

/// Data of an etcd that a restore has moved aside. Nothing deletes it but somebody's hand, or giving its machine back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// The machine that it lies on.
    pub machine: String,
    /// Its folder there.
    pub folder: String,
    /// How much room it takes, in bytes.
    pub size_bytes: u64,
}

/// Gives etcds the data of snapshots. Each step is told the whole restore, finds out by itself what of it is done, and does the
/// rest.
#[async_trait]
pub trait EtcdRestore: Send + Sync {
    /// Makes sure that nothing would stop the restore half-way that can be seen before: every machine answers, none has what is
    /// somebody else's, each founder's has etcd, and room for the snapshot and its data beside what there is. Nothing is touched.
    ///
    /// # Errors
    /// What stands in the way, on all machines where something does.
    async fn check(&self, context: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError>;

    /// Carries the snapshot to the founders' machines that have not been given its data, and has etcd there tell what it holds.
    /// Nothing of the cluster is touched.
    ///
    /// # Errors
    /// When a machine does not answer, or what etcd tells is not what was written down: then it is on no machine any more.
    async fn bring_snapshot(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError>;

    /// Takes away again from the founders' machines what was brought of the snapshot: nothing is to be made of it. What cannot be
    /// taken away there is used by the next restore of the same, and goes with its machine.
    async fn forget_snapshot(&self, context: &StepContext<'_>, restoration: &Restoration);

    /// Stops what the cluster's control planes run, API servers, controller managers and schedulers, and keeps them stopped
    /// until they are [released](Self::release_control_planes). Where there is none there is nothing to do.
    ///
    /// # Errors
    /// When a machine does not answer, or something does not end.
    async fn hold_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError>;

    /// Lets the control planes that were held run again, without waiting for them.
    ///
    /// # Errors
    /// When a machine does not answer.
    async fn release_control_planes(&self, context: &StepContext<'_>) -> Result<(), ProviderError>;

    /// True where members of `etcd` of the cluster have left their marks, every machine was seen, and none has data any more that a
    /// member could go on from. It says nothing of what is to be done about that, and touches nothing.
    ///
    /// False where machines do not lose data and keep marks.
    async fn has_lost_its_data(&self, cluster: &ClusterIdentity, etcd: &'static EtcdInstance) -> bool {
        let (_, _) = (cluster, etcd);
        false
    }

    /// Ends every member of the etcd that was not given the data by this restore, and moves its data aside, where it stays:
    /// neither this nor a later restore deletes it, nor does the end of another member.
    ///
    /// # Errors
    /// When a machine does not answer: it may have a member. When there is data that nobody's mark explains, or somebody
    /// else's.
    async fn end_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError>;

    /// Puts the data on each founder's machine, and the snapshot before that where it is not there. Nothing is started.
    ///
    /// # Errors
    /// When a machine does not answer, has no room, or etcd refuses the snapshot.
    async fn place_data(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError>;

    /// Starts the founders and waits until each of them votes; takes the leases away that API servers of before have left.
    ///
    /// # Errors
    /// When they do not form a cluster in time.
    async fn start_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError>;

    /// The data of the etcd that this restore and earlier ones have moved aside, and that is still there, by machine and age.
    ///
    /// # Errors
    /// When a machine does not answer.
    async fn set_aside(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<Vec<SetAside>, ProviderError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAS: SnapshotContents = SnapshotContents {
        hash: 1,
        revision: 2,
        total_keys: 3,
        total_bytes: 4,
        live: None,
    };

    #[test]
    fn whatever_differs_is_named_and_keys_are_not_compared_across_releases() {
        let noted = NotedContents {
            contents: WAS,
            etcd_version: "3.6.10".to_owned(),
        };
        let other = SnapshotContents {
            hash: 9,
            revision: 8,
            total_keys: 7,
            total_bytes: 6,
            live: None,
        };
        let rows: [(SnapshotContents, &str, &[&str]); 7] = [
            (WAS, "3.6.10", &[]),
            (
                SnapshotContents { total_keys: 7, ..WAS },
                "3.6.10",
                &["keys: it has 7, and 3 was written down"],
            ),
            (
                SnapshotContents { hash: 9, ..WAS },
                "3.6.10",
                &["hash: it has 9, and 1 was written down"],
            ),
            (
                SnapshotContents { revision: 8, ..WAS },
                "3.5.30",
                &["revision: it has 8, and 2 was written down"],
            ),
            (
                SnapshotContents {
                    total_bytes: 6,
                    ..WAS
                },
                "3.5.30",
                &["bytes: it has 6, and 4 was written down"],
            ),
            (SnapshotContents { total_keys: 7, ..WAS }, "3.5.30", &[]),
            (
                other,
                "3.6.10",
                &[
                    "hash: it has 9, and 1 was written down",
                    "revision: it has 8, and 2 was written down",
                    "keys: it has 7, and 3 was written down",
                    "bytes: it has 6, and 4 was written down",
                ],
            ),
        ];
        for (is, version, differences) in rows {
            assert_eq!(noted.differences(&is, version), differences, "{is:?} {version}");
        }
        // A member of 3.5 wrote it when etcdutl was that of 3.6 already.
        let between = NotedContents {
            etcd_version: "3.5.30".to_owned(),
            ..noted
        };
        let is = SnapshotContents { total_keys: 7, ..WAS };
        assert_eq!(between.differences(&is, "3.5.30"), [""; 0]);
    }
}
