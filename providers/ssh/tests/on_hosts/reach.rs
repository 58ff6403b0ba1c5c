//! Ways to an API server, and what becomes of them when hosts and connections go.

use std::net::SocketAddr;
use std::time::Duration;

use keelson_provider_api::{ApiPath, ClusterIdentity, ErrorClass, Outcome, Provider, ReachApi};
use keelson_provider_ssh::{ControlPlaneProvider, Hosts, Target};
use tokio::process::Command;

use crate::support::{Scene, claim_all, control_plane, control_planes, create};

/// What the API server at the other end says.
async fn ask(address: SocketAddr) -> Option<String> {
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--noproxy", "*", "--max-time", "10"])
        .arg(format!("https://{address}/version"))
        .output()
        .await
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

async fn made(scene: &Scene) -> ControlPlaneProvider {
    claim_all(scene).await;
    let provider = control_planes(scene).await;
    let context = Scene::context("u1", 1);
    let changes: Vec<_> = scene
        .lab
        .hosts()
        .iter()
        .map(|host| create(host.name(), control_plane(host.name(), "10.0.0.100:6443")))
        .collect();
    let made = changes.iter().map(|change| provider.carry_out(&context, change));
    for outcome in futures_util::future::join_all(made).await {
        assert_eq!(outcome, Outcome::Done);
    }
    provider
}

async fn reach(provider: &ControlPlaneProvider) -> ApiPath {
    provider.reach(&Scene::cluster("u1")).await.unwrap()
}

#[tokio::test]
async fn an_api_server_is_reached_through_ssh_and_another_one_when_it_goes() {
    let Some(scene) = Scene::of_hosts(
        "an_api_server_is_reached_through_ssh_and_another_one_when_it_goes",
        3,
    ) else {
        return;
    };
    let provider = made(&scene).await;
    let path = reach(&provider).await;
    assert!(path.address.ip().is_loopback());
    assert_eq!(
        ask(path.address).await.as_deref(),
        Some("ok kube-apiserver /version")
    );
    // The one that answered last is asked first, and its way is the same.
    let again = reach(&provider).await;
    assert_eq!((again.address, &again.machine), (path.address, &path.machine));
    drop(path);
    assert!(
        ask(again.address).await.is_some(),
        "a way lives as long as one who uses it"
    );

    let machine = again.machine.clone().unwrap();
    let host = scene.lab.host(&machine).unwrap();
    host.run("touch /run/fake/kube-apiserver-unwell").unwrap();
    let other = reach(&provider).await;
    assert_ne!(other.machine.as_deref(), Some(machine.as_str()));
    assert!(ask(other.address).await.is_some());

    let gone = scene.lab.host(&other.machine.clone().unwrap()).unwrap();
    gone.power_cut().unwrap();
    let third = reach(&provider).await;
    assert!(third.machine != other.machine && third.machine != again.machine);
    assert_eq!(ask(other.address).await, None);

    scene
        .lab
        .host(&third.machine.clone().unwrap())
        .unwrap()
        .run("systemctl stop kubelet")
        .unwrap();
    let error = provider.reach(&Scene::cluster("u1")).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    for words in [
        "etcd failed: reason withheld",
        "Failed to connect to kubernetes",
        "(10.90.",
    ] {
        assert!(error.message.contains(words), "{words}: {error}");
    }
    assert!(
        provider.has_control_plane(&Scene::cluster("u1")).await.unwrap(),
        "the others know"
    );
    let stranger = provider.reach(&Scene::cluster("u2")).await.unwrap_err();
    assert!(stranger.class == ErrorClass::Transient, "{stranger}");
}

#[tokio::test]
async fn a_machine_that_is_silent_is_not_one_without_a_control_plane() {
    let Some(scene) = Scene::of_hosts("a_machine_that_is_silent_is_not_one_without_a_control_plane", 2)
    else {
        return;
    };
    claim_all(&scene).await;
    let provider_of = async |targets: Vec<Target>| {
        ControlPlaneProvider::new(Hosts::open(scene.options(targets)).await.unwrap())
    };
    let provider = provider_of(scene.targets("root")).await;
    let cluster = Scene::cluster("u1");
    assert!(!provider.has_control_plane(&cluster).await.unwrap());
    let change = create("a", control_plane("a", "10.0.0.100:6443"));
    let outcome = provider.carry_out(&Scene::context("u1", 1), &change).await;
    assert_eq!(outcome, Outcome::Done);
    assert!(provider.has_control_plane(&cluster).await.unwrap());

    scene.host(0).power_cut().unwrap();
    let error = provider.has_control_plane(&cluster).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient);
    assert!(error.message.contains("a (10.90."), "{error}");
    // The machine that has left the spec is remembered, and as silent.
    let later = provider_of(vec![scene.target(1, "root")]).await;
    assert!(later.has_control_plane(&cluster).await.is_err());
    // It was never claimed for another cluster, nor for one that has not begun.
    let unborn = ClusterIdentity {
        uid: None,
        ..Scene::cluster("u1")
    };
    assert!(!provider.has_control_plane(&unborn).await.unwrap());
    assert!(!provider.has_control_plane(&Scene::cluster("u2")).await.unwrap());
}

#[tokio::test]
async fn a_way_that_was_lost_is_opened_anew() {
    let Some(scene) = Scene::of_hosts("a_way_that_was_lost_is_opened_anew", 1) else {
        return;
    };
    let provider = made(&scene).await;
    let path = reach(&provider).await;
    // Every connection that stands.
    scene
        .host(0)
        .console("pkill -KILL -f '^sshd: root' || :")
        .unwrap();
    let anew = reach(&provider).await;
    assert!(ask(anew.address).await.is_some());
    drop(path);
    scene.host(0).reboot().unwrap();
    let after = reach_patiently(&provider).await;
    assert!(ask(after.address).await.is_some());
}

/// kubelet starts a moment after sshd.
async fn reach_patiently(provider: &ControlPlaneProvider) -> ApiPath {
    for _ in 0..100 {
        if let Ok(path) = provider.reach(&Scene::cluster("u1")).await {
            return path;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    reach(provider).await
}

#[tokio::test]
async fn a_host_that_forwards_nothing_is_named_with_what_to_do() {
    let Some(scene) = Scene::of_hosts("a_host_that_forwards_nothing_is_named_with_what_to_do", 1) else {
        return;
    };
    let provider = made(&scene).await;
    scene
        .host(0)
        .run("echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/none.conf; systemctl restart ssh")
        .unwrap();
    let fresh = control_planes(&scene).await;
    let error = fresh.reach(&Scene::cluster("u1")).await.unwrap_err();
    assert!(error.message.contains("its sshd forwards no ports"), "{error}");
    // Whoever is connected already goes on.
    drop(provider);
}

#[tokio::test]
async fn this_very_machine_is_reached_without_ssh() {
    let Some(scene) = Scene::of_hosts("this_very_machine_is_reached_without_ssh", 1) else {
        return;
    };
    let local = Target {
        address: "local".to_owned(),
        ..scene.target(0, "root")
    };
    let hosts = Hosts::open(scene.options(vec![local])).await.unwrap();
    let forward = hosts.shell("a").unwrap().forward(6443).await.unwrap();
    assert_eq!(forward.address, "127.0.0.1:6443".parse().unwrap());
}
