//! Looking until a cluster is well.

use std::time::Duration;

use jiff::Timestamp;

use super::ClusterStatus;
use crate::execute::{Interrupt, Reporter};
use crate::ops::error::OperationError;
use crate::ops::session::Session;

/// How often it is looked.
const POLL: Duration = Duration::from_secs(5);

impl Session {
    /// Looks again and again until the cluster [is well](ClusterStatus::is_well), at most for `patience` in the providers' time: the
    /// last status, which says what is wrong where it is not well in time. What is still waited for is told to `tell`, at first and
    /// whenever that changes.
    ///
    /// # Errors
    /// When it cannot be looked; [`OperationError::Interrupted`] when asked to stop.
    pub async fn wait_until_healthy(
        &self,
        patience: Duration,
        tell: &(dyn Fn(&ClusterStatus) + Sync),
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        self.last_status(ClusterStatus::is_well, patience, tell, reporter, interrupt)
            .await
    }

    /// The same after a restore, where the cluster may not become well by itself: what is not [before an
    /// apply](ClusterStatus::yet_to_come) is not waited for.
    ///
    /// # Errors
    /// As those of [`Session::wait_until_healthy`].
    pub async fn status_after_restore(
        &self,
        patience: Duration,
        tell: &(dyn Fn(&ClusterStatus) + Sync),
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let is_over = |status: &ClusterStatus| status.is_well() || !status.yet_to_come.is_empty();
        self.last_status(is_over, patience, tell, reporter, interrupt)
            .await
    }

    async fn last_status(
        &self,
        is_over: impl Fn(&ClusterStatus) -> bool,
        patience: Duration,
        tell: &(dyn Fn(&ClusterStatus) + Sync),
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let clock = self.clock();
        let deadline = clock.now().checked_add(patience).unwrap_or(Timestamp::MAX);
        let mut told = Vec::new();
        loop {
            let status = self.status(reporter).await?;
            if is_over(&status) || clock.now() >= deadline {
                return Ok(status);
            }
            if status.problems != told {
                tell(&status);
                told = status.problems;
            }
            tokio::select! {
                () = clock.drive(clock.sleep(POLL)) => {}
                () = interrupt.stopped() => return Err(OperationError::Interrupted(None)),
            }
        }
    }
}
