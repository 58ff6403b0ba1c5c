//! Snapshots of volumes.

use aws_sdk_ec2::types as sdk;
use jiff::Timestamp;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;

use super::answers::{Page, deleted, every_page, promised, time};
use super::{Ec2, Filters, tags};

/// The longest page of `DescribeSnapshots`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSnapshots.html>).
const PAGE: i32 = 1000;

/// Whoever asks: others share theirs with everybody.
const OWNER: &str = "self";

/// A snapshot of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id, `snap-…`.
    pub id: String,
    /// How much a volume that is made of it holds.
    pub size_gibibytes: u32,
    /// When it was begun.
    pub created: Option<Timestamp>,
    /// What it is marked with.
    pub tags: Tags,
}

impl Ec2 {
    /// The account's own snapshots that fit all `filters`, for example `snapshot-id`.
    ///
    /// # Errors
    /// When EC2 refuses, cannot be asked, or the list has no end.
    pub async fn list_snapshots(&self, filters: &Filters) -> Result<Vec<Snapshot>, CallError> {
        const ACTION: &str = "DescribeSnapshots";
        let Some(filters) = filters.written() else {
            return Ok(Vec::new());
        };
        let found = every_page(ACTION, |token| {
            let call = self.clients.patient.describe_snapshots().owner_ids(OWNER);
            let call = call
                .set_filters(Some(filters.clone()))
                .max_results(PAGE)
                .set_next_token(token);
            async move {
                let answer = call.send().await.called(ACTION)?;
                Ok(Page::new(answer.snapshots, answer.next_token))
            }
        });
        found
            .await?
            .into_iter()
            .map(|snapshot| read(ACTION, snapshot))
            .collect()
    }

    /// Deletes a snapshot; one that is not there is deleted.
    ///
    /// # Errors
    /// When EC2 refuses (`InvalidSnapshot.InUse`: an image is made of it), or cannot be asked.
    pub async fn delete_snapshot(&self, id: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_snapshot().snapshot_id(id);
        deleted(call.send().await.called("DeleteSnapshot"))
    }
}

fn read(action: &'static str, snapshot: sdk::Snapshot) -> Result<Snapshot, CallError> {
    let size = snapshot.volume_size.and_then(|size| size.try_into().ok());
    Ok(Snapshot {
        id: promised(action, snapshot.snapshot_id, "snapshotId")?,
        size_gibibytes: size.unwrap_or_default(),
        created: time(snapshot.start_time),
        tags: tags::read(snapshot.tags),
    })
}
