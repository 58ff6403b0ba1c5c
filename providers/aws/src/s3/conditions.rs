//! Whether the server keeps the promises that compare-and-swap stands on.

use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError};

use super::requests::new_mark;
use super::store::S3Store;

/// Where it is tried out, with a random part behind it.
const PROBE: &str = ".keelson-probe-";

impl S3Store {
    /// Tries out whether the server keeps `If-None-Match` and `If-Match`, with an object of its own that it removes.
    /// State of clusters must not lie where it does not: two runs would both hold the lease.
    pub(super) async fn prove_conditions(&self) -> Result<(), StoreError> {
        let mark = new_mark().map_err(|failure| self.unavailable("write", PROBE, failure))?;
        let path = format!("{PROBE}{mark}");
        let checked = self.try_conditions(&path).await;
        let removed = self.delete(&path, Precondition::None).await;
        checked.and(removed)
    }

    async fn try_conditions(&self, path: &str) -> Result<(), StoreError> {
        let first = self.write(path, b"1", Precondition::Absent).await?;
        self.expect_conflict(path, "If-None-Match: *", Precondition::Absent)
            .await?;
        self.write(path, b"2", Precondition::Version(first.clone()))
            .await?;
        self.expect_conflict(path, "If-Match", Precondition::Version(first))
            .await
    }

    async fn expect_conflict(
        &self,
        path: &str,
        header: &str,
        precondition: Precondition,
    ) -> Result<(), StoreError> {
        let written: Result<ObjectVersion, _> = self.write(path, b"3", precondition).await;
        match written {
            Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let problem = format!(
                    "the server does not keep `{header}`: two runs at once would both change a cluster; keep its state elsewhere"
                );
                Err(self.problem("write", path, problem))
            }
        }
    }
}
