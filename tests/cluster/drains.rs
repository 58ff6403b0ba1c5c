//! Moving a node's pods elsewhere.

use std::time::Duration;

use keelson::cluster::{DrainOptions, Drained};
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{Clock as _, ErrorClass, Progress, ProviderError};
use serde_json::{Value, json};

use super::api_server::Fault;
use super::scene::{Scene, block_on};

fn pod(scene: &Scene, name: &str, changes: &Value) {
    let mut pod = json!({
        "metadata": {
            "name": name,
            "labels": { "app": "web" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": true }],
        },
        "spec": { "nodeName": "n", "containers": [] },
        "status": { "phase": "Running" },
    });
    for (pointer, value) in changes.as_object().unwrap() {
        *pod.pointer_mut(pointer).unwrap() = value.clone();
    }
    scene.api.with(|world| world.put("v1", "Pod", "shop", &pod));
}

async fn scene() -> Scene {
    let scene = Scene::founded().await;
    scene.api.with(|world| {
        world.put(
            "v1",
            "Node",
            "",
            &json!({
                "metadata": { "name": "n" }, "spec": {},
                "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
            }),
        );
        world.put("v1", "Namespace", "", &json!({ "metadata": { "name": "shop" } }));
    });
    scene
}

fn budget(scene: &Scene, allowed: i64) {
    scene.api.with(|world| {
        world.put(
            "policy/v1",
            "PodDisruptionBudget",
            "shop",
            &json!({
                "metadata": { "name": "web" },
                "spec": { "selector": { "matchLabels": { "app": "web" } } },
                "status": { "disruptionsAllowed": allowed },
            }),
        );
    });
}

async fn drain(scene: &Scene, options: &DrainOptions) -> Result<Drained, ProviderError> {
    scene
        .provider()
        .drain(&scene.identity, "n", options, &Progress::default())
        .await
}

fn pods_left(scene: &Scene) -> Vec<String> {
    let names = scene.api.with(|world| world.names());
    names
        .into_iter()
        .filter(|name| name.starts_with("Pod "))
        .collect()
}

#[test]
fn pods_go_but_those_that_are_the_machines_own_or_would_come_back_or_have_ended() {
    block_on(async {
        let scene = scene().await;
        pod(&scene, "web-1", &json!({}));
        pod(&scene, "web-2", &json!({}));
        pod(&scene, "elsewhere", &json!({ "/spec/nodeName": "other" }));
        pod(
            &scene,
            "agent",
            &json!({ "/metadata/ownerReferences/0/kind": "DaemonSet" }),
        );
        pod(&scene, "job", &json!({ "/status/phase": "Succeeded" }));
        pod(
            &scene,
            "mirror",
            &json!({ "/metadata": { "name": "mirror",
            "annotations": { "kubernetes.io/config.mirror": "x" } } }),
        );
        let drained = drain(&scene, &DrainOptions::default()).await.unwrap();
        let mut evicted = drained.evicted;
        evicted.sort();
        assert_eq!(evicted, ["shop/web-1", "shop/web-2"]);
        assert_eq!(
            pods_left(&scene),
            [
                "Pod shop/agent",
                "Pod shop/elsewhere",
                "Pod shop/job",
                "Pod shop/mirror"
            ]
        );
        let left: Vec<(String, &str)> = drained.left;
        assert_eq!(
            left,
            [
                ("shop/agent".to_owned(), "a DaemonSet would bring it back"),
                ("shop/job".to_owned(), "it has ended"),
                ("shop/mirror".to_owned(), "it is the machine's own"),
            ]
        );
        let node = scene
            .api
            .with(|world| world.get("v1", "Node", "", "n").unwrap().clone());
        assert_eq!(node["spec"]["unschedulable"], true);
        // Deletes would not ask the budgets.
        assert!(
            !scene
                .api
                .requests()
                .iter()
                .any(|request| request.starts_with("DELETE"))
        );
    });
}

#[test]
fn a_budget_is_waited_for() {
    block_on(async {
        let scene = scene().await;
        pod(&scene, "web-1", &json!({}));
        pod(&scene, "web-2", &json!({}));
        budget(&scene, 1);
        let options = DrainOptions::default();
        let draining = drain(&scene, &options);
        let relenting = async {
            // The first pod has come back elsewhere.
            let is_one_left = || pods_left(&scene).len() == 1;
            while !is_one_left() {
                SystemClock.sleep(Duration::from_millis(1)).await;
            }
            budget(&scene, 1);
        };
        let (drained, ()) = futures_util::future::join(draining, relenting).await;
        assert_eq!(drained.unwrap().evicted.len(), 2);
        assert!(pods_left(&scene).is_empty());
    });
}

#[test]
fn a_budget_that_never_gives_way_is_named_with_its_pods() {
    block_on(async {
        let scene = scene().await;
        pod(&scene, "web-1", &json!({}));
        pod(&scene, "api-1", &json!({ "/metadata/labels/app": "api" }));
        budget(&scene, 0);
        let options = DrainOptions {
            // Long enough for the other pod to be seen gone, however slow this machine is.
            limit: Duration::from_secs(600),
            ..DrainOptions::default()
        };
        let error = drain(&scene, &options).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(
            error.message,
            "1 pod still on n after 600 s: shop/web-1 (Cannot evict pod as it would violate the pod's disruption budget.; \
             The disruption budget web needs 2 healthy pods and has 2 currently)"
        );
        assert_eq!(pods_left(&scene), ["Pod shop/web-1"], "the other one has gone");
    });
}

#[test]
fn a_pod_that_does_not_end_is_named_with_the_time_that_it_has() {
    block_on(async {
        let scene = scene().await;
        scene.api.with(|world| world.looks_until_gone = 100_000);
        pod(&scene, "web-1", &json!({}));
        let options = DrainOptions {
            // Three seconds of real time: long enough for what is asked first, however slow this machine is.
            limit: Duration::from_secs(600),
            ..DrainOptions::default()
        };
        let error = drain(&scene, &options).await.unwrap_err();
        assert_eq!(
            error.message,
            "1 pod still on n after 600 s: shop/web-1 (it is ending, for which it has 30 s)"
        );
        let evictions = scene
            .api
            .requests()
            .iter()
            .filter(|request| request.ends_with("/eviction"))
            .count();
        assert_eq!(evictions, 1, "it was asked once");
    });
}

#[test]
fn the_pods_of_a_kubelet_that_falls_silent_are_not_waited_for() {
    block_on(async {
        let scene = scene().await;
        scene.api.with(|world| world.looks_until_gone = 100_000);
        pod(&scene, "web-1", &json!({}));
        let options = DrainOptions::default();
        let draining = drain(&scene, &options);
        let dying = async {
            let is_asked = || {
                let requests = scene.api.requests();
                requests.iter().any(|request| request.ends_with("/eviction"))
            };
            while !is_asked() {
                SystemClock.sleep(Duration::from_millis(1)).await;
            }
            scene.api.with(|world| {
                let mut node = world.get("v1", "Node", "", "n").unwrap().clone();
                node["status"]["conditions"] = json!([{
                    "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                }]);
                world.put("v1", "Node", "", &node);
            });
        };
        let (drained, ()) = futures_util::future::join(draining, dying).await;
        let error = drained.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(
            error.message,
            "nothing is heard of the kubelet of n, so its pods cannot be told to end: Kubelet stopped posting node \
             status"
        );
    });
}

#[test]
fn pods_that_nobody_brings_back_can_be_protected() {
    block_on(async {
        let scene = scene().await;
        pod(&scene, "alone", &json!({ "/metadata/ownerReferences": [] }));
        let options = DrainOptions {
            evicts_unmanaged: false,
            ..DrainOptions::default()
        };
        let error = drain(&scene, &options).await.unwrap_err();
        assert_eq!(
            error.message,
            "no controller would bring these pods back: shop/alone"
        );
        assert_eq!(pods_left(&scene), ["Pod shop/alone"]);
        drain(&scene, &DrainOptions::default()).await.unwrap();
        assert!(pods_left(&scene).is_empty());
    });
}

#[test]
fn servers_that_fail_are_asked_again() {
    block_on(async {
        let scene = scene().await;
        for name in ["web-1", "web-2", "web-3"] {
            pod(&scene, name, &json!({}));
        }
        scene.api.fail(|number, request| {
            let evicts = request.path.ends_with("/eviction");
            (evicts && number % 2 == 0 && number < 12).then_some(Fault::Internal)
        });
        drain(&scene, &DrainOptions::default()).await.unwrap();
        assert!(pods_left(&scene).is_empty());
    });
}

#[test]
fn a_node_is_cordoned_and_takes_pods_again() {
    block_on(async {
        let scene = scene().await;
        let is_closed = || {
            scene
                .api
                .with(|world| world.get("v1", "Node", "", "n").unwrap()["spec"]["unschedulable"].clone())
        };
        scene.provider().cordon(&scene.identity, "n", true).await.unwrap();
        assert_eq!(is_closed(), true);
        scene
            .provider()
            .cordon(&scene.identity, "n", false)
            .await
            .unwrap();
        assert_eq!(is_closed(), false);
        let error = scene
            .provider()
            .cordon(&scene.identity, "nobody", true)
            .await
            .unwrap_err();
        assert_eq!(error.message, "the cluster has no node nobody");
    });
}
