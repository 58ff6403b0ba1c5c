//! What a cluster's controllers made, on the emulator of AWS: found by its tags, taken away whole, with nothing of others touched.

mod ground;
mod life;
mod others;
mod trouble;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::Filters;
use keelson_aws_calls::mark::mark;
use keelson_provider_api::kinds::{Leftover, LeftoverSort};
use keelson_provider_api::{
    Change, ClusterIdentity, ErrorClass, Existing, Kind, Observation, Outcome, Provider, ProviderError,
    Resource,
};
use keelson_provider_aws::LeftoversProvider;
use keelson_test_hosts::Moto;

use crate::kept::EmulatorClock;
use crate::places::{cluster, delete, ids, key};
use crate::scene::{self, ANYBODY};

pub(crate) use self::ground::make_all_for;

/// An emulator with a network of a cluster.
struct Scene {
    moto: Arc<Moto>,
    calls: AwsCalls,
    leftovers: LeftoversProvider,
    cluster: ClusterIdentity,
    vpc: String,
    subnet: String,
    /// The firewall of the cluster's nodes.
    nodes: String,
}

impl Scene {
    async fn start_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let moto = Arc::new(moto);
        Some(Self::of(moto.clone(), cluster("one"), None).await)
    }

    /// A cluster with a network of its own.
    async fn of(moto: Arc<Moto>, cluster: ClusterIdentity, existing: Option<String>) -> Self {
        let calls = scene::calls_of(&moto, ANYBODY, 20);
        let marked = |kind: Kind, name: &str| mark(&cluster, &key(kind, name), 0);
        let ec2 = &calls.ec2;
        let vpc = ec2
            .create_vpc("10.20.0.0/16", &marked(Kind::Network, "main"))
            .await
            .unwrap();
        let in_zone = marked(Kind::Subnet, "a-public");
        let subnet = ec2
            .create_subnet(&vpc, "eu-west-1a", "10.20.0.0/20", &in_zone)
            .await
            .unwrap();
        let firewall = marked(Kind::Firewall, "nodes");
        let nodes = ec2
            .create_security_group(&vpc, "nodes", "nodes", &firewall)
            .await
            .unwrap();
        let clock = Arc::new(EmulatorClock::of(moto.clone()));
        Self {
            leftovers: LeftoversProvider::new(&calls, existing, clock),
            moto,
            calls,
            cluster,
            vpc,
            subnet,
            nodes,
        }
    }

    async fn look(&self) -> Observation {
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        let seen = self
            .leftovers
            .observe(&self.cluster, Kind::Leftover, &BTreeSet::new())
            .await;
        observation.record(Kind::Leftover, seen.unwrap());
        observation
    }

    /// What is there of the cluster's, in words, in the order in which it can go.
    async fn seen(&self) -> Vec<String> {
        let observation = self.look().await;
        let seen = in_order(&observation);
        seen.into_iter()
            .map(|(leftover, _)| leftover.to_string())
            .collect()
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.leftovers
            .carry_out(&scene::context(&self.cluster), change)
            .await
    }

    /// Takes away all that is seen, in order.
    async fn take_away(&self) {
        let observation = self.look().await;
        for (_, change) in in_order(&observation) {
            scene::carry_out(&self.leftovers, &self.cluster, &change).await;
        }
    }

    /// The ids of everything that tests could have made.
    async fn everything(&self) -> BTreeSet<String> {
        let all = &Filters::default();
        let (ec2, elb) = (&self.calls.ec2, &self.calls.elb);
        let balanced = elb.tagged(|_| true).await.unwrap();
        let mut found = ids(balanced.load_balancers, |one| one.arn);
        found.extend(ids(balanced.target_groups, |one| one.arn));
        found.extend(ids(ec2.list_security_groups(all).await.unwrap(), |one| {
            format!("{} with {} rules", one.id, one.ingress.len())
        }));
        found.extend(ids(ec2.list_volumes(all).await.unwrap(), |one| one.id));
        found.extend(ids(ec2.list_snapshots(all).await.unwrap(), |one| one.id));
        found.into_iter().collect()
    }

    fn writes(&self) -> usize {
        scene::writes(&self.moto, &["Describe"])
    }
}

/// What is seen, with its delete, in the order in which it can go.
fn in_order(observation: &Observation) -> Vec<(Leftover, Change)> {
    let mut found: Vec<_> = observation
        .owned()
        .filter_map(|(key, existing)| Some((leftover(existing)?, delete(key, existing))))
        .collect();
    found.sort_by_key(|(leftover, change)| (leftover.sort, change.key.clone()));
    found
}

fn leftover(existing: &Existing) -> Option<Leftover> {
    match &existing.resource {
        Resource::Leftover(leftover) => Some(leftover.clone()),
        _ => None,
    }
}

/// The delete of the one thing of `sort` that is seen.
async fn delete_of(scene: &Scene, sort: LeftoverSort) -> Change {
    let observation = scene.look().await;
    let found = in_order(&observation)
        .into_iter()
        .find(|(leftover, _)| leftover.sort == sort);
    found.unwrap().1
}

/// What is said of a change that is refused for good.
fn refused_for_good(outcome: Outcome) -> ProviderError {
    match outcome {
        Outcome::Rejected(error) if error.class == ErrorClass::Permanent => error,
        other => unreachable!("{other:?}"),
    }
}
