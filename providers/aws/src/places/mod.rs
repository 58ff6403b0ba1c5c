//! The places that machines stand in: network, subnets, ways out, firewalls.
//!
//! | module | looks after |
//! |---|---|
//! | `network` | a VPC with its gateway to the internet |
//! | `subnet` | subnets |
//! | `nat_gateway` | NAT gateways with their public addresses |
//! | `way_out` | route tables |
//! | `firewall` | security groups; `rules` says what they let in |
//! | `look` | what there is of all of these |
//!
//! **Nothing is remembered.** What a cluster owns is found by its [mark](keelson_aws_calls::mark), which is part of every create
//! call. Whoever creates looks first, by the same mark, and goes on with what a run that was ended has left; whoever deletes
//! takes everything with that mark.

mod firewall;
mod look;
mod nat_gateway;
mod network;
mod rules;
mod subnet;
mod way_out;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::Ec2;
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, Kind, KindObservation, Outcome, Provider,
    ProviderError, Resource, ResourceKey, StepContext,
};

use self::look::Look;
use crate::looks::Looks;
use crate::marked::observation;
use crate::step::Step;

pub(crate) use subnet::PUBLIC as PUBLIC_SUBNET;

/// EC2 lets 20 to 100 changes of a kind through in a burst, and then 5 a second
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>).
const CHANGES_AT_ONCE: usize = 16;

/// Network, subnets, ways out and firewalls of clusters in one region.
pub struct PlacesProvider {
    ec2: Ec2,
    region: String,
    clock: Arc<dyn Clock>,
    looks: Looks<Look>,
}

impl PlacesProvider {
    /// The places in `region`, which is the one that `calls` are to.
    pub fn new(calls: &AwsCalls, region: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            ec2: calls.ec2.clone(),
            region: region.into(),
            clock,
            looks: Looks::default(),
        }
    }

    async fn change(&self, step: &Step<'_>, change: &Change) -> Result<(), Outcome> {
        let key = &change.key;
        match &change.action {
            Action::Delete { .. } => match key.kind() {
                Kind::Network => network::delete(step, key).await,
                Kind::Subnet => subnet::delete(step, key).await,
                Kind::NatGateway => nat_gateway::delete(step, key).await,
                Kind::WayOut => way_out::delete(step, key).await,
                Kind::Firewall => firewall::delete(step, key).await,
                other => Err(not_ours(other)),
            },
            // What was begun and not ended is brought to the same end by both.
            Action::Create { resource, .. } | Action::Update { resource, .. } => match &**resource {
                Resource::Network(network) => network::bring(step, key, network).await,
                Resource::Subnet(subnet) => subnet::bring(step, key, subnet).await,
                Resource::NatGateway(gateway) => nat_gateway::bring(step, key, gateway).await,
                Resource::WayOut(way) => way_out::bring(step, key, way).await,
                Resource::Firewall(firewall) => firewall::bring(step, key, firewall).await,
                other => Err(not_ours(other.kind())),
            },
        }
    }
}

fn not_ours(kind: Kind) -> Outcome {
    let problem = format!("a {kind} is no place of AWS");
    Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, problem))
}

#[async_trait]
impl Provider for PlacesProvider {
    fn name(&self) -> &'static str {
        "aws-places"
    }

    fn kinds(&self) -> &[Kind] {
        &[
            Kind::Network,
            Kind::Subnet,
            Kind::Firewall,
            Kind::NatGateway,
            Kind::WayOut,
        ]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// Measured by others for AWS: gateways take one to three minutes to come and to go, everything else a few calls
    /// (<https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html>).
    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (change.key.kind(), change.is_removal()) {
            (Kind::NatGateway, false) => 110,
            (Kind::NatGateway, true) => 60,
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
            // Names of places are nobody's but their network's, so nobody can hold one before there is a network.
            return Ok(KindObservation::default());
        };
        let look = self
            .looks
            .newest(&*self.clock, uid, Look::at(&self.ec2, uid))
            .await?;
        let seen = match kind {
            Kind::Network => network::seen(&look, &self.region),
            Kind::Subnet => subnet::seen(&look),
            Kind::NatGateway => nat_gateway::seen(&look),
            Kind::WayOut => way_out::seen(&look),
            Kind::Firewall => firewall::seen(&look),
            other => {
                let problem = format!("a {other} is no place of AWS");
                return Err(ProviderError::new(ErrorClass::Permanent, problem));
            }
        };
        Ok(observation(cluster, kind, seen))
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let step = Step::of(&self.ec2, &*self.clock, context, change);
        self.looks.forget();
        let done = self.change(&step, change).await;
        self.looks.forget();
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
