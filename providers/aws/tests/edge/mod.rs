//! Load balancers, their targets and names, on the emulator of AWS: made, seen, changed, and taken away whole.

mod ground;
mod health;
mod life;
mod others;
mod private;
mod trouble;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_provider_api::clock::{BoxFuture, SystemClock};
use keelson_provider_api::kinds::{DnsRecord, LoadBalancer, LoadBalancerTarget};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, Existing, Kind, Observation, Observed, Outcome, Provider,
    Resource, ResourceKey,
};
use keelson_provider_aws::{EdgeProvider, EdgeZone};
use keelson_test_hosts::Moto;

pub(crate) use ground::{make_public_zone, start};

use crate::places::{Wanted, change, cluster, create, delete, key};
use crate::scene::{self, ANYBODY, REGION};

const KINDS: [Kind; 3] = [Kind::LoadBalancer, Kind::DnsRecord, Kind::LoadBalancerTarget];
const ZONE: &str = "example.com";
const NAME: &str = "api.foo.example.com";
/// The lives of clusters that tests have.
const LIVES: [&str; 3] = ["one", "one more", "two"];

/// Time that goes by while somebody waits, three hundred times as fast as it should.
struct QuickClock {
    waited_millis: AtomicU64,
    /// How many times as long each wait is as it was to be.
    haste: AtomicU64,
}

impl QuickClock {
    fn start() -> Arc<Self> {
        Arc::new(Self {
            waited_millis: AtomicU64::new(0),
            haste: AtomicU64::new(1),
        })
    }
}

impl Clock for QuickClock {
    fn now(&self) -> Timestamp {
        let waited = Duration::from_millis(self.waited_millis.load(Ordering::SeqCst));
        SystemClock.now().checked_add(waited).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let millis = u64::try_from(duration.as_millis()).unwrap() * self.haste.load(Ordering::SeqCst);
        self.waited_millis.fetch_add(millis, Ordering::SeqCst);
        SystemClock.sleep(duration / 300)
    }
}

/// An emulator, and the edge of one cluster in it.
struct Scene {
    moto: Moto,
    calls: AwsCalls,
    clock: Arc<QuickClock>,
    edge: EdgeProvider,
    cluster: ClusterIdentity,
    zone: String,
}

impl Scene {
    async fn start_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let calls = scene::calls_of(&moto, ANYBODY, 20);
        let cluster = cluster("one");
        ground::lay(&calls, &cluster).await;
        make_public_zone(moto.address, ZONE, "a test");
        let zone = calls.dns.public_zones(ZONE).await.unwrap().remove(0).id;
        let clock = QuickClock::start();
        Some(Self {
            edge: edge(&calls, ZONE, &clock),
            clock,
            moto,
            calls,
            cluster,
            zone,
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
        scene::writes(&self.moto, &["Describe", "List", "Get"])
    }

    /// A new look: one that was taken before hands changed something is no longer good.
    async fn look(&self) -> Observation {
        self.clock.sleep(Duration::from_secs(6)).await;
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        let wanted: BTreeSet<ResourceKey> = wanted().into_iter().map(|(key, _)| key).collect();
        for kind in KINDS {
            let seen = self.edge.observe(&self.cluster, kind, &wanted).await;
            observation.record(kind, seen.unwrap());
        }
        observation
    }

    async fn existing(&self, key: &ResourceKey) -> Option<Existing> {
        match self.look().await.get(key) {
            Observed::Present(existing) => Some(existing.clone()),
            _ => None,
        }
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.edge.carry_out(&scene::context(&self.cluster), change).await
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(&self.edge, &self.cluster, change).await;
    }

    async fn make(&self, wanted: &Wanted) {
        for (key, resource) in wanted {
            self.carry_out(&create(key, resource, 0)).await;
        }
    }

    /// Makes what is not there, and changes what is otherwise, as a plan would; says what that was.
    async fn mend(&self, wanted: &Wanted) -> Vec<String> {
        let observation = self.look().await;
        let mut mended = Vec::new();
        for (key, resource) in wanted {
            let mend = match observation.present(key) {
                None => create(key, resource, 0),
                Some(existing) if existing.resource == *resource => continue,
                Some(existing) => {
                    let update = Action::Update {
                        id: existing.id.clone(),
                        resource: Box::new(resource.clone()),
                        differences: existing.resource.differences(resource),
                    };
                    change(key, update)
                }
            };
            self.carry_out(&mend).await;
            mended.push(mend.to_string());
        }
        mended
    }

    /// Takes everything away that is seen, in the order of a destroy: targets go with their machines, or before them.
    async fn take_away(&self) {
        let observation = self.look().await;
        let mut owned: Vec<_> = observation.owned().collect();
        owned.reverse();
        for (key, existing) in owned {
            self.carry_out(&delete(key, existing)).await;
        }
    }

    /// All that tests could have made: load balancers with what belongs to them, and the zone's records.
    async fn everything(&self) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for life in LIVES {
            let owned = self.calls.elb.owned(life).await.unwrap();
            for balancer in owned.load_balancers {
                for listener in self.calls.elb.listeners(&balancer.arn).await.unwrap() {
                    all.insert(format!("{listener:?}"));
                }
                all.insert(format!("{balancer:?}"));
            }
            for group in owned.target_groups {
                for target in self.calls.elb.target_health(&group.arn).await.unwrap() {
                    all.insert(format!("{} {target:?}", group.arn));
                }
                all.insert(format!("{group:?}"));
            }
        }
        let records = self.calls.dns.records(&self.zone).await.unwrap();
        all.extend(records.iter().map(|record| format!("{record:?}")));
        let seen_by = self.calls.dns.zone_vpcs(&self.zone).await.unwrap();
        all.extend(seen_by.iter().map(|vpc| format!("{vpc:?}")));
        all
    }
}

fn edge(calls: &AwsCalls, zone: &str, clock: &Arc<QuickClock>) -> EdgeProvider {
    let zone = EdgeZone::Public(zone.to_owned());
    EdgeProvider::new(calls, Some(zone), clock.clone())
}

/// What the cluster has, without the ids.
fn seen(observation: &Observation) -> Wanted {
    let owned = observation.owned();
    owned
        .map(|(key, existing)| (key.clone(), existing.resource.clone()))
        .collect()
}

fn balancer_key() -> ResourceKey {
    key(Kind::LoadBalancer, "api")
}

fn name_key() -> ResourceKey {
    key(Kind::DnsRecord, NAME)
}

fn balancer() -> LoadBalancer {
    LoadBalancer {
        network: "main".to_owned(),
        subnets: vec!["a-public".to_owned(), "b-public".to_owned()],
        port: 6443,
        public: true,
        allowed_cidrs: Vec::new(),
        firewall: Some("api".to_owned()),
    }
}

/// A load balancer with a name and two machines behind it.
fn wanted() -> Wanted {
    let name = DnsRecord {
        zone: ZONE.to_owned(),
        target: balancer_key(),
        ttl_seconds: 60,
    };
    let target = |machine: &str| {
        let target = LoadBalancerTarget {
            load_balancer: "api".to_owned(),
            machine: machine.to_owned(),
        };
        (key(Kind::LoadBalancerTarget, machine), target.into())
    };
    vec![
        (balancer_key(), balancer().into()),
        (name_key(), name.into()),
        target("cp-a"),
        target("cp-b"),
    ]
}
