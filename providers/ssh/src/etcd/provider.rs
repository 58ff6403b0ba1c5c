//! The provider: which change goes where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::etcd::INSTANCES;
use keelson_provider_api::kinds::{EtcdMember, MemberStart};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, EtcdInstance, Kind, KindObservation, Outcome, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use super::reach::Reach;
use super::step::{Step, permanent};
use super::survey::survey;
use super::{found, join, observe, remove, upgrade_snapshots};

/// Founders wait for each other, so at least as many changes have to be possible at once as a cluster has members.
const CONCURRENCY: usize = 16;

/// Members and snapshots of etcd on bare machines.
#[derive(Clone)]
pub struct EtcdProvider {
    pub(super) reach: Arc<dyn Reach>,
    pub(super) clock: Arc<dyn Clock>,
}

impl EtcdProvider {
    /// The provider for the machines within `reach`.
    pub fn new(reach: Arc<dyn Reach>, clock: Arc<dyn Clock>) -> Self {
        Self { reach, clock }
    }

    /// Something that is done to the members of `instance` in the name of `context`.
    pub(super) fn step<'a>(
        &'a self,
        context: &'a StepContext<'a>,
        instance: &'static EtcdInstance,
    ) -> Result<Step<'a>, ProviderError> {
        Step::new(self.reach.as_ref(), self.clock.as_ref(), context, instance)
    }

    /// Carries `change` of the etcd cluster of that name out.
    async fn change(&self, context: &StepContext<'_>, change: &Change, cluster: &str) -> Outcome {
        let instance = EtcdInstance::of_cluster(cluster)
            .ok_or_else(|| permanent(format!("there is no etcd cluster `{}`", cluster.escape_debug())));
        let step = instance.and_then(|instance| self.step(context, instance));
        let step = match step {
            Ok(step) => step,
            Err(error) => return Outcome::Rejected(error),
        };
        let name = change.key.name();
        let result = match (&change.action, change.resource()) {
            (Action::Create { generation, .. }, Resource::EtcdMember(member)) => {
                bring_in(&step, member, *generation).await
            }
            // What was begun before goes on from where it is.
            (Action::Update { .. }, Resource::EtcdMember(member)) => bring_in(&step, member, 0).await,
            (Action::Delete { existing }, Resource::EtcdMember(member)) => {
                remove::remove(&step, member, existing).await
            }
            (Action::Create { generation, .. }, Resource::EtcdSnapshot(wanted)) => {
                upgrade_snapshots::take(&step, name, wanted, *generation).await
            }
            (Action::Delete { existing }, Resource::EtcdSnapshot(_)) => {
                upgrade_snapshots::forget(&step, name, &existing.owner).await
            }
            // Nothing of a snapshot can change.
            (Action::Update { .. }, _) => Ok(()),
            (_, other) => Err(not_of_etcd(other.kind())),
        };
        step.outcome(result)
    }
}

fn not_of_etcd(kind: Kind) -> ProviderError {
    permanent(format!("{kind} is not a kind of etcd's"))
}

async fn bring_in(step: &Step<'_>, member: &EtcdMember, generation: u32) -> Result<(), ProviderError> {
    match member.start {
        MemberStart::Initial => found::found(step, member, generation).await,
        MemberStart::Join => join::join(step, member, generation).await,
    }
}

#[async_trait]
impl Provider for EtcdProvider {
    fn name(&self) -> &'static str {
        "ssh-etcd"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::EtcdMember, Kind::EtcdSnapshot]
    }

    fn concurrency_limit(&self) -> usize {
        CONCURRENCY
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (&change.action, change.resource()) {
            (Action::Delete { .. }, Resource::EtcdMember(_)) => 4,
            // etcd lets a member join only when all others have been connected for five seconds.
            (_, Resource::EtcdMember(member)) if member.start == MemberStart::Join => 9,
            (_, Resource::EtcdMember(_)) => 4,
            _ => 2,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let reach = self.reach.as_ref();
        match kind {
            Kind::EtcdMember => {
                let surveys = survey(
                    reach,
                    cluster.uid.as_ref(),
                    &INSTANCES,
                    reach.machines(),
                    Duration::ZERO,
                )
                .await;
                let mut all = KindObservation::default();
                for survey in &surveys {
                    all.found
                        .extend(observe::observe(survey, wanted, self.clock.now()).found);
                }
                Ok(all)
            }
            Kind::EtcdSnapshot => {
                let listed = upgrade_snapshots::list(reach).await;
                Ok(upgrade_snapshots::observe(cluster.uid.as_ref(), &listed, wanted))
            }
            other => Err(not_of_etcd(other)),
        }
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        match change.resource() {
            Resource::EtcdMember(member) => self.change(context, change, &member.cluster).await,
            Resource::EtcdSnapshot(snapshot) => self.change(context, change, &snapshot.cluster).await,
            other => Outcome::Rejected(not_of_etcd(other.kind())),
        }
    }
}
