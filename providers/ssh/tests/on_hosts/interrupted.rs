//! Bundles whose application is interrupted.

use std::sync::Arc;
use std::time::Duration;

use keelson_provider_api::kinds::{Kind, NodeBundle};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Observed, Outcome, Progress, Provider, Resource};
use keelson_test_hosts::{Disturbance, Fault, FileServer, LabOptions, serve_directory};
use tokio::sync::Notify;

use super::bundles::claimed;
use crate::support::{Recipe, Scene, create, look, update};

/// A file that takes its time to be downloaded, and word of when that begins.
struct Download {
    server: FileServer,
    bytes: Vec<u8>,
    begun: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl Download {
    fn offer(scene: &Scene) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![1; 256 << 10];
        std::fs::write(folder.path().join("file"), &bytes).unwrap();
        Self {
            server: serve_directory(folder.path(), scene.lab.gateway()).unwrap(),
            bytes,
            begun: Arc::default(),
            _folder: folder,
        }
    }

    /// The next time that it is downloaded takes long.
    fn slow_down_once(&self, bytes_per_second: u64) {
        self.server.disturb(Disturbance {
            path_end: "file".to_owned(),
            times: Some(1),
            fault: Fault::Slow { bytes_per_second },
        });
    }

    /// Hears what a change tells.
    fn listener(&self) -> impl Fn(&str) + Send + Sync + use<> {
        let begun = Arc::clone(&self.begun);
        move |line: &str| {
            if line.starts_with("download") {
                begun.notify_one();
            }
        }
    }

    /// A bundle that needs the file.
    fn bundle(&self, scene: &Scene, content: &str) -> NodeBundle {
        let sha256 = Digest::of_bytes(&self.bytes).hexadecimal();
        let url = self.server.url();
        scene.bundles.offer(Recipe {
            content: content.to_owned(),
            actions: vec![
                "file /etc/keelson-early 644 root root config -".to_owned(),
                format!("asset {sha256} {url}/file program amd64"),
            ],
            assets: Vec::new(),
        })
    }
}

#[tokio::test]
async fn either_side_may_die_in_the_middle() {
    let Some(scene) = claimed("either_side_may_die_in_the_middle", &LabOptions::with_hosts(1)).await else {
        return;
    };
    let download = Download::offer(&scene);
    let host = scene.host(0);
    let seen = async || {
        let provider = scene.provider(scene.targets("root")).await;
        match look(&provider, "u1", Kind::NodeBundle, "a").await {
            Observed::Present(seen) => Some(seen.resource),
            _ => None,
        }
    };

    // keelson is gone: its connection ends, and the next run carries on.
    let listen = download.listener();
    let mut context = Scene::context("u1", 2);
    context.progress = Progress::to(&listen);
    // The script goes on without keelson: the next look comes before the eight seconds of the download are over.
    download.slow_down_once(32 << 10);
    let one = download.bundle(&scene, "one");
    {
        let provider = scene.provider(scene.targets("operator")).await;
        let change = create("a", one.clone());
        tokio::select! {
            outcome = provider.carry_out(&context, &change) => panic!("it ended: {outcome:?}"),
            () = download.begun.notified() => {}
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
    download.slow_down_once(32 << 10);
    host.run("rm /var/lib/keelson/assets/*").unwrap();
    let two = download.bundle(&scene, "two");
    let mut context = Scene::context("u1", 3);
    context.progress = Progress::to(&listen);
    let change = update("a", two.clone());
    let cut = async {
        download.begun.notified().await;
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
    let half_way = NodeBundle {
        altered_files: ["/etc/keelson-early".to_owned()].into(),
        ..one
    };
    assert_eq!(
        seen().await,
        Some(Resource::NodeBundle(half_way)),
        "the one before is in force, but for what came already"
    );
    download.server.heal();
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
    let download = Download::offer(&scene);
    download.slow_down_once(64 << 10);
    let host = scene.host(0);
    let killed = "/run/keelson-incoming.killed";
    host.run(&format!("mkdir {killed} && echo secret >{killed}/server.key"))
        .unwrap();
    let listen = download.listener();
    let mut context = Scene::context("u1", 2);
    context.progress = Progress::to(&listen);
    let change = create("a", download.bundle(&scene, "one"));
    let provider = scene.provider(scene.targets("operator")).await;
    let again = async {
        download.begun.notified().await;
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
