//! The provider: which change goes where.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::{EtcdMember, MemberStart};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, Kind, KindObservation, Outcome, Provider, ProviderError,
    Resource, ResourceKey, StepContext,
};

use super::instance::{INSTANCES, Instance};
use super::reach::Reach;
use super::step::{Step, permanent};
use super::survey::survey;
use super::{found, join, observe, remove};

/// Founders wait for each other, so at least as many changes have to be possible at once as a cluster has members.
const CONCURRENCY: usize = 16;

/// Members and snapshots of etcd on bare machines.
#[derive(Clone)]
pub struct EtcdProvider {
    reach: Arc<dyn Reach>,
    clock: Arc<dyn Clock>,
}

impl EtcdProvider {
    /// The provider for the machines within `reach`.
    pub fn new(reach: Arc<dyn Reach>, clock: Arc<dyn Clock>) -> Self {
        Self { reach, clock }
    }

    async fn change_member(
        &self,
        context: &StepContext<'_>,
        change: &Change,
        member: &EtcdMember,
    ) -> Outcome {
        let instance = Instance::of_cluster(&member.cluster).ok_or_else(|| {
            permanent(format!(
                "there is no etcd cluster `{}`",
                member.cluster.escape_debug()
            ))
        });
        let step = instance
            .and_then(|instance| Step::new(self.reach.as_ref(), self.clock.as_ref(), context, instance));
        let step = match step {
            Ok(step) => step,
            Err(error) => return Outcome::Rejected(error),
        };
        let result = match &change.action {
            Action::Create { generation, .. } => bring_in(&step, member, *generation).await,
            // What was begun before goes on from where it is.
            Action::Update { .. } => bring_in(&step, member, 0).await,
            Action::Delete { existing } => remove::remove(&step, member, existing).await,
        };
        step.outcome(result)
    }
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
        &[Kind::EtcdMember]
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
                let instances: Vec<&'static Instance> = INSTANCES.iter().collect();
                let surveys = survey(reach, cluster.uid.as_ref(), &instances, reach.machines()).await;
                let mut all = KindObservation::default();
                for survey in &surveys {
                    all.found
                        .extend(observe::observe(survey, wanted, self.clock.now()).found);
                }
                Ok(all)
            }
            other => Err(permanent(format!("{other} is not a kind of etcd's"))),
        }
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        match change.resource() {
            Resource::EtcdMember(member) => self.change_member(context, change, member).await,
            other => Outcome::Rejected(permanent(format!("{} is not a kind of etcd's", other.kind()))),
        }
    }
}
