//! Machines on the emulator of AWS: started, seen, changed, replaced, ended. What they stand on is made by the places provider;
//! what is kept for them by calls.

mod life;
mod start;
mod trouble;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Ec2, Filters, Instance, InstanceState};
use keelson_aws_calls::iam::{NewInstanceProfile, path_of};
use keelson_aws_calls::mark::mark;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::{
    Firewall, Machine, MachineRole, Network, NetworkInterface, Role, Subnet, Volume,
};
use keelson_provider_api::values::{Digest, Quantity};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, Existing, FirstBoot, Health, Kind, NewGroup, NewMachine,
    Observation, Observed, Outcome, Provider, ProviderError, Resource, ResourceKey,
};
use keelson_provider_aws::{KeptProvider, MachineProvider, PlacesProvider, instance_profile_name};
use keelson_test_hosts::Moto;

use crate::kept::EmulatorClock;
use crate::places::{change, cluster, create, delete, key};
use crate::scene::{self, ANYBODY, REGION};

const ZONE: &str = "eu-west-1a";
/// What is kept has this address.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 10);
/// The newest images of Canonical for amd64 and of Debian for arm64 (`images.json`).
const UBUNTU: &str = "ami-0ab2404a640000020";
const DEBIAN: &str = "ami-0deb1200b64000001";

/// Gives what a test says to whoever boots, and remembers what was asked of it.
#[derive(Default)]
pub(crate) struct Given {
    user_data: Mutex<Vec<u8>>,
    /// For each, its name, which incarnation of it, and where its volume may appear.
    asked: Mutex<Vec<(String, u32, Vec<String>)>>,
    /// The names of those whose first boot is over.
    over: Mutex<Vec<String>>,
}

impl Given {
    fn say(&self, user_data: &[u8]) {
        user_data.clone_into(&mut self.user_data.lock().unwrap());
    }
}

#[async_trait]
impl FirstBoot for Given {
    async fn user_data(
        &self,
        _cluster: &ClusterIdentity,
        machine: &NewMachine<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        let devices = machine.volume_devices.clone();
        let asked = (machine.name.to_owned(), machine.generation, devices);
        self.asked.lock().unwrap().push(asked);
        Ok(self.user_data.lock().unwrap().clone())
    }

    async fn is_over(&self, _cluster: &ClusterIdentity, name: &str) -> Result<(), ProviderError> {
        self.over.lock().unwrap().push(name.to_owned());
        Ok(())
    }

    async fn user_data_of_group(
        &self,
        _cluster: &ClusterIdentity,
        _group: &NewGroup<'_>,
    ) -> Result<Vec<u8>, ProviderError> {
        Ok(self.user_data.lock().unwrap().clone())
    }

    async fn group_starts_from(
        &self,
        _cluster: &ClusterIdentity,
        _name: &str,
        _template: Option<&Digest>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// An emulator with a network in it, and the machines of one cluster.
struct Scene {
    moto: Arc<Moto>,
    calls: AwsCalls,
    ec2: Ec2,
    machines: MachineProvider,
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
        given.say(b"#!/bin/sh\ntrue\n");
        Self {
            moto,
            ec2: calls.ec2.clone(),
            machines: MachineProvider::new(&calls, given.clone(), clock),
            calls,
            given,
            cluster: cluster(uid),
        }
    }

    /// The same emulator, for another cluster.
    async fn with_cluster(self, uid: &str) -> Self {
        let scene = Self::of(self.moto, self.calls, uid);
        scene.make_ground().await;
        scene
    }

    /// What machines stand on, and what is kept for them.
    async fn make_ground(&self) {
        let places = PlacesProvider::new(&self.calls, REGION, Arc::new(SystemClock));
        for (key, resource) in ground() {
            let made = places
                .carry_out(&scene::context(&self.cluster), &create(&key, &resource, 0))
                .await;
            assert_eq!(made, Outcome::Done, "{key}");
        }
        let kept = KeptProvider::new(
            &self.calls,
            REGION,
            Arc::new(EmulatorClock::of(self.moto.clone())),
        );
        for (key, resource) in self::kept() {
            let made = kept
                .carry_out(&scene::context(&self.cluster), &create(&key, &resource, 0))
                .await;
            assert_eq!(made, Outcome::Done, "{key}");
        }
    }

    async fn make_profile(&self, role: &str) {
        let uid = self.cluster.uid.as_ref().unwrap();
        let profile = NewInstanceProfile {
            name: instance_profile_name(&self.cluster, role),
            path: path_of(uid.as_str()),
            tags: mark(&self.cluster, &key(Kind::Role, role), 0),
        };
        self.calls.iam.create_instance_profile(&profile).await.unwrap();
    }

    fn marked(&self, key: &ResourceKey) -> Filters {
        let uid = self.cluster.uid.as_ref().unwrap();
        Filters::of_cluster(uid.as_str()).with_tag("keelson.dev/resource", &key.to_string())
    }

    async fn group(&self, name: &str) -> String {
        let marked = self.marked(&key(Kind::Firewall, name));
        self.ec2.list_security_groups(&marked).await.unwrap().remove(0).id
    }

    /// The instances of `name` that have not ended.
    async fn instances(&self, name: &str) -> Vec<Instance> {
        let marked = self.marked(&key(Kind::Machine, name));
        let mut all = self.ec2.list_instances(&marked).await.unwrap();
        all.retain(|instance| instance.state != InstanceState::Terminated);
        all
    }

    async fn instance(&self, name: &str) -> Instance {
        let mut all = self.instances(name).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn tell(&self, path: &str, given: &str) {
        self.moto.tell("POST", path, given).unwrap();
    }

    fn no_more_trouble(&self) {
        self.moto.tell("DELETE", "faults", "").unwrap();
    }

    fn calls_heard(&self) -> String {
        self.moto.tell("GET", "calls?since=0", "").unwrap()
    }

    /// How many calls the emulator has had; those that change something only.
    fn writes(&self) -> usize {
        scene::writes(&self.moto, &["Describe", "Get", "List"])
    }

    /// What is made from now on does not show for so many seconds. What machines stand on has been there for long.
    fn show_late(&self, seconds: u32) {
        let told = format!(r#"{{"advance": 3600, "late": {seconds}}}"#);
        self.tell("settings", &told);
    }

    /// What no call of ours does: as by hand.
    fn by_hand(&self, query: &str) -> String {
        let mut stream = TcpStream::connect(self.moto.address).unwrap();
        let body = format!("{query}&Version=2016-11-15");
        let scope = format!("AKIAKEELSON/20260101/{REGION}/ec2/aws4_request");
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: ec2.{REGION}.amazonaws.com\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.lines().next().unwrap_or_default();
        assert!(status.contains("200"), "{answer}");
        answer
    }

    async fn look(&self) -> Observation {
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        let nothing = BTreeSet::new();
        let seen = self
            .machines
            .observe(&self.cluster, Kind::Machine, &nothing)
            .await;
        observation.record(Kind::Machine, seen.unwrap());
        observation
    }

    async fn existing(&self, name: &str) -> Existing {
        match self.look().await.get(&key(Kind::Machine, name)) {
            Observed::Present(existing) => existing.clone(),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// What is seen of `name`.
    async fn machine(&self, name: &str) -> Machine {
        match self.existing(name).await.resource {
            Resource::Machine(machine) => machine,
            other => panic!("{other:?}"),
        }
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.machines
            .carry_out(&scene::context(&self.cluster), change)
            .await
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(&self.machines, &self.cluster, change).await;
    }

    async fn make(&self, name: &str, machine: &Machine, generation: u32) {
        let change = create(&key(Kind::Machine, name), &machine.clone().into(), generation);
        self.carry_out(&change).await;
    }

    /// Brings what differs to what it is to be, by an update, which is all that it must take.
    async fn update(&self, name: &str, machine: &Machine) {
        let existing = self.existing(name).await;
        let wanted: Resource = machine.clone().into();
        let differences = existing.resource.differences(&wanted);
        let replaced = differences
            .iter()
            .find(|difference| difference.effect > keelson_provider_api::kinds::Effect::InPlace);
        assert!(replaced.is_none(), "{replaced:?}");
        let update = Action::Update {
            id: existing.id,
            resource: Box::new(wanted),
            differences,
        };
        self.carry_out(&change(&key(Kind::Machine, name), update)).await;
    }

    async fn take_away(&self, name: &str) {
        let existing = self.existing(name).await;
        self.carry_out(&delete(&key(Kind::Machine, name), &existing))
            .await;
    }

    /// The ids of everything that machines are made of, without what has ended.
    async fn everything(&self) -> BTreeSet<String> {
        let all = &Filters::default();
        let mut instances = self.ec2.list_instances(all).await.unwrap();
        instances.retain(|instance| instance.state != InstanceState::Terminated);
        let volumes = self.ec2.list_volumes(all).await.unwrap();
        let interfaces = self.ec2.list_interfaces(all).await.unwrap();
        let ids = instances.into_iter().map(|instance| instance.id);
        let ids = ids.chain(volumes.into_iter().map(|volume| volume.id));
        ids.chain(interfaces.into_iter().map(|interface| interface.id))
            .collect()
    }
}

/// A network with a private and a public subnet, and firewalls.
fn ground() -> Vec<(ResourceKey, Resource)> {
    let network = Network {
        region: REGION.to_owned(),
        cidr: "10.20.0.0/16".parse().unwrap(),
        has_gateway: true,
    };
    let subnet = |cidr: &str, public| Subnet {
        network: "main".to_owned(),
        zone: ZONE.to_owned(),
        cidr: cidr.parse().unwrap(),
        public,
    };
    let firewall = || Firewall {
        network: "main".to_owned(),
        rules: Vec::new(),
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
        (key(Kind::Firewall, "control-plane"), firewall().into()),
        (key(Kind::Firewall, "nodes"), firewall().into()),
    ]
}

/// What is kept for machines: roles, and an address and a volume for one of them.
fn kept() -> Vec<(ResourceKey, Resource)> {
    let role = |machines| Role {
        machines,
        statements: serde_json::json!([]),
        boundary: None,
        policies: Vec::new(),
    };
    let volume = Volume {
        machine: "a".to_owned(),
        zone: ZONE.to_owned(),
        size: Quantity::from_gibibytes(20),
        encrypted: true,
        kms_key: None,
    };
    let interface = NetworkInterface {
        machine: "a".to_owned(),
        subnet: "a-private".to_owned(),
        firewall: "control-plane".to_owned(),
        address: ADDRESS.into(),
        public: false,
    };
    vec![
        (
            key(Kind::Role, "control-plane"),
            role(MachineRole::ControlPlane).into(),
        ),
        (key(Kind::Role, "node"), role(MachineRole::Worker).into()),
        (key(Kind::Volume, "a"), volume.into()),
        (key(Kind::NetworkInterface, "a"), interface.into()),
    ]
}

/// A control plane, with an address and a volume that are kept for it.
fn control_plane() -> Machine {
    Machine {
        group: "control-plane".to_owned(),
        roles: BTreeSet::from([MachineRole::ControlPlane, MachineRole::Etcd]),
        machine_type: Some("m6i.large".to_owned()),
        image: Some("ubuntu-24.04".to_owned()),
        root_volume: Some(Quantity::from_gibibytes(50)),
        spot: false,
        zone: Some(ZONE.to_owned()),
        subnet: None,
        firewall: None,
        address: None,
        volume: Some("a".to_owned()),
        network_interface: Some("a".to_owned()),
        role: Some("control-plane".to_owned()),
    }
}

/// A worker in the public subnet.
fn worker() -> Machine {
    Machine {
        group: "workers".to_owned(),
        roles: BTreeSet::from([MachineRole::Worker]),
        machine_type: Some("m6g.large".to_owned()),
        image: Some("debian-12".to_owned()),
        root_volume: None,
        spot: true,
        subnet: Some("a-public".to_owned()),
        firewall: Some("nodes".to_owned()),
        volume: None,
        network_interface: None,
        role: Some("node".to_owned()),
        ..control_plane()
    }
}

/// The names of the fields in which a machine that is seen is not what it is to be.
fn differing(seen: &Machine, wanted: &Machine) -> Vec<String> {
    let (seen, wanted): (Resource, Resource) = (seen.clone().into(), wanted.clone().into());
    let differences = seen.differences(&wanted).into_iter();
    differences.map(|difference| difference.field).collect()
}
