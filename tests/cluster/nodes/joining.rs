//! A machine becomes a node, at once or in the end, or says why not.

use std::time::Duration;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{Action, Clock as _, ErrorClass, Health, Kind, Observed, Resource};
use serde_json::json;

use super::{control_plane, object, taint, tokens, worker};
use crate::cluster::api_server::{Fault, Stage};
use crate::cluster::scene::{Scene, block_on};

#[test]
fn a_worker_joins_with_a_token_that_is_gone_afterwards() {
    block_on(async {
        let scene = Scene::founded().await;
        let wanted = worker(&[("tier", "web")], &[taint("dedicated", "web")]);
        scene.make("w", wanted.clone()).await.unwrap();
        assert_eq!(scene.machines.deeds(), ["join w with a token, to register"]);
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
        assert_eq!(scene.machines.deeds(), ["join w without a token, to register"]);
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
            [
                "join w with a token, to register",
                "join w with a token, to register"
            ]
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
fn a_node_that_lost_its_object_or_its_certificate_comes_in_again() {
    block_on(async {
        for (wanted, joins, token) in [
            (worker(&[("tier", "web")], &[]), "join w with a token", true),
            (control_plane(), "join w without a token", false),
        ] {
            let scene = Scene::founded().await;
            let comes_again = async |how: &str| {
                scene.make("w", wanted.clone()).await.unwrap();
                assert_eq!(scene.machines.deeds(), [how]);
                let seen = scene.present(Kind::Node, "w").await;
                assert_eq!(
                    (seen.resource, seen.health),
                    (wanted.clone().into(), Health::Healthy)
                );
                assert_eq!(tokens(&scene), 0);
            };
            let unwell = async || scene.present(Kind::Node, "w").await.health;
            let to_register = format!("{joins}, to register");
            comes_again(&to_register).await;
            scene.api.with(|world| {
                let key = world.key("v1", "Node", "", "w");
                world.objects.remove(&key).unwrap();
            });
            assert_eq!(
                unwell().await,
                Health::Unhealthy("its kubelet has not registered".to_owned())
            );
            comes_again(&to_register).await;
            scene.machines.lose_certificate("w");
            if token {
                assert_eq!(
                    unwell().await,
                    Health::Unhealthy("its kubelet has no certificate any more".to_owned())
                );
                comes_again(joins).await;
            } else {
                assert_eq!(unwell().await, Health::Healthy, "its bundle brings it");
            }
        }
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
