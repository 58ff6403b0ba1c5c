//! Giving an etcd the data of a snapshot: the steps, each of which can be done again.

use std::path::PathBuf;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::etcd::EtcdInstance;
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
    /// By how much revisions go up, so that none is ever given twice: whoever watches sees that what it knows is compacted
    /// away, and reads anew.
    pub bump_revision: u64,
    /// True where API servers keep their leases in it.
    pub serves_kubernetes: bool,
}

/// Gives etcds the data of snapshots. Each step is told the whole restore, finds out by itself what of it is done, and does the
/// rest.
#[async_trait]
pub trait EtcdRestore: Send + Sync {
    /// Makes sure that nothing would stop the restore half-way that can be seen before: every machine answers, none has what is
    /// somebody else's, and each founder's has etcd. Nothing is touched.
    ///
    /// # Errors
    /// What stands in the way.
    async fn check(&self, context: &StepContext<'_>, restoration: &Restoration) -> Result<(), ProviderError>;

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

    /// Ends every member of the etcd that was not given the data by this restore, and moves its data aside, where it stays.
    ///
    /// # Errors
    /// When a machine does not answer: it may have a member. When there is data that nobody's mark explains, or somebody
    /// else's.
    async fn end_members(
        &self,
        context: &StepContext<'_>,
        restoration: &Restoration,
    ) -> Result<(), ProviderError>;

    /// Puts the data on each founder's machine. Nothing is started.
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
}
