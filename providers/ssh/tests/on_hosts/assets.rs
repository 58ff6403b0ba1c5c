//! Assets, downloaded by the host or carried to it.

use keelson_provider_api::values::Digest;
use keelson_provider_api::{Asset, AssetSource, ErrorClass, Outcome, Provider};
use keelson_test_hosts::{Disturbance, Fault, LabOptions, serve_directory, serve_proxy};

use super::bundles::{claimed, rejected};
use crate::support::{Recipe, Scene, create, update};

#[tokio::test]
async fn a_download_is_what_was_planned_or_refused() {
    let Some(scene) = claimed(
        "a_download_is_what_was_planned_or_refused",
        &LabOptions::with_hosts(1),
    )
    .await
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "program").unwrap();
    let server = serve_directory(folder.path(), scene.lab.gateway()).unwrap();
    let provider = scene.provider(scene.targets("operator")).await;
    let context = Scene::context("u1", 1);
    let sha256 = Digest::of_bytes(b"program").hexadecimal();
    let recipe = |content: &str, host: &str, proxy: Option<String>| {
        let mut actions: Vec<String> = proxy.map(|url| format!("proxy {url}")).into_iter().collect();
        actions.push(format!("asset {sha256} {host}/file program amd64"));
        Recipe {
            content: content.to_owned(),
            actions,
            assets: Vec::new(),
        }
    };
    server.disturb(Disturbance {
        path_end: "file".to_owned(),
        times: None,
        fault: Fault::Garbled,
    });
    let wanted = scene.bundles.offer(recipe("one", &server.url(), None));
    let error = rejected(provider.carry_out(&context, &create("a", wanted.clone())).await);
    println!("{error}");
    assert!(
        error.message.contains("is not the program that was planned") && error.class == ErrorClass::Permanent,
        "{error}"
    );
    server.disturb(Disturbance {
        path_end: "file".to_owned(),
        times: None,
        fault: Fault::Status(404),
    });
    let error = rejected(provider.carry_out(&context, &create("a", wanted.clone())).await);
    assert!(
        error.message.contains("cannot download program from http://") && error.message.contains("404"),
        "{error}"
    );
    server.heal();
    assert_eq!(
        provider.carry_out(&context, &create("a", wanted)).await,
        Outcome::Done
    );

    // Not through the proxy where the host is excepted: there is none at that port.
    scene.host(0).run("rm /var/lib/keelson/assets/*").unwrap();
    let around = format!("http://127.0.0.1:9 {}", scene.lab.gateway());
    let wanted = scene.bundles.offer(recipe("around", &server.url(), Some(around)));
    assert_eq!(
        provider.carry_out(&context, &update("a", wanted)).await,
        Outcome::Done
    );

    let proxy = serve_proxy(scene.lab.gateway()).unwrap();
    proxy.route("mirror.invalid", server.address());
    scene.host(0).run("rm /var/lib/keelson/assets/*").unwrap();
    let wanted = scene
        .bundles
        .offer(recipe("two", "http://mirror.invalid", Some(proxy.url())));
    assert_eq!(
        provider.carry_out(&context, &update("a", wanted)).await,
        Outcome::Done
    );
    assert_eq!(proxy.hits("mirror.invalid"), 1);
}

#[tokio::test]
async fn a_download_that_was_cut_short_goes_on_from_there() {
    let test = "a_download_that_was_cut_short_goes_on_from_there";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3 << 20).map(|number: u32| number.to_le_bytes()[1]).collect();
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    let server = serve_directory(folder.path(), scene.lab.gateway()).unwrap();
    let told = std::sync::Mutex::new(Vec::new());
    let listen = |line: &str| told.lock().unwrap().push(line.to_owned());
    let mut context = Scene::context("u1", 1);
    context.progress = keelson_provider_api::Progress::to(&listen);
    let provider = scene.provider(scene.targets("operator")).await;
    let digits = Digest::of_bytes(&bytes).hexadecimal();
    let bundle = scene.bundles.offer(Recipe {
        content: "one".to_owned(),
        actions: vec![format!("asset {digits} {}/file program amd64", server.url())],
        assets: Vec::new(),
    });
    server.disturb(Disturbance {
        path_end: "file".to_owned(),
        times: None,
        fault: Fault::CutAfter { bytes: 1 << 20 },
    });
    let change = create("a", bundle);
    let error = rejected(provider.carry_out(&context, &change).await);
    assert!(error.message.contains("cannot download program"), "{error}");
    server.heal();
    let host = scene.host(0);
    // Cut short; the beginning of something else; whole, and not in its place yet.
    for (before, expected) in [
        ("true", vec!["go on with the download of program"]),
        (
            "cd /var/lib/keelson/assets && rm [0-9a-f]* && head -c 100 /dev/urandom >PART",
            vec!["go on with the download of program", "download program"],
        ),
        ("cd /var/lib/keelson/assets && mv [0-9a-f]* PART", Vec::new()),
    ] {
        told.lock().unwrap().clear();
        host.run(&before.replace("PART", &format!("{digits}.part")))
            .unwrap();
        assert_eq!(provider.carry_out(&context, &change).await, Outcome::Done);
        let lines = std::mem::take(&mut *told.lock().unwrap());
        let downloads: Vec<&String> = lines.iter().filter(|line| line.contains("download")).collect();
        assert_eq!(downloads, expected, "{before}: {lines:?}");
        host.run(&format!(
            "sha256sum </var/lib/keelson/assets/{digits} | grep -q {digits}"
        ))
        .unwrap();
    }
}

#[tokio::test]
async fn an_asset_is_carried_once_and_goes_on_where_it_was() {
    let Some(scene) = claimed(
        "an_asset_is_carried_once_and_goes_on_where_it_was",
        &LabOptions::with_hosts(1),
    )
    .await
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    let bytes: Vec<u8> = (0..36_u32 << 20)
        .map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    std::fs::write(&path, &bytes).unwrap();
    let sha256 = Digest::of_bytes(&bytes);
    let digits = sha256.hexadecimal();
    let wanted = scene.bundles.offer(carried(sha256, &path));
    let told = std::sync::Mutex::new(Vec::new());
    let listen = |line: &str| told.lock().unwrap().push(line.to_owned());
    let mut context = Scene::context("u1", 1);
    context.progress = keelson_provider_api::Progress::to(&listen);
    let host = scene.host(0);
    let provider = scene.provider(scene.targets("operator")).await;

    std::fs::write(&path, "something else").unwrap();
    let error = rejected(provider.carry_out(&context, &create("a", wanted.clone())).await);
    assert!(
        error.message.contains("is not the program 1.0 that was planned"),
        "{error}"
    );
    std::fs::write(&path, &bytes).unwrap();

    // The first part came on an earlier try; then one that is damaged is noticed, and the next try has it whole.
    let part = bytes[..8 << 20].to_vec();
    host.write_file(format!("/var/lib/keelson/assets/{digits}.upload"), &part)
        .unwrap();
    told.lock().unwrap().clear();
    assert_eq!(
        provider.carry_out(&context, &create("a", wanted.clone())).await,
        Outcome::Done
    );
    assert!(
        told.lock()
            .unwrap()
            .contains(&"upload program 1.0 (36 MiB)".to_owned())
    );
    assert_eq!(
        host.run(&format!("sha256sum </var/lib/keelson/assets/{digits}"))
            .unwrap(),
        format!("{digits}  -\n")
    );
    told.lock().unwrap().clear();
    assert_eq!(
        provider.carry_out(&context, &update("a", wanted.clone())).await,
        Outcome::Done
    );
    assert!(told.lock().unwrap().is_empty(), "it is not sent twice");

    host.run(&format!("rm /var/lib/keelson/assets/{digits}")).unwrap();
    host.write_file(
        format!("/var/lib/keelson/assets/{digits}.upload"),
        vec![0; 8 << 20],
    )
    .unwrap();
    told.lock().unwrap().clear();
    assert_eq!(
        provider.carry_out(&context, &update("a", wanted)).await,
        Outcome::Done
    );
    let told = told.lock().unwrap();
    let sent = told.iter().filter(|told| *told == "upload program 1.0 (36 MiB)");
    assert_eq!(sent.count(), 2, "it is sent anew: {told:?}");
}

#[tokio::test]
async fn an_archive_is_unpacked_once_and_what_was_damaged_comes_out_of_it_again() {
    let test = "an_archive_is_unpacked_once_and_what_was_damaged_comes_out_of_it_again";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tool"), "program").unwrap();
    std::fs::write(folder.path().join("other"), "another").unwrap();
    let path = folder.path().join("archive.tar.gz");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-czf").arg(&path).arg("-C").arg(folder.path());
    assert!(tar.args(["tool", "other"]).status().unwrap().success());
    let sha256 = Digest::of_bytes(&std::fs::read(&path).unwrap());
    let recipe = |content: &str| {
        let unpack = |name: &str| {
            let digits = sha256.hexadecimal();
            format!("unpack /usr/local/bin/{name} 755 {digits} {name} keelson-test.service amd64")
        };
        let carried = carried(sha256, &path);
        Recipe {
            content: content.to_owned(),
            actions: [carried.actions, vec![unpack("tool"), unpack("other")]].concat(),
            ..carried
        }
    };
    let host = scene.host(0);
    let counted = "#!/bin/sh\ncase $1 in -xzf) echo >>/run/unpacked ;; esac\nexec /usr/bin/tar \"$@\"\n";
    host.write_file("/usr/local/sbin/tar", counted).unwrap();
    host.run("chmod 755 /usr/local/sbin/tar").unwrap();
    let provider = scene.provider(scene.targets("operator")).await;
    let context = Scene::context("u1", 1);
    let apply = async |content: &str, before: &str| {
        host.run(before).unwrap();
        let change = update("a", scene.bundles.offer(recipe(content)));
        assert_eq!(
            provider.carry_out(&context, &change).await,
            Outcome::Done,
            "{before}"
        );
        let found = "cat /usr/local/bin/tool /usr/local/bin/other; stat -c ' %a' /usr/local/bin/tool; wc -l </run/unpacked";
        host.run(found).unwrap()
    };
    assert_eq!(apply("one", "true").await, "programanother 755\n1\n");
    assert_eq!(
        apply("two", "true").await,
        "programanother 755\n1\n",
        "settings are no reason"
    );
    assert_eq!(
        apply("three", "echo x >>/usr/local/bin/tool").await,
        "programanother 755\n2\n"
    );
    assert_eq!(
        apply("four", "rm /usr/local/bin/other").await,
        "programanother 755\n3\n"
    );
    assert_eq!(
        apply("five", "chmod 700 /usr/local/bin/tool").await,
        "programanother 755\n4\n"
    );
    assert_eq!(
        apply("six", "rm /var/lib/keelson/unpacked").await,
        "programanother 755\n5\n"
    );
    assert_eq!(apply("seven", "true").await, "programanother 755\n5\n");
}

/// A bundle with an asset that keelson carries.
fn carried(sha256: Digest, path: &std::path::Path) -> Recipe {
    Recipe {
        content: "one".to_owned(),
        actions: vec![format!("asset {} - program amd64", sha256.hexadecimal())],
        assets: vec![Asset {
            name: "program 1.0".to_owned(),
            sha256,
            source: AssetSource::File(path.to_owned()),
        }],
    }
}
