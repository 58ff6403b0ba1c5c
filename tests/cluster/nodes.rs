//! From machines to nodes and back.

use std::collections::BTreeSet;
use std::time::Duration;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::Node;
use keelson_provider_api::values::{Taint, TaintEffect};
use keelson_provider_api::{
    Action, Clock as _, ErrorClass, Health, Kind, Observed, Outcome, Owner, Resource, ResourceKey,
};
use serde_json::{Value, json};

use super::api_server::{Fault, Stage};
use super::scene::{Scene, block_on};

fn taint(key: &str, value: &str) -> Taint {
    Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: TaintEffect::NoSchedule,
    }
}

fn worker(labels: &[(&str, &str)], taints: &[Taint]) -> Node {
    let labels = labels
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    Node {
        machine: "w".to_owned(),
        group: "workers".to_owned(),
        labels: labels.collect(),
        taints: taints.to_vec(),
    }
}

fn control_plane() -> Node {
    Node {
        group: "control-plane".to_owned(),
        ..worker(&[], &[taint("node-role.kubernetes.io/control-plane", "")])
    }
}

fn object(scene: &Scene) -> Value {
    scene
        .api
        .with(|world| world.get("v1", "Node", "", "w").cloned())
        .unwrap_or_default()
}

fn tokens(scene: &Scene) -> usize {
    scene.api.with(|world| {
        world
            .names()
            .iter()
            .filter(|name| name.starts_with("Secret "))
            .count()
    })
}

#[test]
fn a_worker_joins_with_a_token_that_is_gone_afterwards() {
    block_on(async {
        let scene = Scene::founded().await;
        let wanted = worker(&[("tier", "web")], &[taint("dedicated", "web")]);
        scene.make("w", wanted.clone()).await.unwrap();
        assert_eq!(scene.machines.deeds(), ["join w with a token"]);
        assert_eq!(tokens(&scene), 0);
        let seen = scene.present(Kind::Node, "w").await;
        assert_eq!(seen.resource, Resource::from(wanted));
        assert_eq!((seen.health, seen.generation), (Health::Healthy, 3));
        assert_eq!(seen.host_id.as_deref(), Some("id-of-w"));
        assert_eq!(seen.facts["kubeletVersion"], "v1.36.2");
        let object = object(&scene);
        assert_eq!(
            object["metadata"]["labels"]["kubernetes.io/hostname"], "w",
            "the kubelet's own stays"
        );
        assert_eq!(
            object["spec"]["taints"],
            json!([
                { "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" },
                { "key": "dedicated", "value": "web", "effect": "NoSchedule" },
            ])
        );
        assert_eq!(
            scene.told(),
            [
                "apply ClusterRoleBinding",
                "make a bootstrap token",
                "start the kubelet",
                "wait until the kubelet registers",
                "set labels and taints",
                "wait until the node is Ready: cni plugin not initialized",
            ]
        );
        scene
            .make("w", worker(&[("tier", "web")], &[taint("dedicated", "web")]))
            .await
            .unwrap();
        assert!(scene.machines.deeds().is_empty(), "there is nothing to do");
    });
}

#[test]
fn a_control_plane_needs_no_token_and_has_kubeadms_labels() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", control_plane()).await.unwrap();
        assert_eq!(scene.machines.deeds(), ["join w without a token"]);
        let labels = &object(&scene)["metadata"]["labels"];
        assert_eq!(labels["node-role.kubernetes.io/control-plane"], "");
        assert_eq!(
            labels["node.kubernetes.io/exclude-from-external-load-balancers"],
            ""
        );
        assert_eq!(
            scene.present(Kind::Node, "w").await.resource,
            Resource::from(control_plane())
        );
    });
}

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
fn a_node_that_does_not_become_ready_says_why() {
    block_on(async {
        let scene = Scene::founded().await;
        let why = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady";
        scene.machines.play(
            "w",
            &[Stage::NotReady(
                "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
            )],
        );
        scene
            .machines
            .say("w", "kubelet: no CNI configuration file in /etc/cni/net.d");
        let error = scene.make("w", worker(&[], &[])).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(
            error.message,
            format!(
                "node w is not Ready after 240 s: {why}; w itself says: kubelet: no CNI configuration file in /etc/cni/net.d"
            )
        );
        let seen = scene.present(Kind::Node, "w").await;
        assert_eq!(seen.health, Health::Unhealthy(format!("it is not Ready: {why}")));
    });
}

#[test]
fn a_kubelet_that_does_not_register_says_what_became_of_its_certificate() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.machines.play("w", &[]);
        let error = scene.make("w", worker(&[], &[])).await.unwrap_err();
        assert_eq!(
            error.message,
            "the kubelet of w has not registered after 300 s: it has not asked for a certificate: it does not reach the \
             API, or its token is not accepted"
        );
        // It is there, and in no group yet: the planner goes on with it.
        let seen = scene.present(Kind::Node, "w").await;
        assert_eq!(
            seen.health,
            Health::Unhealthy("its kubelet has not registered".to_owned())
        );
        let Resource::Node(node) = &seen.resource else {
            panic!()
        };
        assert_eq!(node.group, "");
        scene.machines.play("w", &[Stage::Ready]);
        scene.make("w", worker(&[], &[])).await.unwrap();
        assert_eq!(
            scene.machines.deeds(),
            ["join w with a token", "join w with a token"]
        );
        assert_eq!(tokens(&scene), 0);
        assert_eq!(
            scene.present(Kind::Node, "w").await.resource,
            Resource::from(worker(&[], &[]))
        );
    });
}

#[test]
fn a_pending_certificate_request_is_named() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.machines.play("w", &[]);
        let waiting = scene.make("w", worker(&[], &[]));
        let asking =
            async {
                let token = || {
                    let names = scene.api.with(|world| world.names());
                    names.into_iter().find_map(|name| {
                        Some(
                            name.strip_prefix("Secret kube-system/bootstrap-token-")?
                                .to_owned(),
                        )
                    })
                };
                let id = loop {
                    match token() {
                        Some(id) => break id,
                        None => SystemClock.sleep(Duration::from_millis(1)).await,
                    }
                };
                scene.api.with(|world| {
                    world.put("certificates.k8s.io/v1", "CertificateSigningRequest", "", &json!({
                    "metadata": { "name": "csr-1" },
                    "spec": { "request": "", "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                        "username": format!("system:bootstrap:{id}") },
                }));
                });
            };
        let (made, ()) = futures_util::future::join(waiting, asking).await;
        let message = made.unwrap_err().message;
        assert!(
            message.ends_with("its certificate request csr-1 is not approved yet"),
            "{message}"
        );
    });
}

#[test]
fn a_joined_node_is_there_while_the_api_is_silent() {
    block_on(async {
        let scene = Scene::founded().await;
        let wanted = worker(&[("a", "1")], &[]);
        scene.make("w", wanted.clone()).await.unwrap();
        let scene = scene.restarted();
        scene.machines.silence_api(true);
        let seen = scene.present(Kind::Node, "w").await;
        assert_eq!(seen.resource, Resource::from(wanted));
        let why = "the API says nothing of it: no API server answers: a: connection refused";
        assert_eq!(seen.health, Health::Unhealthy(why.to_owned()));
        assert!(
            matches!(scene.find(Kind::Node, "other").await, Observed::Absent),
            "its machine says so"
        );
        let addon = scene.find(Kind::Addon, "cluster-access").await;
        assert!(
            matches!(&addon, Observed::Unknown(why) if why.contains("connection refused")),
            "{addon:?}"
        );
    });
}

#[test]
fn nothing_is_there_where_no_control_plane_was_ever_made() {
    block_on(async {
        let scene = Scene::new().await;
        scene.machines.without_control_plane();
        scene.machines.silence_api(true);
        assert!(matches!(scene.find(Kind::Node, "w").await, Observed::Absent));
        assert!(matches!(
            scene.find(Kind::Addon, "coredns").await,
            Observed::Absent
        ));
        assert_eq!(scene.machines.ways(), 0);
    });
}

#[test]
fn a_node_is_drained_deleted_and_its_machine_leaves() {
    block_on(async {
        let scene = Scene::founded().await;
        scene.make("w", worker(&[], &[])).await.unwrap();
        let _ = (scene.machines.deeds(), scene.told());
        scene.api.with(|world| {
            world.put(
                "v1",
                "Pod",
                "default",
                &json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "w", "containers": [] },
                "status": { "phase": "Running" } }),
            );
        });
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
        let why = "nothing is heard of its kubelet: Kubelet stopped posting node status.";
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

#[test]
fn a_bring_up_that_was_cut_off_anywhere_is_finished_by_the_next_run() {
    block_on(async {
        let wanted = worker(&[("a", "1")], &[taint("x", "1")]);
        let undisturbed = Scene::founded().await;
        undisturbed.make("w", wanted.clone()).await.unwrap();
        let requests = undisturbed.api.requests().len();
        for at in 0..requests {
            for fault in [Fault::DropBefore, Fault::DropAfter] {
                let scene = Scene::founded().await;
                // Dead from there on: what waits does so until its patience ends.
                scene.api.fail(move |number, _| match number {
                    number if number < at => None,
                    number if number == at => Some(fault),
                    _ => Some(Fault::DropBefore),
                });
                let create = Action::Create {
                    resource: Box::new(wanted.clone().into()),
                    generation: 0,
                };
                let attempt = scene.attempt("w", create, Kind::Node);
                let _ = tokio::time::timeout(Duration::from_millis(300), attempt).await;
                scene.api.mend();
                let scene = scene.restarted();
                scene
                    .make("w", wanted.clone())
                    .await
                    .unwrap_or_else(|error| panic!("{at} {fault:?}: {error}"));
                let seen = scene.present(Kind::Node, "w").await;
                assert_eq!(seen.resource, Resource::from(wanted.clone()), "{at} {fault:?}");
                assert_eq!(tokens(&scene), 0, "{at} {fault:?}");
            }
        }
    });
}
