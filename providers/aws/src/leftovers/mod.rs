//! What the controllers of a cluster made by themselves: load balancers with their target groups and security groups, volumes and
//! snapshots. They are only ever found and deleted, at the cluster's end.
//!
//! | module | |
//! |---|---|
//! | `whose` | whose something is, by its tags and by where it is |
//! | `look` | what there is |
//! | `purpose` | what it was made for |
//! | `delete` | taking it away |
//!
//! Classic load balancers are of another API than those for networks and for HTTP, and are not found. What they have in a subnet
//! is named where that subnet cannot be deleted for them.

mod delete;
mod look;
mod purpose;
mod whose;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::Ec2;
use keelson_aws_calls::elb::Elb;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, Kind, KindObservation, Outcome, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use crate::step::Step;

pub(crate) use self::whose::{BALANCED, DRIVEN, cluster_tag};

/// Elastic Load Balancing lets 40 changes through in a burst and then 10 a second, EC2 more
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>).
const CHANGES_AT_ONCE: usize = 8;

/// What controllers of clusters in one region made.
pub struct LeftoversProvider {
    ec2: Ec2,
    elb: Elb,
    existing_network: Option<String>,
    clock: Arc<dyn Clock>,
}

impl LeftoversProvider {
    /// What is in the region that `calls` are to; `existing_network` is the id of the network that the cluster is in, where that
    /// was there before.
    pub fn new(calls: &AwsCalls, existing_network: Option<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ec2: calls.ec2.clone(),
            elb: calls.elb.clone(),
            existing_network,
            clock,
        }
    }
}

fn never_made(kind: Kind) -> ProviderError {
    let problem = format!("a {kind} is nothing that keelson makes or changes: the cluster's controllers do");
    ProviderError::new(ErrorClass::Permanent, problem)
}

#[async_trait]
impl Provider for LeftoversProvider {
    fn name(&self) -> &'static str {
        "aws-leftovers"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Leftover]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// A security group waits for the interfaces of its load balancer, which go in a minute or two.
    fn typical_duration(&self, _change: &Change) -> Duration {
        Duration::from_secs(20)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        _wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        if kind != Kind::Leftover {
            return Err(never_made(kind));
        }
        if cluster.uid.is_none() {
            // Nothing has run yet.
            return Ok(KindObservation::default());
        }
        let existing = self.existing_network.as_ref();
        let found = Box::pin(look::observation(&self.ec2, &self.elb, cluster, existing)).await;
        found.map_err(|error| error.told("look at what the cluster's controllers made"))
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let step = Step::of(&self.ec2, &*self.clock, context, change);
        let done = match &change.action {
            Action::Delete { existing } => match &existing.resource {
                Resource::Leftover(leftover) => {
                    let removal = delete::Removal::of(step, &self.elb, &change.key, &existing.id);
                    Box::pin(removal.carry_out(leftover.sort)).await
                }
                other => Err(Outcome::Rejected(never_made(other.kind()))),
            },
            Action::Create { .. } | Action::Update { .. } => {
                Err(Outcome::Rejected(never_made(change.key.kind())))
            }
        };
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
