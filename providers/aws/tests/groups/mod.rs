//! Node groups on the emulator of AWS: made, seen, changed, their machines replaced, and taken away whole. What they stand on is
//! made by the providers of places and roles.

mod hands;
mod life;
mod machines;
mod others;
mod trouble;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Filters, Instance, InstanceState, LaunchTemplate, LaunchTemplateVersion};
use keelson_aws_calls::scaling::Group;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::{GroupMachine, MachineRole, NodeGroup, Role, Subnet};
use keelson_provider_api::values::{Digest, Labels, Quantity, Taint, TaintEffect, Version};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, Existing, FirstBoot, Health, Kind, NewGroup, NewMachine, Observation,
    Observed, Outcome, Provider, ProviderError, Resource, ResourceKey,
};
use keelson_provider_aws::{GroupProvider, KeptProvider, PlacesProvider};
use keelson_test_hosts::Moto;

use crate::kept::EmulatorClock;
use crate::places::{Wanted, change, cluster, create, delete, futures, ids, key, wanted as places};
use crate::scene::{self, ANYBODY, REGION};

const KINDS: [Kind; 2] = [Kind::NodeGroup, Kind::GroupMachine];
/// What the machines of all groups run when they first boot.
const USER_DATA: &[u8] = b"#!/bin/sh\ntrue\n";

/// Gives user data to groups, and remembers what it was asked.
#[derive(Default)]
struct Given {
    /// The names of the groups that asked for it, each with its template.
    asked: Mutex<Vec<(String, Digest)>>,
    /// The groups whose machines start from one template alone, and those that are gone.
    starts_from: Mutex<Vec<(String, Option<Digest>)>>,
}

impl Given {
    fn starts_from(&self) -> Vec<(String, Option<Digest>)> {
        std::mem::take(&mut *self.starts_from.lock().unwrap())
    }
}

#[async_trait]
impl FirstBoot for Given {
    async fn user_data(
        &self,
        _cluster: &ClusterIdentity,
        _machine: &NewMachine<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        unreachable!("there are no machines but those of groups")
    }

    async fn is_over(&self, _cluster: &ClusterIdentity, _name: &str) -> Result<(), ProviderError> {
        unreachable!("there are no machines but those of groups")
    }

    async fn user_data_of_group(
        &self,
        _cluster: &ClusterIdentity,
        group: &NewGroup<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        let asked = (group.name.to_owned(), group.group.template());
        self.asked.lock().unwrap().push(asked);
        Ok(USER_DATA.to_vec())
    }

    async fn group_starts_from(
        &self,
        _cluster: &ClusterIdentity,
        name: &str,
        template: Option<&Digest>,
    ) -> Result<(), ProviderError> {
        let told = (name.to_owned(), template.copied());
        self.starts_from.lock().unwrap().push(told);
        Ok(())
    }
}

/// An emulator with a network in it, and the groups of one cluster.
struct Scene {
    moto: Arc<Moto>,
    calls: AwsCalls,
    groups: GroupProvider,
    given: Arc<Given>,
    cluster: ClusterIdentity,
}

impl Scene {
    async fn prepare_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let calls = scene::calls_of(&moto, ANYBODY, 5);
        let scene = Self::of(Arc::new(moto), calls, "one");
        scene.make_ground().await;
        Some(scene)
    }

    fn of(moto: Arc<Moto>, calls: AwsCalls, uid: &str) -> Self {
        let clock = Arc::new(EmulatorClock::of(moto.clone()));
        let given = Arc::new(Given::default());
        Self {
            moto,
            groups: GroupProvider::new(&calls, given.clone(), clock),
            calls,
            given,
            cluster: cluster(uid),
        }
    }

    /// The same emulator, for another cluster.
    async fn other_cluster(&self, uid: &str) -> Self {
        let scene = Self::of(self.moto.clone(), self.calls.clone(), uid);
        scene.make_ground().await;
        scene
    }

    /// What groups stand on.
    async fn make_ground(&self) {
        let provider = PlacesProvider::new(&self.calls, REGION, Arc::new(SystemClock));
        let (firewalls, others): (Vec<_>, Vec<_>) = (ground().into_iter())
            .map(|(key, resource)| create(&key, &resource, 0))
            .partition(|change| change.key.kind() == Kind::Firewall);
        for change in &others {
            scene::carry_out(&provider, &self.cluster, change).await;
        }
        let firewalls = firewalls.iter();
        futures(firewalls.map(|change| scene::carry_out(&provider, &self.cluster, change))).await;
        let clock = Arc::new(EmulatorClock::of(self.moto.clone()));
        let kept = KeptProvider::new(&self.calls, REGION, clock);
        for name in ["node", "others"] {
            let role = create(&key(Kind::Role, name), &role().into(), 0);
            scene::carry_out(&kept, &self.cluster, &role).await;
        }
    }

    fn tell(&self, path: &str, given: &str) {
        self.moto.tell("POST", path, given).unwrap();
    }

    fn no_more_trouble(&self) {
        self.moto.tell("DELETE", "faults", "").unwrap();
    }

    fn writes(&self) -> usize {
        scene::writes(&self.moto, &["Describe", "Get", "List"])
    }

    async fn look(&self) -> Observation {
        // A look serves both kinds; this one is a new one.
        let passed = r#"{"advance": 0}"#;
        self.tell("settings", passed);
        let groups = GroupProvider::new(
            &self.calls,
            self.given.clone(),
            Arc::new(EmulatorClock::of(self.moto.clone())),
        );
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        for kind in KINDS {
            let seen = groups.observe(&self.cluster, kind, &BTreeSet::new()).await;
            observation.record(kind, seen.unwrap());
        }
        observation
    }

    async fn existing(&self, key: &ResourceKey) -> Existing {
        match self.look().await.get(key) {
            Observed::Present(existing) => existing.clone(),
            other => panic!("{key}: {other:?}"),
        }
    }

    /// What is seen of the group `name`.
    async fn seen(&self, name: &str) -> NodeGroup {
        match self.existing(&key(Kind::NodeGroup, name)).await.resource {
            Resource::NodeGroup(group) => group,
            other => panic!("{other:?}"),
        }
    }

    async fn health(&self, name: &str) -> Health {
        self.existing(&key(Kind::NodeGroup, name)).await.health
    }

    /// The machines that are seen, by the ids of their instances.
    async fn machines(&self) -> Vec<(String, GroupMachine)> {
        let observation = self.look().await;
        let machines = observation.owned_of(Kind::GroupMachine);
        let machines = machines.map(|(key, existing)| match &existing.resource {
            Resource::GroupMachine(machine) => (key.name().to_owned(), machine.clone()),
            other => panic!("{other:?}"),
        });
        machines.collect()
    }

    /// The ids of the machines that are up to date with `group`, and of those that are not; none of them was let go.
    async fn by_template(&self, group: &NodeGroup) -> (Vec<String>, Vec<String>) {
        let machines = self.machines().await.into_iter();
        let (new, old): (Vec<_>, Vec<_>) = machines
            .inspect(|(id, machine)| assert!(!machine.detached, "{id}"))
            .partition(|(_, machine)| machine.template == group.template());
        (ids(new, |(id, _)| id), ids(old, |(id, _)| id))
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.groups
            .carry_out(&scene::context(&self.cluster), change)
            .await
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(&self.groups, &self.cluster, change).await;
    }

    async fn make(&self, name: &str, group: &NodeGroup) {
        self.carry_out(&create(&key(Kind::NodeGroup, name), &group.clone().into(), 0))
            .await;
    }

    /// The update that brings what is seen under `key` to `resource`, if anything is to be done.
    async fn update_of(&self, key: &ResourceKey, resource: &Resource) -> Option<Change> {
        let existing = self.existing(key).await;
        let differences = existing.resource.differences(resource);
        let update = Action::Update {
            id: existing.id,
            resource: Box::new(resource.clone()),
            differences: differences.clone(),
        };
        (!differences.is_empty()).then(|| change(key, update))
    }

    /// Brings the group `name` to `group` as a plan does, which changes nothing where there is no difference; says what differed.
    async fn bring(&self, name: &str, group: &NodeGroup) -> Vec<String> {
        let (key, resource) = (key(Kind::NodeGroup, name), group.clone().into());
        let Some(update) = self.update_of(&key, &resource).await else {
            return Vec::new();
        };
        self.carry_out(&update).await;
        assert_eq!(self.update_of(&key, &resource).await, None, "{key}");
        assert_eq!(self.health(name).await, Health::Healthy);
        let Action::Update { differences, .. } = update.action else {
            unreachable!("it is an update")
        };
        differences.into_iter().map(|one| one.field).collect()
    }

    async fn let_go(&self, id: &str) -> Change {
        let key = key(Kind::GroupMachine, id);
        let Resource::GroupMachine(machine) = self.existing(&key).await.resource else {
            unreachable!("it is a machine of a group")
        };
        let resource: Resource = GroupMachine {
            detached: true,
            ..machine
        }
        .into();
        self.update_of(&key, &resource).await.unwrap()
    }

    async fn end(&self, key: &ResourceKey) {
        let existing = self.existing(key).await;
        self.carry_out(&delete(key, &existing)).await;
    }

    /// The one Auto Scaling group of the cluster.
    async fn group(&self) -> Group {
        let uid = self.cluster.uid.as_ref().unwrap();
        let mut owned = self.calls.scaling.owned(uid.as_str()).await.unwrap();
        assert_eq!(owned.len(), 1, "{owned:?}");
        owned.remove(0)
    }

    async fn template(&self) -> (LaunchTemplate, Vec<LaunchTemplateVersion>) {
        let uid = self.cluster.uid.as_ref().unwrap();
        let owned = Filters::of_cluster(uid.as_str());
        let mut found = self.calls.ec2.list_launch_templates(&owned).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        let template = found.remove(0);
        let versions = self
            .calls
            .ec2
            .launch_template_versions(&template.id)
            .await
            .unwrap();
        (template, versions)
    }

    async fn instances(&self, ids: &[String]) -> Vec<Instance> {
        let those = Filters::default().with("instance-id", ids);
        self.calls.ec2.list_instances(&those).await.unwrap()
    }

    /// The ids of everything that groups are made of, without what has ended.
    async fn everything(&self) -> BTreeSet<String> {
        let (all, ec2) = (&Filters::default(), &self.calls.ec2);
        let mut instances = ec2.list_instances(all).await.unwrap();
        instances.retain(|instance| instance.state != InstanceState::Terminated);
        let mut everything = ids(instances, |instance| instance.id);
        everything.extend(ids(ec2.list_volumes(all).await.unwrap(), |volume| volume.id));
        everything.extend(ids(ec2.list_interfaces(all).await.unwrap(), |one| one.id));
        everything.extend(ids(ec2.list_launch_templates(all).await.unwrap(), |one| one.id));
        for uid in ["one", "two", "theirs"] {
            let groups = self.calls.scaling.owned(uid).await.unwrap();
            everything.extend(ids(groups, |group| group.name));
        }
        everything.into_iter().collect()
    }
}

/// A network with subnets in two zones, and firewalls.
fn ground() -> Wanted {
    let subnet = Subnet {
        network: "main".to_owned(),
        zone: "eu-west-1b".to_owned(),
        cidr: "10.20.16.0/20".parse().unwrap(),
        public: false,
    };
    let mut ground = places();
    ground.retain(|(key, _)| !matches!(key.kind(), Kind::NatGateway | Kind::WayOut));
    ground.push((key(Kind::Subnet, "b-private"), subnet.into()));
    ground
}

fn role() -> Role {
    Role {
        machines: MachineRole::Worker,
        statements: serde_json::json!([]),
        boundary: None,
        policies: Vec::new(),
    }
}

/// A group in two zones that nothing scales.
fn workers() -> NodeGroup {
    NodeGroup {
        min: 2,
        max: 2,
        replicas: 2,
        max_surge: 0,
        subnets: vec!["a-private".to_owned(), "b-private".to_owned()],
        firewall: "nodes".to_owned(),
        role: Some("node".to_owned()),
        machine_type: Some("m6i.large".to_owned()),
        types: Vec::new(),
        image: Some("ubuntu-24.04".to_owned()),
        root_volume: Some(Quantity::from_gibibytes(50)),
        kms_key: None,
        spot_share: None,
        kubernetes_version: Version::new(1, 36, 2),
        labels: Labels::from([("example.com/pool".to_owned(), "blue".to_owned())]),
        taints: vec![Taint {
            key: "example.com/only".to_owned(),
            value: "some".to_owned(),
            effect: TaintEffect::NoSchedule,
        }],
        settings: Digest::of_bytes(b"settings"),
    }
}

/// The same with as many as `min` to `max`.
fn scaled(min: u32, max: u32) -> NodeGroup {
    NodeGroup {
        min,
        max,
        ..workers()
    }
}

/// The same of the next version.
fn upgraded(group: NodeGroup) -> NodeGroup {
    NodeGroup {
        kubernetes_version: Version::new(1, 37, 0),
        ..group
    }
}
