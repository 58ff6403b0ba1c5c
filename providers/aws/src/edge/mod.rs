//! A cluster's edge: the load balancer before its API servers, who stands behind it, and the name that leads to it.
//!
//! | module | looks after |
//! |---|---|
//! | `load_balancer` | network load balancers; `forwarding` is their listener and target group, `name` their names |
//! | `load_balancer_target` | instances that are registered in a target group |
//! | `dns_record` | aliases in a zone; `ownership` says whose a name is, `zone` which zone it is, `joined` who sees it |
//! | `look` | what there is of load balancers and targets |
//! | `step` | what every change needs |
//!
//! **Nothing is remembered**, as with [places](crate::places). Load balancers and target groups are found by their
//! [mark](keelson_aws_calls::mark), targets by the mark of their instance, names by a text beside them.

mod dns_record;
mod forwarding;
mod joined;
mod load_balancer;
mod load_balancer_target;
mod look;
mod name;
mod ownership;
mod step;
mod zone;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, Kind, KindObservation, Outcome, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use self::look::Look;
use self::step::EdgeStep;
use crate::looks::Looks;
use crate::marked::observation;
use crate::step::Step;

pub(crate) use ownership::text_name;
pub use zone::{EdgeZone, PrivateZone};

/// Route 53 answers five calls a second of an account, and targets ask every three seconds how they are
/// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests>).
const CHANGES_AT_ONCE: usize = 8;

/// Load balancers, their targets and the names of clusters in one region.
pub struct EdgeProvider {
    calls: AwsCalls,
    zone: Option<EdgeZone>,
    clock: Arc<dyn Clock>,
    looks: Looks<Look>,
}

impl EdgeProvider {
    /// The edge in the region that `calls` are to, with names in `zone` where there is one.
    pub fn new(calls: &AwsCalls, zone: Option<EdgeZone>, clock: Arc<dyn Clock>) -> Self {
        Self {
            calls: calls.clone(),
            zone,
            clock,
            looks: Looks::default(),
        }
    }

    async fn change(&self, edge: &EdgeStep<'_>, change: &Change) -> Result<(), Outcome> {
        let key = &change.key;
        match &change.action {
            Action::Delete { existing } => match &existing.resource {
                Resource::LoadBalancer(_) => load_balancer::delete(edge, key).await,
                Resource::LoadBalancerTarget(target) => {
                    load_balancer_target::delete(edge, key, target, &existing.id).await
                }
                Resource::DnsRecord(record) => dns_record::delete(edge, key, record).await,
                other => Err(Outcome::Rejected(not_ours(other.kind()))),
            },
            // What was begun and not ended is brought to the same end by both.
            Action::Create { resource, .. } | Action::Update { resource, .. } => match &**resource {
                Resource::LoadBalancer(balancer) => load_balancer::bring(edge, key, balancer).await,
                Resource::LoadBalancerTarget(target) => load_balancer_target::bring(edge, key, target).await,
                Resource::DnsRecord(record) => dns_record::bring(edge, key, record).await,
                other => Err(Outcome::Rejected(not_ours(other.kind()))),
            },
        }
    }
}

fn not_ours(kind: Kind) -> ProviderError {
    ProviderError::new(
        ErrorClass::Permanent,
        format!("a {kind} is not at the edge of AWS"),
    )
}

#[async_trait]
impl Provider for EdgeProvider {
    fn name(&self) -> &'static str {
        "aws-edge"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::LoadBalancer, Kind::DnsRecord, Kind::LoadBalancerTarget]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// As the simulated world has them, which says where each was measured.
    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (change.key.kind(), change.is_removal()) {
            (Kind::LoadBalancer, false) => 150,
            (Kind::DnsRecord, false) | (Kind::LoadBalancerTarget, true) => 35,
            (Kind::LoadBalancerTarget, false) => 120,
            _ => 4,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let look = match &cluster.uid {
            Some(uid) => {
                let look = Look::at(&self.calls, uid);
                self.looks.newest(&*self.clock, uid, look).await?
            }
            // Before its first apply a cluster has nothing; names may be others'.
            None => Arc::default(),
        };
        match (kind, &self.zone) {
            (Kind::LoadBalancer, _) => Ok(observation(cluster, kind, load_balancer::seen(&look))),
            (Kind::LoadBalancerTarget, _) => Ok(load_balancer_target::seen(cluster, &look)),
            (Kind::DnsRecord, None) => Ok(KindObservation::default()),
            (Kind::DnsRecord, Some(zone)) => {
                dns_record::seen(&self.calls, zone, cluster, &look, wanted).await
            }
            (other, _) => Err(not_ours(other)),
        }
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let edge = EdgeStep {
            step: Step::of(&self.calls.ec2, &*self.clock, context, change),
            calls: &self.calls,
            zone: self.zone.as_ref(),
        };
        self.looks.forget();
        let done = Box::pin(self.change(&edge, change)).await;
        self.looks.forget();
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
