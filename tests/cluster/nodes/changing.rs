//! Labels and taints, which others change as well.

use keelson_provider_api::{ErrorClass, Kind, Resource};
use serde_json::{Value, json};

use super::{object, taint, tokens, worker};
use crate::cluster::api_server::Stage;
use crate::cluster::scene::{Scene, block_on};

#[test]
fn labels_and_taints_change_as_far_as_they_are_keelsons() {
    block_on(async {
        let scene = Scene::founded().await;
        scene
            .make(
                "w",
                worker(&[("a", "1"), ("b", "2")], &[taint("x", "1"), taint("y", "")]),
            )
            .await
            .unwrap();
        scene.api.with(|world| {
            world.edit("v1", "Node", "", "w", |node| {
                node["metadata"]["labels"]["theirs"] = json!("kept");
                node["spec"]["taints"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({ "key": "theirs", "effect": "NoExecute" }));
            });
        });
        let _ = scene.machines.deeds();
        let wanted = worker(&[("a", "9"), ("c", "3")], &[taint("y", ""), taint("x", "2")]);
        scene.make("w", wanted.clone()).await.unwrap();
        assert_eq!(scene.machines.deeds(), ["rewrite w"]);
        assert_eq!(
            scene.present(Kind::Node, "w").await.resource,
            Resource::from(wanted.clone())
        );
        let labels = &object(&scene)["metadata"]["labels"];
        assert_eq!((&labels["theirs"], &labels["b"]), (&json!("kept"), &Value::Null));
        let keys: Vec<Value> = object(&scene)["spec"]["taints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|taint| taint["key"].clone())
            .collect();
        assert_eq!(keys, ["node.kubernetes.io/not-ready", "y", "theirs", "x"]);
        // Someone else changes what is keelson's: that is seen and put right.
        scene.api.with(|world| {
            world.edit("v1", "Node", "", "w", |node| {
                node["metadata"]["labels"]["a"] = json!("0");
            });
        });
        assert_ne!(
            scene.present(Kind::Node, "w").await.resource,
            Resource::from(wanted.clone())
        );
        scene.make("w", wanted.clone()).await.unwrap();
        assert_eq!(
            scene.present(Kind::Node, "w").await.resource,
            Resource::from(wanted)
        );
    });
}

#[test]
fn a_node_that_someone_else_changes_meanwhile_is_labelled_all_the_same() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        // Every second look at the node is followed by a change of its kubelet's.
        scene
            .api
            .with(|world| world.stages.insert("w".to_owned(), vec![Stage::Ready; 8].into()));
        scene.api.fail(|_, _| None);
        scene.make("w", worker(&[("a", "1")], &[])).await.unwrap();
        assert_eq!(object(&scene)["metadata"]["labels"]["a"], "1");
    });
}

#[test]
fn a_run_that_comes_late_changes_no_node_and_takes_no_token() {
    block_on(async {
        let mut scene = Scene::founded().await;
        scene.make("w", worker(&[("a", "1")], &[])).await.unwrap();
        let label = |scene: &Scene| object(scene)["metadata"]["labels"]["a"].clone();
        scene.fencing_generation = 6;
        let error = scene.make("w", worker(&[("a", "2")], &[])).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Fenced, "{error}");
        assert_eq!(label(&scene), "1");
        let token = json!({ "metadata": { "name": "bootstrap-token-later1", "labels": {
            "keelson.dev/node": "w", "keelson.dev/fencing-generation": "9" } } });
        scene
            .api
            .with(|world| world.put("v1", "Secret", "kube-system", &token));
        scene.fencing_generation = 8;
        scene.make("w", worker(&[("a", "3")], &[])).await.unwrap();
        assert_eq!((label(&scene), tokens(&scene)), (json!("3"), 1));
    });
}
