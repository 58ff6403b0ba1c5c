//! Bundles whose application is interrupted.

use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{Observed, Outcome, Progress, Provider, Resource};
use keelson_test_hosts::{Disturbance, Fault, LabOptions, serve_directory};

use super::bundles::claimed;
use crate::support::{Recipe, Scene, create, look, update};

/// A bundle with a download that takes its time.
fn slow_recipe(
    scene: &Scene,
    url: &str,
    content: &str,
    bytes: &[u8],
) -> keelson_provider_api::kinds::NodeBundle {
    let sha256 = keelson_provider_api::values::Digest::of_bytes(bytes).hexadecimal();
    scene.bundles.offer(Recipe {
        content: content.to_owned(),
        actions: vec![
            "file /etc/keelson-early 644 root root config -".to_owned(),
            format!("asset {sha256} {url}/file program amd64"),
        ],
        assets: Vec::new(),
    })
}

#[tokio::test]
async fn either_side_may_die_in_the_middle() {
    let Some(scene) = claimed("either_side_may_die_in_the_middle", &LabOptions::with_hosts(1)).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![1; 256 << 10];
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    let server = serve_directory(folder.path(), scene.lab.gateway()).unwrap();
    let slow = |times| Disturbance {
        path_end: "file".to_owned(),
        times: Some(times),
        fault: Fault::Slow {
            bytes_per_second: 128 << 10,
        },
    };
    let host = scene.host(0);
    let seen = async || {
        let provider = scene.provider(scene.targets("root")).await;
        match look(&provider, "u1", Kind::NodeBundle, "a").await {
            Observed::Present(seen) => Some(seen.resource),
            _ => None,
        }
    };

    // keelson is gone: its connection ends, and the next run carries on.
    let downloads = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&downloads);
    let listen = move |line: &str| {
        if line.starts_with("download") {
            notify.notify_one();
        }
    };
    let mut context = Scene::context("u1", 2);
    context.progress = Progress::to(&listen);
    server.disturb(slow(1));
    let one = slow_recipe(&scene, &server.url(), "one", &bytes);
    {
        let provider = scene.provider(scene.targets("operator")).await;
        let change = create("a", one.clone());
        tokio::select! {
            outcome = provider.carry_out(&context, &change) => panic!("it ended: {outcome:?}"),
            () = downloads.notified() => {}
        }
    }
    assert_eq!(seen().await, None);
    let provider = scene.provider(scene.targets("operator")).await;
    let next = Scene::context("u1", 3);
    assert_eq!(
        provider.carry_out(&next, &create("a", one.clone())).await,
        Outcome::Done
    );
    assert_eq!(seen().await, Some(Resource::NodeBundle(one.clone())));

    let incoming = "ls -d /run/keelson-incoming.* 2>/dev/null || :";
    assert_eq!(
        host.run(incoming).unwrap(),
        "",
        "the secrets of the run that was ended"
    );

    // The host loses power.
    server.disturb(slow(1));
    host.run("rm /var/lib/keelson/assets/*").unwrap();
    let two = slow_recipe(&scene, &server.url(), "two", &bytes);
    let mut context = Scene::context("u1", 3);
    context.progress = Progress::to(&listen);
    let change = update("a", two.clone());
    let cut = async {
        downloads.notified().await;
        let host = host.clone();
        tokio::task::spawn_blocking(move || host.power_cut().unwrap())
            .await
            .unwrap();
    };
    let (outcome, ()) = tokio::join!(provider.carry_out(&context, &change), cut);
    assert!(matches!(outcome, Outcome::Indeterminate(_)), "{outcome:?}");
    let outcome = tokio::time::timeout(Duration::from_secs(60), provider.carry_out(&next, &change))
        .await
        .unwrap();
    assert!(
        matches!(outcome, Outcome::Rejected(_)),
        "the host is off: {outcome:?}"
    );
    host.start().unwrap();
    host.wait_for_ssh().unwrap();
    assert_eq!(
        seen().await,
        Some(Resource::NodeBundle(one)),
        "the one before is in force"
    );
    server.heal();
    assert_eq!(provider.carry_out(&next, &change).await, Outcome::Done);
    assert_eq!(seen().await, Some(Resource::NodeBundle(two.clone())));
    assert_eq!(host.run("cat /etc/keelson-early").unwrap(), "two");

    // Nothing of what was made on the way is taken for someone else's.
    let remove = crate::support::delete("a", two);
    assert_eq!(provider.carry_out(&next, &remove).await, Outcome::Done);
    let left = host
        .run("ls -d /etc/keelson-early /etc/keelson-test /var/lib/keelson/aside/etc/* 2>/dev/null || :")
        .unwrap();
    assert_eq!(left, "");
}

/// Whose connection was lost runs it again, while the script that was begun lives on.
#[tokio::test]
async fn a_run_leaves_alone_what_came_for_another_and_takes_away_what_a_killed_one_left() {
    let test = "a_run_leaves_alone_what_came_for_another_and_takes_away_what_a_killed_one_left";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![1; 256 << 10];
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    let server = serve_directory(folder.path(), scene.lab.gateway()).unwrap();
    server.disturb(Disturbance {
        path_end: "file".to_owned(),
        times: Some(1),
        fault: Fault::Slow {
            bytes_per_second: 64 << 10,
        },
    });
    let host = scene.host(0);
    let killed = "/run/keelson-incoming.killed";
    host.run(&format!("mkdir {killed} && echo secret >{killed}/server.key"))
        .unwrap();
    let downloads = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&downloads);
    let listen = move |line: &str| {
        if line.starts_with("download") {
            notify.notify_one();
        }
    };
    let mut context = Scene::context("u1", 2);
    context.progress = Progress::to(&listen);
    let change = create("a", slow_recipe(&scene, &server.url(), "one", &bytes));
    let provider = scene.provider(scene.targets("operator")).await;
    let again = async {
        downloads.notified().await;
        let provider = scene.provider(scene.targets("operator")).await;
        provider.carry_out(&Scene::context("u1", 2), &change).await
    };
    let (first, second) = tokio::join!(provider.carry_out(&context, &change), again);
    assert_eq!((first, second), (Outcome::Done, Outcome::Done));
    assert_eq!(
        host.run("cat /etc/keelson-test/server.key").unwrap(),
        "key-of-the-server"
    );
    assert_eq!(
        host.run("ls -d /run/keelson-incoming.* 2>/dev/null || :")
            .unwrap(),
        ""
    );
}
