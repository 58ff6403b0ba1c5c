//! Control planes that come up, are watched, end, and do not come up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{
    ErrorClass, EtcdRestore as _, Existing, Health, Observed, Outcome, Owner, Provider, ProviderError,
    ReachApi, Resource, ResourceKey,
};
use keelson_provider_ssh::ControlPlaneProvider;
use keelson_provider_ssh::etcd::EtcdProvider;

use crate::support::{Scene, Told, claim_all, control_plane, control_planes, create, delete, look, update};

const MARK: &str = "/var/lib/keelson/control-plane.json";

async fn present(provider: &ControlPlaneProvider, name: &str) -> Existing {
    match look(provider, "u1", Kind::ControlPlane, name).await {
        Observed::Present(existing) => existing,
        other => panic!("{other:?}"),
    }
}

async fn unwell(provider: &ControlPlaneProvider, name: &str) -> String {
    match present(provider, name).await.health {
        Health::Unhealthy(why) | Health::Stalled(why) | Health::Impaired(why) | Health::Lost(why) => why,
        Health::Healthy => panic!("{name} is well"),
    }
}

/// What is there although nobody asked for it.
async fn unwanted(provider: &ControlPlaneProvider, name: &str) -> Option<Observed<Existing>> {
    let seen = provider
        .observe(&Scene::cluster("u1"), Kind::ControlPlane, &BTreeSet::new())
        .await
        .unwrap();
    seen.found
        .get(&ResourceKey::new(Kind::ControlPlane, name))
        .cloned()
}

#[tokio::test]
async fn a_control_plane_comes_up_is_watched_and_ends() {
    let Some(scene) = Scene::of_hosts("a_control_plane_comes_up_is_watched_and_ends", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, provider, told) = (scene.host(0), control_planes(&scene).await, Told::default());
    let cluster = Scene::cluster("u1");
    assert_eq!(
        look(&provider, "u1", Kind::ControlPlane, "a").await,
        Observed::Absent
    );
    assert!(!provider.has_control_plane(&cluster).await.unwrap());

    let wanted = control_plane("a", "10.0.0.100:6443");
    let begun = Instant::now();
    let done = told.carry_out(&provider, &create("a", wanted.clone())).await;
    assert_eq!(done, Outcome::Done);
    println!("control plane of fakes: {} ms", begun.elapsed().as_millis());
    let lines = told.lines();
    assert!(lines.contains(&"start kubelet.service".to_owned()), "{lines:?}");
    let mark = host.read_file(MARK).unwrap();
    assert!(String::from_utf8_lossy(&mark).contains("\"answeredAt\":"));
    assert_eq!(host.run("systemctl is-enabled kubelet").unwrap(), "enabled\n");

    let again = told.carry_out(&provider, &create("a", wanted.clone())).await;
    assert_eq!((again, host.read_file(MARK).unwrap()), (Outcome::Done, mark));
    assert_eq!(told.lines().len(), lines.len(), "nothing is done twice");
    let seen = present(&provider, "a").await;
    assert_eq!(seen.resource, Resource::ControlPlane(wanted));
    assert_eq!(
        (seen.owner, seen.health, seen.generation),
        (Owner::ThisCluster, Health::Healthy, 2)
    );
    assert!(provider.has_control_plane(&cluster).await.unwrap());
    assert!(!provider.has_control_plane(&Scene::cluster("u2")).await.unwrap());

    it_says_what_is_wrong(&scene, &provider).await;
    let moved = control_plane("a", "10.0.0.101:6443");
    let done = told.carry_out(&provider, &update("a", moved.clone())).await;
    assert_eq!(done, Outcome::Done);
    let later = present(&provider, "a").await;
    assert_eq!(
        (later.resource, later.created_at),
        (Resource::ControlPlane(moved.clone()), seen.created_at)
    );
    it_ends(&scene, &provider, &delete("a", moved)).await;
}

async fn it_says_what_is_wrong(scene: &Scene, provider: &ControlPlaneProvider) {
    let host = scene.host(0);
    host.run("touch /run/fake/kube-apiserver-unwell").unwrap();
    let why = unwell(provider, "a").await;
    assert!(
        why.contains("kube-apiserver does not answer: etcd failed: reason withheld"),
        "{why}"
    );
    host.run("rm /run/fake/kube-apiserver-unwell; systemctl stop kubelet")
        .unwrap();
    let why = unwell(provider, "a").await;
    assert!(
        why.contains("kube-scheduler does not answer: Failed to connect to 127.0.0.1 port 10259")
            && why.contains("kubelet.service is inactive"),
        "{why}"
    );
    host.run("systemctl start kubelet").unwrap();
}

async fn it_ends(scene: &Scene, provider: &ControlPlaneProvider, end: &keelson_provider_api::Change) {
    let host = scene.host(0);
    for generation in [1, 2] {
        let ended = provider.carry_out(&Scene::context("u1", generation), end).await;
        assert_eq!(ended, Outcome::Done);
    }
    assert_eq!(
        look(provider, "u1", Kind::ControlPlane, "a").await,
        Observed::Absent
    );
    let state = host.run_as(
        "root",
        "systemctl is-active kubelet; systemctl is-enabled kubelet; ss -Hltn 'sport = :6443'",
    );
    assert_eq!(state.unwrap().stdout, "inactive\ndisabled\n");
    let asked = host.run("cat /var/log/fake-crictl").unwrap();
    assert!(
        asked.contains("stop --timeout 10 container-2") && asked.contains("rmp --force --all"),
        "{asked}"
    );
    assert!(
        host.run("ls /etc/kubernetes/manifests")
            .unwrap()
            .contains("kube-apiserver.yaml"),
        "they are the bundle's"
    );
}

/// A control plane of somebody else's in a container of this host, and a program whose name only begins like one of ours.
const OTHERS: &str = "
    cp /usr/bin/sleep /root/kube-controllers
    cp /usr/bin/sleep /root/kube-apiserver
    systemd-run --quiet --unit=controllers /root/kube-controllers 1000
    systemd-run --quiet --unit=nested --property=PrivateNetwork=yes /root/kube-apiserver 1000
";

#[tokio::test]
async fn a_control_plane_is_held_and_those_of_others_run_on() {
    let Some(scene) = Scene::of_hosts("a_control_plane_is_held_and_those_of_others_run_on", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, provider) = (scene.host(0), control_planes(&scene).await);
    let wanted = control_plane("a", "10.0.0.100:6443");
    let done = Told::default().carry_out(&provider, &create("a", wanted)).await;
    assert_eq!(done, Outcome::Done);
    host.run(OTHERS).unwrap();
    let etcd = EtcdProvider::new(scene.hosts("root").await, Arc::new(SystemClock));
    for _ in 0..2 {
        etcd.hold_control_planes(&Scene::context("u1", 1)).await.unwrap();
        let left = "systemctl is-active controllers nested; ss -Hltn 'sport = :6443 or sport = :10259'; \
                    ls /etc/kubernetes/manifests";
        assert_eq!(host.run(left).unwrap(), "active\nactive\n");
    }
    for _ in 0..2 {
        etcd.release_control_planes(&Scene::context("u1", 1))
            .await
            .unwrap();
        let there = host.run("ls /etc/kubernetes/manifests | wc -l").unwrap();
        assert_eq!(there.trim(), "3");
    }
}

fn permanent(outcome: &Outcome) -> &ProviderError {
    match outcome {
        Outcome::Indeterminate(error) if error.class == ErrorClass::Permanent => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_control_plane_that_does_not_come_up_says_why() {
    let Some(scene) = Scene::of_hosts("a_control_plane_that_does_not_come_up_says_why", 4) else {
        return;
    };
    claim_all(&scene).await;
    let provider = control_planes(&scene).await;
    // a: someone else has a port. b: kubelet does not stay. c: an image is not there. d: the API server ends again and again.
    scene
        .host(0)
        .run("rm /etc/kubernetes/manifests/kube-scheduler.yaml; systemd-run --quiet --unit taken socat TCP-LISTEN:10259,reuseaddr,fork /dev/null")
        .unwrap();
    scene
        .host(1)
        .write_file("/opt/fake/kubelet", "#!/bin/sh\necho 'E0101 00:00:00.0 1 run.go:72] \"command failed\" err=\"no such feature gate: Nonsense\"'\nexit 1\n")
        .unwrap();
    let pull = "E1126 19:00:00.1 9 log.go:32] \"PullImage from image service failed\" err=\"rpc error: code = NotFound desc = \
        failed to pull and unpack image \\\"r:5000/kube-apiserver:v9\\\": not found\" image=\"r:5000/kube-apiserver:v9\"\n";
    scene.host(2).write_file("/opt/fake/words", pull).unwrap();
    scene.host(2).run("rm /etc/kubernetes/manifests/*").unwrap();
    scene.host(3).run("rm /etc/kubernetes/manifests/*").unwrap();
    let container = "/opt/fake/containers/kube-apiserver";
    for (name, text) in [
        ("id", "kube-apiserver\n"),
        ("state", "CONTAINER_EXITED\t3\t1\tError"),
        ("log", "I0101 fine\nError: unknown flag: --nonsense\n"),
    ] {
        scene
            .host(3)
            .write_file(format!("{container}/{name}"), text)
            .unwrap();
    }
    let changes: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| create(name, control_plane(name, "10.0.0.100:6443")))
        .into();
    let told = Told::default();
    let outcomes =
        futures_util::future::join_all(changes.iter().map(|change| told.carry_out(&provider, change))).await;
    for (outcome, expected) in outcomes.iter().zip([
        "port 10259, which kube-scheduler needs, is taken by socat (process ",
        "no such feature gate: Nonsense",
        "an image cannot be pulled: failed to pull and unpack image \"r:5000/kube-apiserver:v9\": not found",
        "its container ended with status 1 (Error), run 4; it said last: Error: unknown flag: --nonsense",
    ]) {
        let error = permanent(outcome);
        assert!(
            error.message.contains(expected) && error.help.is_some(),
            "{error:?}"
        );
    }
    assert!(
        told.lines().contains(&"wait for kube-scheduler".to_owned()),
        "{:?}",
        told.lines()
    );
    // Begun and never up: the next plan goes on with it, or takes it away.
    assert_eq!(
        look(&provider, "u1", Kind::ControlPlane, "a").await,
        Observed::Absent
    );
    assert!(matches!(
        unwanted(&provider, "a").await,
        Some(Observed::Present(_))
    ));
    scene
        .host(0)
        .run("systemctl stop taken; touch /etc/kubernetes/manifests/kube-scheduler.yaml; systemctl restart kubelet")
        .unwrap();
    assert_eq!(told.carry_out(&provider, &changes[0]).await, Outcome::Done);
    assert_eq!(present(&provider, "a").await.health, Health::Healthy);
}

#[tokio::test]
async fn what_is_not_installed_or_not_ours_is_not_started() {
    let Some(scene) = Scene::of_hosts("what_is_not_installed_or_not_ours_is_not_started", 1) else {
        return;
    };
    let (host, provider) = (scene.host(0), control_planes(&scene).await);
    let change = create("a", control_plane("a", "10.0.0.100:6443"));
    let context = Scene::context("u1", 1);
    let rejected = |outcome: Outcome, words: &str| match outcome {
        Outcome::Rejected(error) => assert!(error.message.contains(words), "{error}"),
        other => panic!("{other:?}"),
    };
    rejected(
        provider.carry_out(&context, &change).await,
        "bears no mark of keelson",
    );
    claim_all(&scene).await;
    host.run("rm /etc/systemd/system/kubelet.service; systemctl daemon-reload")
        .unwrap();
    rejected(
        provider.carry_out(&context, &change).await,
        "there is no kubelet.service",
    );
    rejected(
        provider.carry_out(&Scene::context("u2", 9), &change).await,
        "another cluster, uid u1",
    );
    assert!(!host.run_as("root", &format!("ls {MARK}")).unwrap().success());
    for rubbish in ["", "{", "\u{7f}ELF", "[]"] {
        host.write_file(MARK, rubbish).unwrap();
        let seen = look(&provider, "u1", Kind::ControlPlane, "a").await;
        assert!(
            matches!(&seen, Observed::Unknown(why) if why.contains("damaged")),
            "{rubbish}: {seen:?}"
        );
    }
}
