//! Bringing in, taking out and emptying single nodes, whatever else of the spec waits to be applied.

use std::time::Duration;

use keelson_provider_api::{Progress, ProviderError};

use super::apply::{Applied, ApplyOptions, Approve};
use super::backups::intent;
use super::error::OperationError;
use super::session::Session;
use crate::cluster::{ClusterProvider, DrainOptions, Drained};
use crate::execute::{Interrupt, Reporter};

/// How a node is emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainRequest {
    /// How long pods may take to leave.
    pub limit: Duration,
    /// True to refuse where pods would come back nowhere, because no controller looks after them.
    pub keeps_unmanaged: bool,
}

impl Session {
    /// Brings in the machine `name` of the spec and its node, and changes nothing else.
    ///
    /// # Errors
    /// [`OperationError::UnknownMachine`] when the spec has no such machine, [`OperationError::NoCluster`] before the first
    /// apply, and those of [`apply`](Self::apply).
    pub async fn add_node(
        &self,
        name: &str,
        approve: &dyn Approve,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Applied, OperationError> {
        self.check_can_add(name).await?;
        self.see_to(name, approve, reporter, interrupt).await
    }

    /// Makes sure that there is a cluster, and a machine `name` in its spec, before anyone is asked about it.
    ///
    /// # Errors
    /// [`OperationError::UnknownMachine`] and [`OperationError::NoCluster`].
    pub async fn check_can_add(&self, name: &str) -> Result<(), OperationError> {
        self.drive(self.existing_identity()).await?;
        let known = self.names_in_spec()?;
        if known.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(OperationError::UnknownMachine {
            name: name.to_owned(),
            known,
        })
    }

    /// Takes the machine `name`, which has left the spec, out of the cluster: its pods move elsewhere, its node and its etcd
    /// member go, and what was installed on it. Nothing else is changed.
    ///
    /// # Errors
    /// [`OperationError::StillWanted`] for a machine of the spec, [`OperationError::NoneLeaving`] when the cluster has no
    /// such machine, and those of [`apply`](Self::apply).
    pub async fn remove_node(
        &self,
        name: &str,
        approve: &dyn Approve,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Applied, OperationError> {
        self.drive(self.existing_identity()).await?;
        let list = self.nodes(reporter).await?;
        match list.nodes.iter().find(|node| node.name == name) {
            Some(node) if node.in_spec => return Err(OperationError::StillWanted(name.to_owned())),
            Some(_) => {}
            None => {
                let leaving = list.nodes.into_iter().filter(|node| !node.in_spec);
                return Err(OperationError::NoneLeaving {
                    name: name.to_owned(),
                    leaving: leaving.map(|node| node.name).collect(),
                });
            }
        }
        self.see_to(name, approve, reporter, interrupt).await
    }

    async fn see_to(
        &self,
        name: &str,
        approve: &dyn Approve,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Applied, OperationError> {
        let options = ApplyOptions {
            only: Some(name.to_owned()),
            ..ApplyOptions::default()
        };
        self.apply(&options, approve, reporter, interrupt).await
    }

    /// Keeps new pods off the node `name` and moves its pods elsewhere, under the lease. What is done is told to `progress`.
    ///
    /// # Errors
    /// [`OperationError::Simulated`] where no pods are, [`OperationError::Machine`] when pods stay or the API does not
    /// answer, and those of leases.
    pub async fn drain_node(
        &self,
        name: &str,
        request: &DrainRequest,
        progress: &Progress<'_>,
        reporter: &dyn Reporter,
        interrupt: &Interrupt,
    ) -> Result<Drained, OperationError> {
        let options = DrainOptions {
            limit: request.limit,
            evicts_unmanaged: !request.keeps_unmanaged,
        };
        let work = self.under_lease("node drain", reporter, interrupt, async |_, _| {
            intent::check_none(self.store(), self.spec().name()).await?;
            let identity = self.existing_identity().await?;
            let drained = self.node_access()?.drain(&identity, name, &options, progress);
            tokio::select! {
                drained = drained => drained.map_err(of_node),
                () = interrupt.stopped() => Err(OperationError::DrainStopped(name.to_owned())),
            }
        });
        self.drive(work).await
    }

    /// Lets new pods come to the node `name` again. It takes no lease: a mark on the node is taken away at once, which a drain
    /// that goes on beside it puts back.
    ///
    /// # Errors
    /// As [`drain_node`](Self::drain_node).
    pub async fn uncordon_node(&self, name: &str) -> Result<(), OperationError> {
        self.drive(async {
            let identity = self.existing_identity().await?;
            let cordon = self.node_access()?.cordon(&identity, name, false);
            cordon.await.map_err(of_node)
        })
        .await
    }

    fn node_access(&self) -> Result<&ClusterProvider, OperationError> {
        let name = self.spec().name().clone();
        if self.spec().is_etcd_alone() {
            return Err(OperationError::NoKubernetes(name));
        }
        self.parts
            .node_access
            .as_deref()
            .ok_or(OperationError::Simulated {
                name,
                lacks: "pods that could leave a node",
            })
    }

    pub(in crate::ops) fn names_in_spec(&self) -> Result<Vec<String>, OperationError> {
        let desired = self.desired_state()?;
        let keys = desired.resources.into_keys();
        let machines = keys.filter(|key| key.kind() == keelson_provider_api::Kind::Machine);
        Ok(machines.map(|key| key.name().to_owned()).collect())
    }
}

fn of_node(error: ProviderError) -> OperationError {
    OperationError::Machine(Box::new(error))
}
