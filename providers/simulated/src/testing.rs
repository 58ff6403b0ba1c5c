//! What tests share: a small cluster, and short ways to change it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_provider_api::kinds::{
    ControlPlane, EtcdMember, LoadBalancer, LoadBalancerTarget, Machine, MachineRole, MemberPhase,
    MemberStart, Network, Node, NodeBundle,
};
use keelson_provider_api::values::{Digest, Version};
use keelson_provider_api::{
    Action, BoxFuture, Change, Clock, ClusterIdentity, ClusterUid, Disruption, ErrorClass, Existing, Kind,
    Observed, Outcome, Progress, Provider, Resource, ResourceKey, StepContext,
};

use crate::{Like, SimulatedOptions, SimulatedProvider, SimulatedWorld};

/// A world with a cluster called `prod` in it.
pub(crate) struct Fixture {
    pub(crate) world: SimulatedWorld,
    pub(crate) context: StepContext<'static>,
}

pub(crate) fn identity(name: &str, uid: &str) -> ClusterIdentity {
    ClusterIdentity {
        name: name.parse().unwrap(),
        uid: Some(ClusterUid::new(uid)),
    }
}

/// A key and what is to be there.
pub(crate) type Keyed = (ResourceKey, Resource);

pub(crate) fn create((key, resource): Keyed) -> Change {
    let action = Action::Create {
        resource: Box::new(resource),
        generation: 0,
    };
    change(key, action, Disruption::None)
}

pub(crate) fn change(key: ResourceKey, action: Action, disruption: Disruption) -> Change {
    Change {
        key,
        action,
        reason: "a test".to_owned(),
        disruption,
        replacement: false,
    }
}

impl Fixture {
    pub(crate) fn like(like: Like) -> Self {
        Self::over(SimulatedWorld::in_memory(SimulatedOptions::new(like, 7)))
    }

    pub(crate) fn over(world: SimulatedWorld) -> Self {
        Self {
            world,
            context: StepContext {
                cluster: identity("prod", "one"),
                fencing_generation: 1,
                attempt: 0,
                progress: Progress::default(),
            },
        }
    }

    /// Three control planes with etcd, all at work.
    pub(crate) async fn with_three(like: Like) -> Self {
        let fixture = Self::like(like);
        if like == Like::Ssh {
            for name in ["a", "b", "c", "w"] {
                fixture.world.add_host(name, name).unwrap();
            }
        }
        fixture.done_all(["a", "b", "c"].map(Self::machine)).await;
        fixture
            .done_all(["a", "b", "c"].map(|name| Self::bundle(name, 36)))
            .await;
        fixture
            .done_all(["a", "b", "c"].map(|name| Self::member(name, MemberStart::Initial)))
            .await;
        fixture.done_all(["a", "b", "c"].map(Self::control_plane)).await;
        fixture
    }

    pub(crate) fn machine(name: &str) -> Keyed {
        let worker = name.starts_with('w');
        let roles = if worker {
            BTreeSet::from([MachineRole::Worker])
        } else {
            BTreeSet::from([MachineRole::ControlPlane, MachineRole::Etcd])
        };
        let machine = Machine {
            group: if worker { "workers" } else { "control-plane" }.to_owned(),
            roles,
            machine_type: None,
            image: None,
            root_volume: None,
            spot: false,
            zone: None,
            subnet: None,
            firewall: None,
            address: None,
            volume: None,
            network_interface: None,
            role: None,
        };
        (ResourceKey::new(Kind::Machine, name), machine.into())
    }

    pub(crate) fn bundle(name: &str, minor: u32) -> Keyed {
        let bundle = NodeBundle {
            authorities: None,
            altered_files: BTreeSet::new(),
            stopped_units: BTreeSet::new(),
            machine: name.to_owned(),
            kubernetes_version: Some(Version::new(1, minor, 2)),
            etcd_version: Some(Version::new(3, 6, 8)),
            settings: Digest::of_bytes(b""),
            certificates: None,
        };
        (ResourceKey::new(Kind::NodeBundle, name), bundle.into())
    }

    pub(crate) fn member(name: &str, start: MemberStart) -> Keyed {
        let member = EtcdMember {
            cluster: "main".to_owned(),
            machine: name.to_owned(),
            phase: MemberPhase::Voter,
            start,
            initial_members: ["a", "b", "c"].map(str::to_owned).to_vec(),
            running: true,
        };
        let key = ResourceKey::new(Kind::EtcdMember, EtcdMember::name("main", name));
        (key, member.into())
    }

    pub(crate) fn control_plane(name: &str) -> Keyed {
        let control_plane = ControlPlane {
            machine: name.to_owned(),
            endpoint: "api.prod.example.com".to_owned(),
        };
        (ResourceKey::new(Kind::ControlPlane, name), control_plane.into())
    }

    pub(crate) fn node(name: &str) -> Keyed {
        let node = Node {
            machine: name.to_owned(),
            group: "workers".to_owned(),
            labels: BTreeMap::default(),
            taints: Vec::new(),
        };
        (ResourceKey::new(Kind::Node, name), node.into())
    }

    pub(crate) fn network(name: &str) -> Keyed {
        let network = Network {
            region: "eu-west-1".to_owned(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            has_gateway: true,
        };
        (ResourceKey::new(Kind::Network, name), network.into())
    }

    pub(crate) fn load_balancer() -> Keyed {
        let balancer = LoadBalancer {
            subnets: Vec::new(),
            network: "main".to_owned(),
            port: 6443,
            public: true,
            allowed_cidrs: Vec::new(),
            firewall: None,
        };
        (ResourceKey::new(Kind::LoadBalancer, "api"), balancer.into())
    }

    pub(crate) fn target(machine: &str) -> Keyed {
        let target = LoadBalancerTarget {
            load_balancer: "api".to_owned(),
            machine: machine.to_owned(),
        };
        (ResourceKey::new(Kind::LoadBalancerTarget, machine), target.into())
    }

    fn provider(&self, kind: Kind) -> SimulatedProvider {
        let cloud = SimulatedProvider::cloud(&self.world, 8);
        if cloud.kinds().contains(&kind) {
            cloud
        } else {
            SimulatedProvider::hosts(&self.world, 8)
        }
    }

    pub(crate) async fn carry_out(&self, change: &Change) -> Outcome {
        self.carry_out_as(&self.context, change).await
    }

    pub(crate) async fn carry_out_as(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let mut outcome = None;
        let clock = self.world.clock();
        clock
            .drive(Box::pin(async {
                outcome = Some(self.provider(change.key.kind()).carry_out(context, change).await);
            }))
            .await;
        outcome.unwrap()
    }

    pub(crate) async fn done(&self, keyed: Keyed) {
        self.done_all([keyed]).await;
    }

    /// Creates all of them at the same time.
    pub(crate) async fn done_all(&self, all: impl IntoIterator<Item = Keyed>) {
        let changes: Vec<Change> = all.into_iter().map(create).collect();
        let clock = self.world.clock();
        clock
            .drive(Box::pin(async {
                let mut tasks = tokio::task::JoinSet::new();
                for change in changes.clone() {
                    let (provider, context) = (self.provider(change.key.kind()), self.context.clone());
                    tasks.spawn(async move { (provider.carry_out(&context, &change).await, change) });
                }
                while let Some(result) = tasks.join_next().await {
                    let (outcome, change) = result.unwrap();
                    assert_eq!(outcome, Outcome::Done, "{change}");
                }
            }))
            .await;
    }

    pub(crate) async fn observe(&self, kind: Kind, wanted: &[&str]) -> BTreeMap<String, Observed<Existing>> {
        let wanted = wanted.iter().map(|&name| ResourceKey::new(kind, name)).collect();
        let mut seen = None;
        let clock = self.world.clock();
        let look: BoxFuture<'_, ()> = Box::pin(async {
            let provider = self.provider(kind);
            seen = Some(
                provider
                    .observe(&self.context.cluster, kind, &wanted)
                    .await
                    .unwrap(),
            );
        });
        clock.drive(look).await;
        let found = seen.unwrap().found;
        found
            .into_iter()
            .map(|(key, observed)| (key.name().to_owned(), observed))
            .collect()
    }

    pub(crate) async fn existing(&self, key: &ResourceKey) -> Existing {
        match self.observe(key.kind(), &[]).await.remove(key.name()) {
            Some(Observed::Present(existing)) => existing,
            other => panic!("{key}: {other:?}"),
        }
    }

    pub(crate) async fn delete(&self, key: &ResourceKey) -> Outcome {
        let existing = Box::new(self.existing(key).await);
        self.carry_out(&change(
            key.clone(),
            Action::Delete { existing },
            Disruption::Removal,
        ))
        .await
    }

    pub(crate) async fn update(&self, (key, resource): Keyed, disruption: Disruption) -> Outcome {
        let existing = self.existing(&key).await;
        let action = Action::Update {
            id: existing.id,
            differences: existing.resource.differences(&resource),
            resource: Box::new(resource),
        };
        self.carry_out(&change(key, action, disruption)).await
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, duration: Duration) {
        let clock = self.world.clock();
        clock.drive(Box::pin(async { clock.sleep(duration).await })).await;
    }
}

/// The class and message of a rejection.
pub(crate) fn rejection(outcome: Outcome) -> (ErrorClass, String) {
    match outcome {
        Outcome::Rejected(error) => (error.class, error.message),
        other => panic!("{other:?}"),
    }
}
