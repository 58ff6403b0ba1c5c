//! Networks, subnets, ways out and firewalls, on the emulator of AWS: made, seen, changed, and taken away whole.

mod life;
mod trouble;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Ec2, Filters};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::{
    Firewall, FirewallRule, NatGateway, Network, Protocol, Subnet, Through, WayOut,
};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ClusterUid, Disruption, Existing, Kind, Observation, Outcome, Provider,
    Resource, ResourceKey,
};
use keelson_provider_aws::PlacesProvider;
use keelson_test_hosts::Moto;

use crate::scene::{self, ANYBODY, REGION};

const KINDS: [Kind; 5] = [
    Kind::Network,
    Kind::Subnet,
    Kind::Firewall,
    Kind::NatGateway,
    Kind::WayOut,
];

pub(crate) type Wanted = Vec<(ResourceKey, Resource)>;

/// An emulator, and the places of one cluster in it.
struct Scene {
    moto: Moto,
    calls: AwsCalls,
    ec2: Ec2,
    places: PlacesProvider,
    cluster: ClusterIdentity,
}

impl Scene {
    fn start_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let calls = scene::calls_of(&moto, ANYBODY, 20);
        Some(Self {
            moto,
            places: PlacesProvider::new(&calls, REGION, Arc::new(SystemClock)),
            ec2: calls.ec2.clone(),
            calls,
            cluster: cluster("one"),
        })
    }

    fn tell(&self, path: &str, given: &str) {
        self.moto.tell("POST", path, given).unwrap();
    }

    fn no_more_trouble(&self) {
        self.moto.tell("DELETE", "faults", "").unwrap();
    }

    /// How many calls the emulator has had that change something.
    fn writes(&self) -> usize {
        scene::writes(&self.moto, &["Describe"])
    }

    async fn look(&self) -> Observation {
        let mut observation = Observation::new(jiff::Timestamp::UNIX_EPOCH);
        for kind in KINDS {
            let seen = self.places.observe(&self.cluster, kind, &BTreeSet::new()).await;
            observation.record(kind, seen.unwrap());
        }
        observation
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.places
            .carry_out(&scene::context(&self.cluster), change)
            .await
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(&self.places, &self.cluster, change).await;
    }

    /// Makes all of `wanted`, firewalls together, since they let in each other.
    async fn make(&self, wanted: &Wanted, generation: u32) {
        let changes = wanted
            .iter()
            .map(|(key, resource)| create(key, resource, generation));
        let (firewalls, others): (Vec<_>, Vec<_>) =
            changes.partition(|change| change.key.kind() == Kind::Firewall);
        for change in &others {
            self.carry_out(change).await;
        }
        let all = firewalls.iter().map(|change| self.carry_out(change));
        futures(all).await;
    }

    /// Takes everything away that is seen, in the order of a destroy.
    async fn take_away(&self) {
        let observation = self.look().await;
        let mut owned: Vec<_> = observation.owned().collect();
        owned.reverse();
        let (firewalls, others): (Vec<_>, Vec<_>) = owned
            .into_iter()
            .partition(|(key, _)| key.kind() == Kind::Firewall);
        let firewalls: Vec<_> = firewalls
            .iter()
            .map(|(key, existing)| delete(key, existing))
            .collect();
        futures(firewalls.iter().map(|change| self.carry_out(change))).await;
        for (key, existing) in others {
            self.carry_out(&delete(key, existing)).await;
        }
    }

    /// The ids of everything in the region that tests could have made.
    async fn everything(&self) -> BTreeSet<String> {
        let all = &Filters::default();
        let ec2 = &self.ec2;
        let ids = [
            ids(ec2.list_vpcs(all).await.unwrap(), |vpc| vpc.id),
            ids(ec2.list_internet_gateways(all).await.unwrap(), |gateway| {
                gateway.id
            }),
            ids(ec2.list_subnets(all).await.unwrap(), |subnet| subnet.id),
            ids(ec2.list_nat_gateways(all).await.unwrap(), |gateway| gateway.id),
            ids(ec2.list_addresses(all).await.unwrap(), |address| address.id),
            ids(ec2.list_route_tables(all).await.unwrap(), |table| table.id),
            ids(ec2.list_security_groups(all).await.unwrap(), |group| group.id),
        ];
        ids.into_iter().flatten().collect()
    }
}

pub(crate) fn ids<T>(list: Vec<T>, id: impl Fn(T) -> String) -> Vec<String> {
    list.into_iter().map(id).collect()
}

/// Polls `all` together to their ends.
pub(crate) async fn futures<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

pub(crate) fn cluster(uid: &str) -> ClusterIdentity {
    ClusterIdentity {
        name: "foo".parse().unwrap(),
        uid: Some(ClusterUid::new(uid)),
    }
}

pub(crate) fn key(kind: Kind, name: &str) -> ResourceKey {
    ResourceKey::new(kind, name)
}

pub(crate) fn change(key: &ResourceKey, action: Action) -> Change {
    Change {
        key: key.clone(),
        action,
        reason: "a test wants it".to_owned(),
        disruption: Disruption::None,
        replacement: false,
    }
}

pub(crate) fn create(key: &ResourceKey, resource: &Resource, generation: u32) -> Change {
    let resource = Box::new(resource.clone());
    change(key, Action::Create { resource, generation })
}

pub(crate) fn delete(key: &ResourceKey, existing: &Existing) -> Change {
    let existing = Box::new(existing.clone());
    change(key, Action::Delete { existing })
}

/// A network with a zone that has a public and a private subnet, a way out of each, and two firewalls that let in each other.
pub(crate) fn wanted() -> Wanted {
    let network = Network {
        region: REGION.to_owned(),
        cidr: "10.20.0.0/16".parse().unwrap(),
        has_gateway: true,
    };
    let subnet = |cidr: &str, public| Subnet {
        network: "main".to_owned(),
        zone: "eu-west-1a".to_owned(),
        cidr: cidr.parse().unwrap(),
        public,
    };
    let way = |subnet: &str, through| WayOut {
        network: "main".to_owned(),
        subnets: vec![subnet.to_owned()],
        through,
    };
    let nat = NatGateway {
        subnet: "a-public".to_owned(),
    };
    vec![
        (key(Kind::Network, "main"), network.into()),
        (
            key(Kind::Subnet, "a-private"),
            subnet("10.20.0.0/20", false).into(),
        ),
        (
            key(Kind::Subnet, "a-public"),
            subnet("10.20.128.0/20", true).into(),
        ),
        (key(Kind::NatGateway, "a"), nat.into()),
        (
            key(Kind::WayOut, "a"),
            way("a-private", Through::NatGateway("a".to_owned())).into(),
        ),
        (
            key(Kind::WayOut, "internet"),
            way("a-public", Through::Internet).into(),
        ),
        (key(Kind::Firewall, "control-plane"), firewall(&["nodes"]).into()),
        (
            key(Kind::Firewall, "nodes"),
            firewall(&["control-plane", "nodes"]).into(),
        ),
    ]
}

fn firewall(sources: &[&str]) -> Firewall {
    let rule = |purpose: &str, protocol, ports, sources: &[&str]| FirewallRule {
        purpose: purpose.to_owned(),
        protocol,
        ports,
        sources: sources.iter().map(|&source| source.to_owned()).collect(),
    };
    Firewall {
        network: "main".to_owned(),
        rules: FirewallRule::in_order([
            rule("kubelet", Protocol::Tcp, (10250, 10250), sources),
            rule(
                "path MTU discovery",
                Protocol::Icmp,
                (0, 0),
                &["0.0.0.0/0", "::/0"],
            ),
            rule(
                "pods of other nodes",
                Protocol::Udp,
                (1, 65535),
                &["10.244.0.0/16"],
            ),
        ]),
    }
}
