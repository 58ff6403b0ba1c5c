//! What is kept while machines come and go: what they may do, their etcd data, their addresses.
//!
//! | module | looks after |
//! |---|---|
//! | `role` | roles of IAM with their instance profiles; `role_parts` says what there is of one, `role_name` what it is called |
//! | `volume` | volumes |
//! | `network_interface` | network interfaces with their addresses; `holder` says who has one that is taken |
//!
//! What a cluster owns is found as places are ([`places`](crate::places)): by its mark, and roles by their path as well, since
//! IAM lists nothing by tags.

pub(crate) mod holder;
mod network_interface;
mod role;
mod role_name;
mod role_parts;
mod volume;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::Ec2;
use keelson_aws_calls::iam::Iam;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, Kind, KindObservation, Outcome, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use self::role::Roles;
use crate::marked::observation;
use crate::step::Step;

pub(crate) use holder::owner;
pub use role_name::instance_profile_name;
pub(crate) use role_name::{existing_profile, role_name_pattern};
pub(crate) use role_parts::ec2_service;

/// EC2 lets 100 changes of volumes and of interfaces through in a burst, and then 5 a second
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>); IAM says no numbers, and there are few roles.
const CHANGES_AT_ONCE: usize = 16;

/// Roles, volumes and network interfaces of clusters in one region.
pub struct KeptProvider {
    ec2: Ec2,
    iam: Iam,
    region: String,
    clock: Arc<dyn Clock>,
}

impl KeptProvider {
    /// What is kept in `region`, which is the one that `calls` are to.
    pub fn new(calls: &AwsCalls, region: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ec2: calls.ec2.clone(),
            iam: calls.iam.clone(),
            region: region.into(),
            clock,
        }
    }

    fn roles(&self) -> Roles<'_> {
        Roles {
            iam: &self.iam,
            region: &self.region,
        }
    }

    /// What was begun and not ended is brought to the same end by a create and an update.
    async fn bring(&self, step: &Step<'_>, key: &ResourceKey, resource: &Resource) -> Result<(), Outcome> {
        match resource {
            Resource::Role(role) => self.roles().bring(step, key, role).await,
            Resource::Volume(volume) => volume::bring(step, key, volume).await,
            Resource::NetworkInterface(interface) => network_interface::bring(step, key, interface).await,
            other => Err(Outcome::Rejected(not_kept(other.kind()))),
        }
    }

    async fn delete(&self, step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
        match key.kind() {
            Kind::Role => self.roles().delete(step, key).await,
            Kind::Volume => volume::delete(step, key).await,
            Kind::NetworkInterface => network_interface::delete(step, key).await,
            other => Err(Outcome::Rejected(not_kept(other))),
        }
    }
}

fn not_kept(kind: Kind) -> ProviderError {
    let problem = format!("a {kind} is nothing that AWS keeps for machines");
    ProviderError::new(ErrorClass::Permanent, problem)
}

#[async_trait]
impl Provider for KeptProvider {
    fn name(&self) -> &'static str {
        "aws-kept"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Role, Kind::Volume, Kind::NetworkInterface]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// A role is six calls, a volume is available after a few seconds; what is deleted has been let go of by then.
    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match change.key.kind() {
            Kind::Role | Kind::Volume => 5,
            _ => 2,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        _wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let Some(uid) = &cluster.uid else {
            // Names of roles are made from the uid, and addresses are their subnet's, of which there is none yet.
            return Ok(KindObservation::default());
        };
        let seen = match kind {
            Kind::Role => self.roles().seen(uid).await,
            Kind::Volume => volume::seen(&self.ec2, uid).await,
            Kind::NetworkInterface => network_interface::seen(&self.ec2, uid).await,
            other => return Err(not_kept(other)),
        };
        let told = |error: keelson_aws_calls::CallError| {
            error.told(&format!("look at what there is of the kind {kind}"))
        };
        Ok(observation(cluster, kind, seen.map_err(told)?))
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let step = Step::of(&self.ec2, &*self.clock, context, change);
        let done = match &change.action {
            Action::Delete { .. } => self.delete(&step, &change.key).await,
            Action::Create { resource, .. } | Action::Update { resource, .. } => {
                self.bring(&step, &change.key, resource).await
            }
        };
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
