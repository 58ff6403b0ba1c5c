//! What becomes of the snapshots of etcd that machines take by a schedule.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::provider::ProviderError;

/// What is known of the snapshots that machines take by themselves.
#[async_trait]
pub trait ScheduledSnapshots: Send + Sync {
    /// How `machine` stands to the schedule: of each etcd whose snapshots it is to take. It takes one answer of the machine.
    ///
    /// # Errors
    /// When it does not answer.
    async fn runs(&self, machine: &str) -> Result<Vec<ScheduledRuns>, ProviderError>;
}

/// How a machine stands to the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledRuns {
    /// The etcd: `main` or `events`.
    pub etcd_cluster: String,
    /// Since when the schedule is in force there.
    pub since: Timestamp,
    /// Why the last run failed, in its last words, if it did.
    pub failure: Option<String>,
}
