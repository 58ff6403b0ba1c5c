//! Disks that are full, or that a bundle fills.

use keelson_provider_api::values::Digest;
use keelson_provider_api::{Asset, AssetSource, Outcome, Provider};
use keelson_provider_ssh::SshProvider;
use keelson_test_hosts::LabOptions;

use super::bundles::{claimed, rejected};
use crate::support::{Recipe, Scene, create, update};

/// A host with a small disk, and a bundle in force on it.
async fn with_little_room(test: &str) -> Option<(Scene, SshProvider)> {
    let options = LabOptions::with_hosts(1).host(0, |host| host.disk_mib = Some(128));
    let scene = claimed(test, &options).await?;
    let provider = scene.provider(scene.targets("operator")).await;
    let first = create("a", scene.bundles.plain("one"));
    assert_eq!(
        provider.carry_out(&Scene::context("u1", 1), &first).await,
        Outcome::Done
    );
    Some((scene, provider))
}

#[tokio::test]
async fn an_update_that_fills_the_disk_leaves_the_one_before() {
    let test = "an_update_that_fills_the_disk_leaves_the_one_before";
    let Some((scene, provider)) = with_little_room(test).await else {
        return;
    };
    let context = Scene::context("u1", 1);
    // There is room for the program once: where it is carried to, and not where it goes.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let bytes = vec![7_u8; 24 << 20];
    std::fs::write(&path, &bytes).unwrap();
    let sha256 = Digest::of_bytes(&bytes);
    let digits = sha256.hexadecimal();
    let second = scene.bundles.offer(Recipe {
        content: "two".to_owned(),
        actions: vec![
            format!("asset {digits} - program amd64"),
            "file /etc/keelson-test/config 644 root root config -".to_owned(),
            format!("install /usr/local/bin/program 755 {digits} - amd64"),
        ],
        assets: vec![Asset {
            name: "program".to_owned(),
            sha256,
            source: AssetSource::File(path.clone()),
        }],
    });
    let host = scene.host(0);
    host.run("free=$(df --output=avail -B1 /var/lib | tail -n 1); fallocate -l $((free - (36 << 20))) /root/filler")
        .unwrap();
    let update = update("a", second);
    let error = rejected(provider.carry_out(&context, &update).await);
    assert!(error.message.contains("No space left on device"), "{error}");
    assert_eq!(
        host.run("cat /etc/keelson-test/config; ls /usr/local/bin | grep program || :")
            .unwrap(),
        "one"
    );
    host.run("rm /root/filler").unwrap();
    assert_eq!(provider.carry_out(&context, &update).await, Outcome::Done);
    assert_eq!(host.run("cat /etc/keelson-test/config").unwrap(), "two");
}

#[tokio::test]
async fn a_full_disk_is_told_as_such() {
    let Some((scene, provider)) = with_little_room("a_full_disk_is_told_as_such").await else {
        return;
    };
    let context = Scene::context("u1", 1);
    scene.host(0).fill_disk().unwrap();
    let second = scene.bundles.plain("two");
    let error = rejected(provider.carry_out(&context, &update("a", second.clone())).await);
    println!("{error}\n  {:?}", error.help);
    assert!(error.message.contains("No space left on device"), "{error}");
    assert!(error.help.unwrap().contains("make room on a"));
    assert_eq!(
        scene.host(0).console("cat /etc/keelson-test/config").unwrap(),
        "one"
    );
    scene.host(0).free_disk().unwrap();
    assert_eq!(
        provider.carry_out(&context, &update("a", second)).await,
        Outcome::Done
    );
}
