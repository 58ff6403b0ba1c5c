//! The provider: which change goes where.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ErrorClass, Finding, KindObservation, Outcome, Owner, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use super::{observe, preflight, start, virtual_address, wipe};
use crate::fence::run_fenced;
use crate::hosts::{HOSTS_AT_ONCE, Hosts};

/// Control planes, and the address that moves between them, on bare machines. It also is the way to their API servers
/// ([`ReachApi`](keelson_provider_api::ReachApi)) and their kubelets ([`Kubelets`](keelson_provider_api::Kubelets)).
pub struct ControlPlaneProvider {
    hosts: Arc<Hosts>,
    /// The machine whose API server answered last.
    pub(super) last_reached: Mutex<Option<String>>,
}

impl ControlPlaneProvider {
    /// The provider of `hosts`, which others may share.
    pub fn new(hosts: Arc<Hosts>) -> Self {
        Self {
            hosts,
            last_reached: Mutex::new(None),
        }
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    async fn change(&self, context: &StepContext<'_>, change: &Change) -> Result<(), Outcome> {
        let hosts = &*self.hosts;
        let name = change.key.name();
        match (&change.action, change.resource()) {
            (Action::Create { generation, .. }, Resource::ControlPlane(wanted)) => {
                start::make(hosts, context, wanted, *generation).await
            }
            (Action::Update { .. }, Resource::ControlPlane(wanted)) => {
                start::change(hosts, context, wanted).await
            }
            (Action::Create { generation, .. }, Resource::VirtualAddress(wanted)) => {
                virtual_address::make(hosts, context, name, wanted, *generation).await
            }
            (Action::Update { .. }, Resource::VirtualAddress(wanted)) => {
                virtual_address::make(hosts, context, name, wanted, 0).await
            }
            (Action::Delete { existing }, resource) => {
                if existing.owner != Owner::ThisCluster {
                    let problem = format!("{} is not this cluster's", change.key);
                    return Err(Outcome::Rejected(ProviderError::new(
                        ErrorClass::Permanent,
                        problem,
                    )));
                }
                match resource {
                    Resource::ControlPlane(control_plane) => {
                        let shell = hosts.need(&control_plane.machine).map_err(Outcome::Rejected)?;
                        let job = wipe::job_of("end the control plane", wipe::END, wipe::LEAVE_TIMEOUT);
                        run_fenced(&*shell, context, job).await.map(drop)
                    }
                    Resource::VirtualAddress(_) => virtual_address::end(hosts, context).await,
                    other => Err(not_ours(other.kind())),
                }
            }
            (_, other) => Err(not_ours(other.kind())),
        }
    }
}

fn not_ours(kind: Kind) -> Outcome {
    Outcome::Rejected(ProviderError::new(
        ErrorClass::Permanent,
        format!("{kind} is not looked after by control planes"),
    ))
}

#[async_trait]
impl Provider for ControlPlaneProvider {
    fn name(&self) -> &'static str {
        "ssh-control-plane"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::ControlPlane, Kind::VirtualAddress]
    }

    fn concurrency_limit(&self) -> usize {
        HOSTS_AT_ONCE
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (&change.action, change.key.kind()) {
            (Action::Delete { .. }, Kind::ControlPlane) => 5,
            (Action::Delete { .. }, _) => 2,
            (Action::Create { .. }, Kind::ControlPlane) => 15,
            (Action::Update { .. }, Kind::ControlPlane) => 10,
            (Action::Create { .. } | Action::Update { .. }, _) => 5,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        match kind {
            Kind::ControlPlane => Ok(observe::observe(&self.hosts, cluster, wanted).await),
            Kind::VirtualAddress => Ok(virtual_address::observe(&self.hosts, cluster, wanted).await),
            other => Err(ProviderError::new(
                ErrorClass::Permanent,
                format!("{other} is not looked after by control planes"),
            )),
        }
    }

    async fn preflight(&self, _cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        preflight::findings(&self.hosts, changes).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let done = self.change(context, change).await;
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
