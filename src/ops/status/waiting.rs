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
    /// Looks again and again until the cluster is healthy and as the spec says.
    ///
    /// # Errors
    /// [`OperationError::TimedOut`] when `patience`, in the providers' time, ends before; [`OperationError::Interrupted`] when asked to stop.
    pub async fn wait_until_healthy(
        &self,
        patience: Duration,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let deadline = self.deadline(patience);
        let last = self
            .last_status_by(deadline, ClusterStatus::is_well, &|_| (), reporter, interrupt)
            .await?;
        if last.is_well() {
            return Ok(last);
        }
        Err(OperationError::TimedOut(deadline))
    }

    /// The same after a restore, where the cluster may not become healthy by itself: the last status, which says what is wrong
    /// where it is not healthy in time, or not [before an apply](ClusterStatus::yet_to_come), which is not waited for. What it still
    /// waits for is told to `tell`, at first and whenever that changes.
    ///
    /// # Errors
    /// When it cannot be looked; [`OperationError::Interrupted`] when asked to stop.
    pub async fn status_after_restore(
        &self,
        patience: Duration,
        tell: &(dyn Fn(&ClusterStatus) + Sync),
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let is_over = |status: &ClusterStatus| status.is_well() || !status.yet_to_come.is_empty();
        self.last_status_by(self.deadline(patience), is_over, tell, reporter, interrupt)
            .await
    }

    fn deadline(&self, patience: Duration) -> Timestamp {
        let now = self.clock().now();
        now.checked_add(patience).unwrap_or(Timestamp::MAX)
    }

    async fn last_status_by(
        &self,
        deadline: Timestamp,
        is_over: impl Fn(&ClusterStatus) -> bool,
        tell: &(dyn Fn(&ClusterStatus) + Sync),
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<ClusterStatus, OperationError> {
        let clock = self.clock();
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
