//! What is done to the etcds of a simulated world beside their membership.

use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{
    Clock, ClusterIdentity, Defragmented, EtcdInstance, EtcdMaintenance, Progress, ProviderError,
    StepContext, WrittenSnapshot,
};
use tokio::sync::mpsc::Sender;

use crate::faults::{CrashMoment, Fault};
use crate::latency::LOOK;
use crate::simulated::{SimulatedWorld, holder_of};

/// A snapshot of a small database.
const WRITING: Duration = Duration::from_secs(2);
/// A small database is written anew.
const DEFRAGMENTING: Duration = Duration::from_secs(1);
/// So much of a snapshot comes at once.
const PIECE_BYTES: usize = 1000;
/// What a piece takes.
const READING: Duration = Duration::from_millis(20);

/// The etcds of a world.
#[derive(Debug, Clone)]
pub struct SimulatedMaintenance(SimulatedWorld);

impl SimulatedMaintenance {
    /// The etcds of `world`.
    pub fn of(world: &SimulatedWorld) -> Self {
        Self(world.clone())
    }

    async fn sleep(&self, duration: Duration) {
        self.0.clock().sleep(duration).await;
        self.0.alive().await;
    }

    /// A call that leaves something where machines are, so that keelson can be gone before and after it.
    async fn deed(&self, subject: &str, takes: Duration) -> Result<(), ProviderError> {
        self.0.alive().await;
        let write = self.0.count_write();
        let fault = self.0.lock().faults.for_call(subject);
        self.0.crash_here(write, CrashMoment::BeforeEffect).await;
        self.sleep(takes).await;
        self.0.crash_here(write, CrashMoment::AfterEffect).await;
        fault.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl EtcdMaintenance for SimulatedMaintenance {
    async fn write_snapshot(
        &self,
        cluster: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        progress: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError> {
        let holder = holder_of(cluster)?;
        self.deed(&format!("write a snapshot of etcd {}", etcd.cluster), WRITING)
            .await?;
        let written = self
            .0
            .look(|world, now| world.write_snapshot(&holder, etcd.cluster, now))??;
        progress.tell(&format!("write a snapshot on {}", written.machine));
        Ok(written)
    }

    async fn read_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(cluster)?;
        let subject = format!("read {}", snapshot.file);
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let mut passed = 0;
        loop {
            self.0.alive().await;
            let lost = self.0.lock().faults.for_call(&subject);
            self.sleep(READING).await;
            if lost.is_some() {
                return Err(Fault::After.error());
            }
            let bytes = self
                .0
                .look(|world, now| world.read_snapshot(&holder, snapshot, now))??;
            let rest = bytes.get(from.saturating_add(passed)..).unwrap_or_default();
            let Some(piece) = rest.chunks(PIECE_BYTES).next() else {
                return Ok(());
            };
            passed += piece.len();
            if pieces.send(piece.to_vec()).await.is_err() {
                return Ok(());
            }
        }
    }

    async fn discard_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
    ) -> Result<(), ProviderError> {
        holder_of(cluster)?;
        self.deed(&format!("discard {}", snapshot.file), LOOK).await
    }

    async fn defragment(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
        machine: &str,
    ) -> Result<Defragmented, ProviderError> {
        let holder = holder_of(&context.cluster)?;
        self.deed(
            &format!("defragment etcd {} on {machine}", etcd.cluster),
            DEFRAGMENTING,
        )
        .await?;
        self.0
            .look(|world, now| world.defragment(&holder, etcd.cluster, machine, now))?
    }

    /// No database of a simulated world ever fills up.
    async fn disarm_alarms(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError> {
        holder_of(&context.cluster)?;
        self.deed(&format!("disarm alarms of etcd {}", etcd.cluster), LOOK)
            .await?;
        Ok(Vec::new())
    }
}
