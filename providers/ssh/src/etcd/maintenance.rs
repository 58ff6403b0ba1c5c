//! What is done to a running etcd beside its membership, on bare machines.

mod alarms;
mod defragment;
pub(super) mod transfer;

use async_trait::async_trait;
use keelson_provider_api::{
    ClusterIdentity, Defragmented, EtcdInstance, EtcdMaintenance, Progress, ProviderError, StepContext,
    WrittenSnapshot,
};
use tokio::sync::mpsc::Sender;

use super::provider::EtcdProvider;

#[async_trait]
impl EtcdMaintenance for EtcdProvider {
    async fn write_snapshot(
        &self,
        cluster: &ClusterIdentity,
        etcd: &'static EtcdInstance,
        progress: &Progress<'_>,
    ) -> Result<WrittenSnapshot, ProviderError> {
        transfer::write(self.reach.as_ref(), cluster, etcd, progress).await
    }

    async fn read_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
        from: u64,
        pieces: Sender<Vec<u8>>,
    ) -> Result<(), ProviderError> {
        transfer::read(self.reach.as_ref(), cluster, snapshot, from, pieces).await
    }

    async fn discard_snapshot(
        &self,
        cluster: &ClusterIdentity,
        snapshot: &WrittenSnapshot,
    ) -> Result<(), ProviderError> {
        transfer::discard(self.reach.as_ref(), cluster, snapshot).await
    }

    async fn defragment(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
        machine: &str,
    ) -> Result<Defragmented, ProviderError> {
        let step = self.step(context, etcd)?;
        defragment::defragment(&step, machine).await
    }

    async fn disarm_alarms(
        &self,
        context: &StepContext<'_>,
        etcd: &'static EtcdInstance,
    ) -> Result<Vec<String>, ProviderError> {
        let step = self.step(context, etcd)?;
        alarms::disarm(&step).await
    }
}
