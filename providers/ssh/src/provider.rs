//! Bare machines as a provider.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    BundleSource, Change, ClusterIdentity, ErrorClass, Finding, KindObservation, Outcome, Provider,
    ProviderError, ResourceKey, StepContext,
};

use crate::hosts::{HOSTS_AT_ONCE, Hosts};
use crate::preflight::HostNeeds;
use crate::{bundle, duration, machine, preflight};

/// Claims hosts, and carries bundles to them.
pub struct SshProvider {
    hosts: Arc<Hosts>,
    bundles: Arc<dyn BundleSource>,
    host_needs: HostNeeds,
}

impl SshProvider {
    /// The provider of `hosts`, which others may share, with bundles from `bundles`.
    pub fn new(hosts: Arc<Hosts>, bundles: Arc<dyn BundleSource>) -> Self {
        Self {
            hosts,
            bundles,
            host_needs: HostNeeds::default(),
        }
    }

    /// The same, whose preflight looks for what the cluster needs besides.
    #[must_use]
    pub fn with_host_needs(self, host_needs: HostNeeds) -> Self {
        Self { host_needs, ..self }
    }

    /// The hosts.
    pub fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }
}

fn not_ours(kind: Kind) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, format!("bare machines have no {kind}"))
}

#[async_trait]
impl Provider for SshProvider {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Machine, Kind::NodeBundle]
    }

    fn concurrency_limit(&self) -> usize {
        HOSTS_AT_ONCE
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        duration::typical(change)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        match kind {
            Kind::Machine => Ok(machine::observe(&self.hosts, cluster, wanted).await),
            Kind::NodeBundle => Ok(bundle::observe(&self.hosts, &*self.bundles, cluster, wanted).await),
            other => Err(not_ours(other)),
        }
    }

    async fn preflight(&self, cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        preflight::findings(&self.hosts, &*self.bundles, cluster, changes, &self.host_needs).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let done = match change.key.kind() {
            Kind::Machine => machine::carry_out(&self.hosts, context, change).await,
            Kind::NodeBundle => bundle::carry_out(&self.hosts, &*self.bundles, context, change).await,
            other => Err(Outcome::Rejected(not_ours(other))),
        };
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
