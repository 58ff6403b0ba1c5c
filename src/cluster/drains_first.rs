//! Bundles that nodes get when these are empty: [`DrainsFirst`] stands before the provider that brings them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{
    Change, ClusterIdentity, Disruption, Finding, Kind, KindObservation, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};

use super::provider::ClusterProvider;

/// What it typically takes to move the pods of a node, for forecasts.
const DRAIN: Duration = Duration::from_secs(20);

/// The provider of machines and their bundles, for a cluster whose nodes are drained before what they run changes in a way
/// that [takes a drain](Disruption::Drain), and get pods again when they are well with it. A node whose bundle does not come
/// into force stays cordoned.
pub struct DrainsFirst {
    machines: Arc<dyn Provider>,
    cluster: Arc<ClusterProvider>,
}

impl DrainsFirst {
    /// Drains nodes of `cluster` before `machines` changes their bundles.
    pub fn new(machines: Arc<dyn Provider>, cluster: Arc<ClusterProvider>) -> Self {
        Self { machines, cluster }
    }
}

/// The node that `change` takes a drain of.
fn drained(change: &Change) -> Option<&str> {
    let drains = change.disruption == Disruption::Drain
        && change.key.kind() == Kind::NodeBundle
        && !change.is_removal();
    change.machine().filter(|_| drains)
}

#[async_trait]
impl Provider for DrainsFirst {
    fn name(&self) -> &str {
        self.machines.name()
    }

    fn kinds(&self) -> &[Kind] {
        self.machines.kinds()
    }

    fn concurrency_limit(&self) -> usize {
        self.machines.concurrency_limit()
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        let drain = drained(change).map_or(Duration::ZERO, |_| DRAIN);
        self.machines.typical_duration(change).saturating_add(drain)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        self.machines.observe(cluster, kind, wanted).await
    }

    async fn preflight(&self, cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        self.machines.preflight(cluster, changes).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let Some(node) = drained(change) else {
            return self.machines.carry_out(context, change).await;
        };
        let is_cordoned = match self.cluster.empty(context, node).await {
            Ok(is_cordoned) => is_cordoned,
            Err(error) => return Outcome::Rejected(error),
        };
        match self.machines.carry_out(context, change).await {
            Outcome::Done if is_cordoned => match self.cluster.refill(context, node).await {
                Ok(()) => Outcome::Done,
                // The node is seen to differ by that, and the next round goes on with it.
                Err(error) => Outcome::Indeterminate(error),
            },
            other => other,
        }
    }
}
