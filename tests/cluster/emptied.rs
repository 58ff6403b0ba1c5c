//! Nodes that are emptied while what their machines run is exchanged.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keelson::cluster::DrainsFirst;
use keelson_provider_api::kinds::{Node, NodeBundle};
use keelson_provider_api::values::{Digest, Labels, Version};
use keelson_provider_api::{
    Action, Change, ClusterIdentity, Disruption, ErrorClass, Kind, KindObservation, Outcome, Progress,
    Provider, ProviderError, ResourceKey, StepContext,
};
use serde_json::{Value, json};

use super::scene::{Scene, block_on};

/// A provider of bundles that looks at the node while it is at work.
struct Bundles {
    looks: Box<dyn Fn() -> String + Send + Sync>,
    seen: Mutex<Vec<String>>,
    fails: bool,
}

#[async_trait]
impl Provider for Bundles {
    fn name(&self) -> &'static str {
        "bundles"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::NodeBundle]
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
        _: Kind,
        _: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        Ok(KindObservation::default())
    }

    async fn carry_out(&self, _: &StepContext<'_>, _: &Change) -> Outcome {
        self.seen.lock().unwrap().push((self.looks)());
        if self.fails {
            Outcome::Rejected(ProviderError::new(ErrorClass::Permanent, "it does not come up"))
        } else {
            Outcome::Done
        }
    }
}

fn worker() -> Node {
    Node {
        machine: "w".to_owned(),
        group: "workers".to_owned(),
        labels: Labels::new(),
        taints: Vec::new(),
    }
}

/// A node `w` with a pod, and another one where there is to be one.
async fn scene(has_another: bool) -> Scene {
    let scene = Scene::founded().await;
    scene.make("w", worker()).await.unwrap();
    scene.api.with(|world| {
        world.put("v1", "Namespace", "", &json!({ "metadata": { "name": "shop" } }));
        if has_another {
            world.put(
                "v1",
                "Node",
                "",
                &json!({ "metadata": { "name": "other" }, "spec": {},
                    "status": { "conditions": [{ "type": "Ready", "status": "True" }] } }),
            );
        }
        world.edit("v1", "Node", "", "w", |node| node["spec"]["taints"] = json!([]));
        world.put(
            "v1",
            "Pod",
            "shop",
            &json!({ "metadata": { "name": "web", "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "name": "web", "uid": "u", "controller": true }] },
                "spec": { "nodeName": "w", "containers": [] }, "status": { "phase": "Running" } }),
        );
    });
    scene
}

/// Whether `w` takes pods, and how many it has.
fn state(scene: &Scene) -> String {
    scene.api.with(|world| {
        let node = world.get("v1", "Node", "", "w").cloned().unwrap_or_default();
        let pods = world
            .names()
            .iter()
            .filter(|name| name.starts_with("Pod "))
            .count();
        let cordoned = node["spec"]["unschedulable"] == Value::Bool(true);
        format!("{}, {pods} pods", if cordoned { "cordoned" } else { "open" })
    })
}

/// Changes the bundle of `w`: how that ends, and how the node was meanwhile.
async fn change(scene: &Scene, disruption: Disruption, fails: bool) -> (Outcome, Vec<String>) {
    let api = scene.api.clone();
    let looks = move || {
        api.with(|world| {
            let pods = world
                .names()
                .iter()
                .filter(|name| name.starts_with("Pod "))
                .count();
            format!("{pods} pods")
        })
    };
    let bundles = Arc::new(Bundles {
        looks: Box::new(looks),
        seen: Mutex::default(),
        fails,
    });
    let provider = DrainsFirst::new(bundles.clone(), scene.provider().clone());
    let resource = NodeBundle {
        machine: "w".to_owned(),
        kubernetes_version: Some(Version::new(1, 36, 2)),
        etcd_version: None,
        settings: Digest::of_bytes(b""),
        certificates: None,
        authorities: None,
        altered_files: BTreeSet::new(),
        stopped_units: BTreeSet::new(),
    };
    let change = Change {
        key: ResourceKey::new(Kind::NodeBundle, "w"),
        action: Action::Update {
            id: "1".to_owned(),
            resource: Box::new(resource.into()),
            differences: Vec::new(),
        },
        reason: "a test wants it".to_owned(),
        disruption,
        replacement: false,
    };
    let context = StepContext {
        cluster: scene.identity.clone(),
        fencing_generation: scene.fencing_generation,
        attempt: 0,
        progress: Progress::default(),
    };
    let outcome = provider.carry_out(&context, &change).await;
    let seen = bundles.seen.lock().unwrap().clone();
    (outcome, seen)
}

#[test]
fn a_node_is_emptied_and_gets_pods_again() {
    block_on(async {
        let scene = scene(true).await;
        let (outcome, seen) = change(&scene, Disruption::Restart, false).await;
        assert_eq!((outcome, seen.join("")), (Outcome::Done, "1 pods".to_owned()));
        assert_eq!(state(&scene), "open, 1 pods", "a restart moves nothing");
        let (outcome, seen) = change(&scene, Disruption::Drain, false).await;
        assert_eq!((outcome, seen.join("")), (Outcome::Done, "0 pods".to_owned()));
        assert_eq!(state(&scene), "open, 0 pods");
    });
}

#[test]
fn pods_stay_where_there_is_no_other_place_for_them() {
    block_on(async {
        let scene = scene(false).await;
        let (outcome, _) = change(&scene, Disruption::Drain, false).await;
        assert_eq!(
            (outcome, state(&scene)),
            (Outcome::Done, "open, 1 pods".to_owned())
        );
        scene.machines.silence_api(true);
        let scene = scene.restarted();
        let (outcome, _) = change(&scene, Disruption::Drain, false).await;
        assert_eq!(
            outcome,
            Outcome::Done,
            "nobody answers, and it may be what mends that"
        );
    });
}

#[test]
fn a_node_that_is_not_well_stays_cordoned_until_it_is_gone_on_with() {
    block_on(async {
        let scene = scene(true).await;
        let (outcome, _) = change(&scene, Disruption::Drain, true).await;
        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
        assert_eq!(state(&scene), "cordoned, 0 pods");
        let seen = scene.present(Kind::Node, "w").await.resource;
        assert_ne!(seen, worker().into(), "it is seen to differ");
        scene.make("w", worker()).await.unwrap();
        assert_eq!(state(&scene), "open, 0 pods");
        assert_eq!(scene.present(Kind::Node, "w").await.resource, worker().into());
    });
}

#[test]
fn what_people_have_cordoned_stays_so() {
    block_on(async {
        let scene = scene(true).await;
        scene.provider().cordon(&scene.identity, "w", true).await.unwrap();
        let (outcome, seen) = change(&scene, Disruption::Drain, false).await;
        assert_eq!((outcome, seen.join("")), (Outcome::Done, "0 pods".to_owned()));
        assert_eq!(state(&scene), "cordoned, 0 pods");
        assert_eq!(scene.present(Kind::Node, "w").await.resource, worker().into());
    });
}
