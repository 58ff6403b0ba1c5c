//! Roles, volumes and network interfaces, on the emulator of AWS: made, seen, changed, and taken away whole.

mod life;
mod others;
mod trouble;
mod waiting;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Filters, Interface, Volume as FoundVolume};
use keelson_provider_api::clock::{BoxFuture, Clock, SystemClock};
use keelson_provider_api::kinds::{MachineRole, NetworkInterface, Role, Volume};
use keelson_provider_api::values::Quantity;
use keelson_provider_api::{
    Action, Change, ClusterIdentity, ErrorClass, Kind, Observation, Outcome, Provider, ProviderError,
    Resource, ResourceKey,
};
use keelson_provider_aws::kept::instance_profile_name;
use keelson_provider_aws::{KeptProvider, PlacesProvider};
use keelson_test_hosts::Moto;
use serde_json::{Value, json};

use crate::places::{Wanted, change, cluster, create, delete, futures, ids, key, wanted as places};
use crate::scene::{self, ANYBODY, REGION};

const KINDS: [Kind; 3] = [Kind::Role, Kind::Volume, Kind::NetworkInterface];
/// Policies that are somebody else's.
const POLICIES: [&str; 2] = ["audit", "logs"];
const KMS_KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/8c5b2c63-b9bc-45a3-a87a-5513eab232c7";
/// The paths below which tests have roles.
const PATHS: [&str; 2] = ["/keelson/", "/theirs/"];

/// Whoever waits by this clock finds the emulator's moved on, and has waited no time.
pub(crate) struct EmulatorClock {
    moto: Arc<Moto>,
    moved_milliseconds: AtomicU64,
}

impl EmulatorClock {
    pub(crate) fn of(moto: Arc<Moto>) -> Self {
        Self {
            moto,
            moved_milliseconds: AtomicU64::new(0),
        }
    }
}

impl Clock for EmulatorClock {
    fn now(&self) -> Timestamp {
        let moved = Duration::from_millis(self.moved_milliseconds.load(Ordering::SeqCst));
        SystemClock.now().checked_add(moved).unwrap()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let told = json!({ "advance": duration.as_secs_f64() }).to_string();
        self.moto.tell("POST", "settings", &told).unwrap();
        let milliseconds = u64::try_from(duration.as_millis()).unwrap();
        self.moved_milliseconds.fetch_add(milliseconds, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// An emulator with the places of a cluster, and what the cluster keeps there.
struct Scene {
    moto: Arc<Moto>,
    calls: AwsCalls,
    kept: KeptProvider,
    cluster: ClusterIdentity,
}

impl Scene {
    async fn start_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let calls = scene::calls_of(&moto, ANYBODY, 20);
        let scene = Self::of(Arc::new(moto), calls, "one");
        for name in POLICIES {
            make_policy(&scene.moto, name);
        }
        scene.prepare().await;
        Some(scene)
    }

    fn of(moto: Arc<Moto>, calls: AwsCalls, uid: &str) -> Self {
        let clock = EmulatorClock::of(moto.clone());
        Self {
            moto,
            kept: KeptProvider::new(&calls, REGION, Arc::new(clock)),
            calls,
            cluster: cluster(uid),
        }
    }

    /// The same emulator as another life of the cluster sees it.
    fn other_life(&self, uid: &str) -> Self {
        Self::of(self.moto.clone(), self.calls.clone(), uid)
    }

    /// Makes the network, a subnet and the firewalls.
    async fn prepare(&self) {
        let provider = PlacesProvider::new(&self.calls, REGION, Arc::new(SystemClock));
        let is_needed = |key: &ResourceKey| {
            matches!(key.kind(), Kind::Network | Kind::Firewall) || key.name() == "a-private"
        };
        let changes: Vec<Change> = (places().iter().filter(|(key, _)| is_needed(key)))
            .map(|(key, resource)| create(key, resource, 0))
            .collect();
        let carry_out = async |change: &Change| {
            let ended = provider.carry_out(&scene::context(&self.cluster), change).await;
            assert_eq!(ended, Outcome::Done, "{change}");
        };
        let (firewalls, others): (Vec<_>, Vec<_>) = changes
            .iter()
            .partition(|change| change.key.kind() == Kind::Firewall);
        for change in others {
            carry_out(change).await;
        }
        futures(firewalls.into_iter().map(carry_out)).await;
    }

    fn tell(&self, path: &str, given: &str) {
        self.moto.tell("POST", path, given).unwrap();
    }

    fn no_more_trouble(&self) {
        self.moto.tell("DELETE", "faults", "").unwrap();
    }

    /// How many calls the emulator has had that change something.
    fn writes(&self) -> usize {
        scene::writes(&self.moto, &["Describe", "Get", "List"])
    }

    async fn look(&self) -> Observation {
        let mut observation = Observation::new(Timestamp::UNIX_EPOCH);
        for kind in KINDS {
            let seen = self.kept.observe(&self.cluster, kind, &BTreeSet::new()).await;
            observation.record(kind, seen.unwrap());
        }
        observation
    }

    /// What the cluster has, without the ids.
    async fn seen(&self) -> Wanted {
        let observation = self.look().await;
        let owned = observation.owned();
        owned
            .map(|(key, existing)| (key.clone(), existing.resource.clone()))
            .collect()
    }

    async fn once(&self, change: &Change) -> Outcome {
        self.kept.carry_out(&scene::context(&self.cluster), change).await
    }

    async fn carry_out(&self, change: &Change) {
        scene::carry_out(&self.kept, &self.cluster, change).await;
    }

    /// Makes all of `wanted` at once.
    async fn make(&self, wanted: &Wanted) {
        self.make_generation(wanted, 0).await;
    }

    async fn make_generation(&self, wanted: &Wanted, generation: u32) {
        let changes: Vec<Change> = (wanted.iter())
            .map(|(key, resource)| create(key, resource, generation))
            .collect();
        futures(changes.iter().map(|change| self.carry_out(change))).await;
    }

    /// Updates what differs from `wanted`, and says what did.
    async fn put_right(&self, wanted: &Wanted) -> Vec<String> {
        let observation = self.look().await;
        let mut differing = Vec::new();
        for (key, resource) in wanted {
            let existing = observation.present(key).unwrap();
            let differences = existing.resource.differences(resource);
            if differences.is_empty() {
                continue;
            }
            differing.push(key.to_string());
            let update = Action::Update {
                id: existing.id.clone(),
                resource: Box::new(resource.clone()),
                differences,
            };
            self.carry_out(&change(key, update)).await;
        }
        differing
    }

    /// Takes everything away that is seen, at once.
    async fn take_away(&self) {
        let observation = self.look().await;
        let changes: Vec<Change> = (observation.owned())
            .map(|(key, existing)| delete(key, existing))
            .collect();
        futures(changes.iter().map(|change| self.carry_out(change))).await;
    }

    /// The names and ids of everything that tests could have made, but for places.
    async fn everything(&self) -> BTreeSet<String> {
        let all = &Filters::default();
        let (ec2, iam) = (&self.calls.ec2, &self.calls.iam);
        let mut found = Vec::new();
        for path in PATHS {
            found.extend(ids(iam.roles(path).await.unwrap(), |role| role.arn));
            found.extend(ids(iam.instance_profiles(path).await.unwrap(), |profile| {
                profile.arn
            }));
        }
        found.extend(ids(ec2.list_volumes(all).await.unwrap(), |volume| volume.id));
        found.extend(ids(ec2.list_interfaces(all).await.unwrap(), |interface| {
            interface.id
        }));
        found.extend(ids(ec2.list_addresses(all).await.unwrap(), |address| address.id));
        found.into_iter().collect()
    }

    /// The one volume of `machine`.
    async fn volume(&self, machine: &str) -> FoundVolume {
        let marked = self.marked(Kind::Volume, machine);
        let mut found = self.calls.ec2.list_volumes(&marked).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// The one interface of `machine`.
    async fn interface(&self, machine: &str) -> Interface {
        let marked = self.marked(Kind::NetworkInterface, machine);
        let mut found = self.calls.ec2.list_interfaces(&marked).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    fn marked(&self, kind: Kind, name: &str) -> Filters {
        let uid = self.cluster.uid.as_ref().unwrap();
        Filters::of_cluster(uid.as_str()).with_tag("keelson.dev/resource", &key(kind, name).to_string())
    }

    /// What the role `role` is called in the account.
    fn name(&self, role: &str) -> String {
        instance_profile_name(&self.cluster, role)
    }
}

/// Makes a policy that is somebody else's.
pub(crate) fn make_policy(moto: &Moto, name: &str) {
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let form = format!("Action=CreatePolicy&PolicyName={name}&PolicyDocument={document}&Version=2010-05-08");
    scene::ask(moto, "iam.amazonaws.com", "us-east-1/iam", &form);
}

/// A trust policy, other than that of machines.
fn trust_of_others() -> Value {
    let principal = json!({ "Service": "ssm.amazonaws.com" });
    let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

fn arn(policy: &str) -> String {
    format!("arn:aws:iam::123456789012:policy/{policy}")
}

/// Two roles, one of which may do nothing; two volumes; two interfaces, one with a public address.
fn wanted() -> Wanted {
    let reads =
        json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::clusters/foo/*"] });
    let lists = json!({
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": ["arn:aws:s3:::clusters"],
        "Condition": { "StringLike": { "s3:prefix": ["foo/backups/etcd/*"] } },
    });
    let control_plane = Role {
        machines: MachineRole::ControlPlane,
        statements: json!([reads, lists]),
        boundary: Some(arn("boundary")),
        policies: POLICIES.map(arn).to_vec(),
    };
    let node = Role {
        machines: MachineRole::Worker,
        statements: json!([]),
        boundary: None,
        policies: Vec::new(),
    };
    vec![
        (key(Kind::Role, "control-plane"), control_plane.into()),
        (key(Kind::Role, "node"), node.into()),
        (key(Kind::Volume, "a"), volume("a", 20, None).into()),
        (key(Kind::Volume, "b"), volume("b", 30, Some(KMS_KEY)).into()),
        (
            key(Kind::NetworkInterface, "a"),
            interface("a", [10, 20, 0, 10], false).into(),
        ),
        (
            key(Kind::NetworkInterface, "b"),
            interface("b", [10, 20, 0, 11], true).into(),
        ),
    ]
}

fn volume(machine: &str, gibibytes: u64, kms_key: Option<&str>) -> Volume {
    Volume {
        machine: machine.to_owned(),
        zone: "eu-west-1a".to_owned(),
        size: Quantity::from_gibibytes(gibibytes),
        encrypted: true,
        kms_key: kms_key.map(str::to_owned),
    }
}

fn interface(machine: &str, address: [u8; 4], public: bool) -> NetworkInterface {
    NetworkInterface {
        machine: machine.to_owned(),
        subnet: "a-private".to_owned(),
        firewall: "control-plane".to_owned(),
        address: IpAddr::from(address),
        public,
    }
}

/// What is said of a change that is refused for good.
fn refused_for_good(outcome: Outcome) -> ProviderError {
    match outcome {
        Outcome::Rejected(error) if error.class == ErrorClass::Permanent => error,
        other => unreachable!("{other:?}"),
    }
}
