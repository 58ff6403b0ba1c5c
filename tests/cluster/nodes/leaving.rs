//! A node goes, whether its machine still answers or not.

use std::collections::BTreeSet;

use keelson_provider_api::{Action, ErrorClass, Health, Kind, Observed, Outcome, Owner, ResourceKey};
use serde_json::{Value, json};

use super::{object, worker};
use crate::cluster::scene::{Scene, block_on};

/// Has a pod run on the node `w`.
fn run_a_pod(scene: &Scene) {
    let pod = json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "w", "containers": [] },
        "status": { "phase": "Running" } });
    scene.api.with(|world| world.put("v1", "Pod", "default", &pod));
}

#[test]
fn a_node_is_drained_deleted_and_its_machine_leaves() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let _ = (scene.machines.deeds(), scene.told());
        run_a_pod(&scene);
        scene.remove(Kind::Node, "w").await.unwrap();
        assert_eq!(scene.machines.deeds(), ["leave w"]);
        let names = scene.api.with(|world| world.names());
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("Node ") || name.starts_with("Pod ")),
            "{names:?}"
        );
        assert_eq!(
            scene.told(),
            [
                "cordon w",
                "wait for 1 pod to leave w",
                "evict default/p",
                "delete node w",
                "stop the kubelet and its pods",
            ]
        );
        assert!(matches!(scene.find(Kind::Node, "w").await, Observed::Absent));
    });
}

#[test]
fn a_node_whose_machine_was_forgotten_is_deleted_and_nobody_looks_for_the_machine() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let _ = (scene.machines.deeds(), scene.told());
        // After a restore a Node says that it is Ready, as it was when the snapshot was taken, for as long as nobody has seen more of it.
        scene.machines.forget("w");
        run_a_pod(&scene);
        let mut all = scene.find_all(Kind::Node, &BTreeSet::new()).await;
        let Some(Observed::Present(left)) = all.remove(&ResourceKey::new(Kind::Node, "w")) else {
            panic!("{all:?}")
        };
        scene.remove_seen(Kind::Node, "w", left).await.unwrap();
        assert_eq!(scene.machines.deeds(), [] as [&str; 0]);
        assert_eq!(object(&scene), Value::Null);
        assert_eq!(
            scene.told(),
            [
                "cordon it; its machine is not the cluster's any more, so its pods cannot be asked to go",
                "delete node w",
            ]
        );
    });
}

#[test]
fn a_node_whose_machine_is_gone_is_there_until_it_is_deleted() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        scene.machines.darken("w");
        scene.api.with(|world| {
            world.edit("v1", "Node", "", "w", |node| {
                node["status"]["conditions"] = json!([{ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status." }]);
            });
            world.put("v1", "Pod", "default", &json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "w", "containers": [] } }));
        });
        let _ = scene.told();
        let seen = scene.present(Kind::Node, "w").await;
        assert_eq!((seen.owner.clone(), seen.generation), (Owner::ThisCluster, 3));
        let why = "nothing is heard of its kubelet: Kubelet stopped posting node status";
        assert_eq!(seen.health, Health::Unhealthy(why.to_owned()));
        scene.remove(Kind::Node, "w").await.unwrap();
        assert_eq!(object(&scene), Value::Null);
        assert_eq!(
            scene.told().last().unwrap(),
            "w does not answer (w does not answer): left on it are its kubelet, its pods, its certificates and its network"
        );
        assert!(
            !scene
                .api
                .requests()
                .iter()
                .any(|request| request.ends_with("/eviction"))
        );
        assert!(
            matches!(scene.find(Kind::Node, "w").await, Observed::Unknown(_)),
            "nobody knows what is on the machine"
        );
    });
}

/// For a while after a machine has died its Node looks Ready: what could not be stopped there then is told the next time.
#[test]
fn a_node_whose_machine_has_just_died_goes_at_the_second_try() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let seen = scene.present(Kind::Node, "w").await;
        scene.machines.darken("w");
        let first = scene
            .remove_seen(Kind::Node, "w", seen.clone())
            .await
            .unwrap_err();
        assert!(first.to_string().contains("does not answer"), "{first}");
        assert_eq!(object(&scene), Value::Null);
        scene.remove_seen(Kind::Node, "w", seen).await.unwrap();
        assert!(
            scene
                .told()
                .last()
                .unwrap()
                .contains("left on it are its kubelet")
        );
    });
}

#[test]
fn a_node_whose_machine_is_a_node_no_more_is_left_over_unless_it_is_wanted() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let _ = keelson_provider_api::Kubelets::leave(
            scene.machines.as_ref(),
            &keelson_provider_api::StepContext {
                cluster: scene.identity.clone(),
                fencing_generation: 7,
                attempt: 0,
                progress: keelson_provider_api::Progress::default(),
            },
            "w",
        )
        .await;
        assert!(
            matches!(scene.find(Kind::Node, "w").await, Observed::Absent),
            "wanted, it is made anew"
        );
        let all = scene.find_all(Kind::Node, &BTreeSet::new()).await;
        let Some(Observed::Present(left)) = all.get(&ResourceKey::new(Kind::Node, "w")) else {
            panic!("{all:?}")
        };
        assert_eq!(
            left.health,
            Health::Unhealthy("its machine is no node of this cluster any more".to_owned())
        );
        // While it is Ready, it runs somewhere.
        let create = || Action::Create {
            resource: Box::new(worker(&[], &[]).into()),
            generation: 4,
        };
        let Outcome::Rejected(error) = scene.attempt("w", create(), Kind::Node).await else {
            panic!()
        };
        assert_eq!(error.class, ErrorClass::Transient);
        assert!(error.message.contains("is Ready already"), "{error}");
        scene.api.with(|world| {
            world.edit("v1", "Node", "", "w", |node| {
                node["status"]["conditions"][0]["status"] = json!("Unknown");
                node["metadata"]["labels"]["of-before"] = json!("yes");
            });
        });
        assert_eq!(scene.attempt("w", create(), Kind::Node).await, Outcome::Done);
        assert_eq!(
            object(&scene)["metadata"]["labels"]["of-before"],
            Value::Null,
            "it is another node"
        );
        assert_eq!(scene.present(Kind::Node, "w").await.generation, 4);
    });
}

#[test]
fn a_node_of_another_incarnation_is_not_deleted() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let mut existing = Box::new(scene.present(Kind::Node, "w").await);
        existing.generation = 2;
        let outcome = scene.attempt("w", Action::Delete { existing }, Kind::Node).await;
        let Outcome::Rejected(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.message, "node w was made anew meanwhile");
    });
}
