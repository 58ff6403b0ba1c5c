//! Node groups whose machines join by themselves: what the cluster knows of it, and what becomes of their pods.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson::cluster::{GroupsJoin, JoiningTokens};
use keelson_provider_api::kinds::{GroupMachine, NodeGroup};
use keelson_provider_api::values::{BootstrapToken, Digest, Labels, Secret, Version};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, Disruption, ErrorClass, Existing, Health, Kind, KindObservation,
    Observed, Outcome, Owner, Progress, Provider, ProviderError, Resource, ResourceKey, StepContext,
};
use serde_json::{Value, json};

use super::api_server::ApiServer;
use super::scene::{Scene, block_on};

/// The token of the tests.
struct Token;

#[async_trait]
impl JoiningTokens for Token {
    async fn token(&self) -> Result<BootstrapToken, ProviderError> {
        Ok(BootstrapToken::parse(&Secret::new("abcdef.0123456789abcdef".to_owned())).unwrap())
    }

    async fn existing(&self) -> Result<Option<BootstrapToken>, ProviderError> {
        self.token().await.map(Some)
    }
}

/// A cloud that has one group, whose machines join as soon as they are there.
struct Cloud {
    api: Arc<ApiServer>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    group: Option<NodeGroup>,
    machines: BTreeMap<String, GroupMachine>,
    /// The machines that there ever were.
    made: usize,
    /// How nodes say that they are.
    is_unready: bool,
    /// What was asked of the cloud, and how the cluster was then.
    deeds: Vec<String>,
}

impl Cloud {
    /// The group starts machines until it has enough.
    fn fill(&self, state: &mut State) {
        let Some(group) = &state.group else { return };
        let attached = |machine: &&GroupMachine| !machine.detached;
        let lacks = group.replicas as usize - state.machines.values().filter(attached).count();
        for _ in 0..lacks {
            state.made += 1;
            let node = format!("i-{:08}", state.made);
            self.api
                .with(|world| world.put("v1", "Node", "", &object(&node, !state.is_unready)));
            let machine = GroupMachine {
                group: "workers".to_owned(),
                template: group.template(),
                node: node.clone(),
                detached: false,
            };
            state.machines.insert(node, machine);
        }
    }
}

fn object(name: &str, is_ready: bool) -> Value {
    let status = if is_ready { "True" } else { "False" };
    json!({
        "metadata": { "name": name, "labels": { "keelson.dev/group": "workers", "keelson.dev/cluster-uid": "life-1" } },
        "spec": { "taints": [] },
        "status": { "conditions": [{ "type": "Ready", "status": status, "reason": "KubeletNotReady", "message": "no network" }] },
    })
}

fn existing(resource: Resource) -> Observed<Existing> {
    Observed::Present(Existing {
        resource,
        id: "id".to_owned(),
        owner: Owner::ThisCluster,
        health: Health::Healthy,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        generation: 0,
        host_id: None,
        facts: BTreeMap::new(),
    })
}

#[async_trait]
impl Provider for Cloud {
    fn name(&self) -> &'static str {
        "cloud"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::NodeGroup, Kind::GroupMachine]
    }

    fn concurrency_limit(&self) -> usize {
        1
    }

    fn typical_duration(&self, _: &Change) -> Duration {
        Duration::from_secs(1)
    }

    async fn observe(
        &self,
        _: &ClusterIdentity,
        kind: Kind,
        _: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let state = self.state.lock().unwrap();
        let mut seen = KindObservation::default();
        let key = |name: &str| ResourceKey::new(kind, name);
        if kind == Kind::NodeGroup {
            let group = state.group.clone().into_iter();
            seen.found
                .extend(group.map(|group| (key("workers"), existing(group.into()))));
        } else {
            let machines = state.machines.iter();
            let machines = machines.map(|(name, one)| (key(name), existing(one.clone().into())));
            seen.found.extend(machines);
        }
        Ok(seen)
    }

    async fn carry_out(&self, _: &StepContext<'_>, change: &Change) -> Outcome {
        let mut state = self.state.lock().unwrap();
        let cordoned = self.api.with(|world| {
            let nodes = world.names().into_iter().filter_map(|name| {
                let node = name.strip_prefix("Node /")?.to_owned();
                let object = world.get("v1", "Node", "", &node)?;
                (object["spec"]["unschedulable"] == true).then_some(node)
            });
            nodes.collect::<Vec<_>>().join(" ")
        });
        let verb = change.action.verb();
        state
            .deeds
            .push(format!("{verb} {}, cordoned: {cordoned}", change.key));
        match (&change.action, change.resource()) {
            (Action::Delete { .. }, Resource::NodeGroup(_)) => {
                *state = State {
                    deeds: std::mem::take(&mut state.deeds),
                    ..State::default()
                }
            }
            (Action::Delete { .. }, Resource::GroupMachine(machine)) => {
                state.machines.remove(&machine.node);
            }
            (_, Resource::NodeGroup(group)) => state.group = Some(group.clone()),
            (_, Resource::GroupMachine(machine)) => {
                state.machines.insert(machine.node.clone(), machine.clone());
            }
            _ => return Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, "nothing of a cloud's")),
        }
        self.fill(&mut state);
        Outcome::Done
    }
}

fn group(replicas: u32) -> NodeGroup {
    NodeGroup {
        min: replicas,
        max: replicas,
        replicas,
        max_surge: 0,
        subnets: Vec::new(),
        firewall: "nodes".to_owned(),
        role: None,
        machine_type: None,
        types: Vec::new(),
        image: None,
        root_volume: None,
        kms_key: None,
        spot_share: None,
        kubernetes_version: Version::new(1, 36, 2),
        labels: Labels::new(),
        taints: Vec::new(),
        settings: Digest::of_bytes(b"settings"),
    }
}

/// A founded cluster, the cloud, and the provider before it.
struct Groups {
    scene: Scene,
    cloud: Arc<Cloud>,
    provider: GroupsJoin,
}

impl Groups {
    async fn new() -> Self {
        let scene = Scene::founded().await;
        let cloud = Arc::new(Cloud {
            api: scene.api.clone(),
            state: Mutex::default(),
        });
        let provider = GroupsJoin::new(cloud.clone(), scene.provider().clone(), Arc::new(Token));
        Self {
            scene,
            cloud,
            provider,
        }
    }

    /// The same with all providers anew, which have no way to an API server yet.
    fn restarted(self) -> Self {
        let Self { scene, cloud, .. } = self;
        let scene = scene.restarted();
        let provider = GroupsJoin::new(cloud.clone(), scene.provider().clone(), Arc::new(Token));
        Self {
            scene,
            cloud,
            provider,
        }
    }

    async fn carry_out(&self, key: &str, action: Action, disruption: Disruption) -> Outcome {
        let change = Change {
            key: key.parse().unwrap(),
            action,
            reason: "a test wants it".to_owned(),
            disruption,
            replacement: false,
        };
        let context = StepContext {
            cluster: self.scene.identity.clone(),
            fencing_generation: self.scene.fencing_generation,
            attempt: 0,
            progress: Progress::to(&|_: &str| {}),
        };
        self.provider.carry_out(&context, &change).await
    }

    async fn create(&self, group: NodeGroup) -> Outcome {
        let action = Action::Create {
            resource: Box::new(group.into()),
            generation: 0,
        };
        self.carry_out("node-group/workers", action, Disruption::None)
            .await
    }

    async fn seen(&self, kind: Kind) -> BTreeMap<ResourceKey, Observed<Existing>> {
        let seen = self
            .provider
            .observe(&self.scene.identity, kind, &BTreeSet::new())
            .await;
        seen.unwrap().found
    }

    async fn present(&self, key: &str) -> Existing {
        let key: ResourceKey = key.parse().unwrap();
        match self.seen(key.kind()).await.remove(&key) {
            Some(Observed::Present(existing)) => existing,
            other => panic!("{key}: {other:?}"),
        }
    }

    async fn remove(&self, key: &str, disruption: Disruption) -> Outcome {
        let existing = Box::new(self.present(key).await);
        self.carry_out(key, Action::Delete { existing }, disruption).await
    }

    fn nodes(&self) -> Vec<String> {
        let names = self.scene.api.with(|world| world.names());
        let nodes = names.into_iter().filter(|name| name.starts_with("Node /"));
        nodes.collect()
    }
}

#[test]
fn whoever_joins_has_a_token_that_stays() {
    block_on(async {
        let groups = Groups::new().await;
        assert_eq!(groups.create(group(2)).await, Outcome::Done);
        let token = || {
            groups.scene.api.with(|world| {
                world
                    .get("v1", "Secret", "kube-system", "bootstrap-token-abcdef")
                    .cloned()
            })
        };
        let secret = token().unwrap();
        assert_eq!(secret["type"], "bootstrap.kubernetes.io/token");
        assert!(secret["data"].get("expiration").is_none(), "{secret}");
        let seen = groups.present("node-group/workers").await;
        assert_eq!((seen.resource, seen.health), (group(2).into(), Health::Healthy));
        // Where it is gone nobody can join, which is seen, and mended.
        groups.scene.api.with(|world| {
            let key = world.key("v1", "Secret", "kube-system", "bootstrap-token-abcdef");
            world.objects.remove(&key);
        });
        let seen = groups.present("node-group/workers").await;
        let fields: Vec<String> = seen
            .resource
            .differences(&group(2).into())
            .into_iter()
            .map(|one| one.field)
            .collect();
        assert_eq!(fields, ["settings"]);
        assert_eq!(groups.create(group(2)).await, Outcome::Done);
        assert_eq!(token().unwrap()["data"], secret["data"]);
        let again = groups.present("node-group/workers").await;
        assert_eq!(again.resource, group(2).into());
    });
}

#[test]
fn a_group_is_as_well_as_its_nodes_are_and_a_step_waits_for_them() {
    block_on(async {
        let groups = Groups::new().await;
        groups.cloud.state.lock().unwrap().is_unready = true;
        let outcome = groups.create(group(1)).await;
        let Outcome::Indeterminate(error) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(
            error.message,
            "nodes of workers are not Ready after 900 s: i-00000001: no network"
        );
        let seen = groups.present("node-group/workers").await;
        let expected = "0 of 1 nodes are Ready; i-00000001: no network".to_owned();
        assert_eq!(seen.health, Health::Unhealthy(expected));
        let nodes = groups.scene.find_all(Kind::Node, &BTreeSet::new()).await;
        let node = &nodes[&ResourceKey::new(Kind::Node, "i-00000001")];
        let Observed::Present(node) = node else {
            panic!("{node:?}");
        };
        let Resource::Node(joined) = &node.resource else {
            panic!("{node:?}");
        };
        assert_eq!(
            (joined.group.as_str(), &node.owner),
            ("workers", &Owner::ThisCluster)
        );
        let groups = groups.restarted();
        groups.scene.machines.silence_api(true);
        let seen = groups.present("node-group/workers").await;
        let Health::Unhealthy(why) = &seen.health else {
            panic!("{seen:?}");
        };
        assert!(why.starts_with("the API says nothing of its nodes: "), "{why}");
    });
}

#[test]
fn nodes_are_emptied_before_their_machines_go_but_where_everything_goes() {
    block_on(async {
        let groups = Groups::new().await;
        assert_eq!(groups.create(group(2)).await, Outcome::Done);
        let machine = "group-machine/i-00000001";
        assert_eq!(groups.remove(machine, Disruption::Drain).await, Outcome::Done);
        assert_eq!(groups.nodes(), ["Node /i-00000002", "Node /i-00000003"]);
        assert_eq!(
            groups.remove("node-group/workers", Disruption::Drain).await,
            Outcome::Done
        );
        assert!(groups.nodes().is_empty(), "{:?}", groups.nodes());
        assert_eq!(groups.create(group(1)).await, Outcome::Done);
        assert_eq!(
            groups.remove("node-group/workers", Disruption::Removal).await,
            Outcome::Done
        );
        let deeds = std::mem::take(&mut groups.cloud.state.lock().unwrap().deeds);
        assert_eq!(
            deeds,
            [
                "create node-group/workers, cordoned: ",
                "delete group-machine/i-00000001, cordoned: i-00000001",
                "delete node-group/workers, cordoned: i-00000002 i-00000003",
                "create node-group/workers, cordoned: ",
                "delete node-group/workers, cordoned: ",
            ]
        );
    });
}
