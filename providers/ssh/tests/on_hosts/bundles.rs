//! Bundles that are put in force, replaced and removed.

use std::sync::Mutex;
use std::time::Instant;

use keelson_provider_api::kinds::{Kind, MachineRole};
use keelson_provider_api::{
    ErrorClass, Observed, Outcome, Owner, Progress, Provider, ProviderError, Resource,
};
use keelson_test_hosts::LabOptions;

use super::drift;
use crate::support::{CERTIFICATE, Recipe, Scene, create, delete, look, machine, update};

/// A scene whose host `a` is claimed by u1.
pub(super) async fn claimed(test: &str, options: &LabOptions) -> Option<Scene> {
    let scene = Scene::new(test, options)?;
    let provider = scene.provider(scene.targets("operator")).await;
    let claim = create("a", machine(&[MachineRole::Etcd]));
    assert_eq!(
        provider.carry_out(&Scene::context("u1", 1), &claim).await,
        Outcome::Done
    );
    Some(scene)
}

pub(super) fn rejected(outcome: Outcome) -> ProviderError {
    match outcome {
        Outcome::Rejected(error) => error,
        other => panic!("not rejected: {other:?}"),
    }
}

#[tokio::test]
async fn a_bundle_lives_from_the_first_to_nothing() {
    let options = LabOptions::with_hosts(1);
    let Some(scene) = claimed("a_bundle_lives_from_the_first_to_nothing", &options).await else {
        return;
    };
    let told = Mutex::new(Vec::new());
    let listen = |line: &str| told.lock().unwrap().push(line.to_owned());
    let mut context = Scene::context("u1", 1);
    context.progress = Progress::to(&listen);
    let host = scene.host(0);
    host.write_file("/etc/keelson-test/theirs", "theirs").unwrap();
    host.write_file("/etc/keelson-test/config", "their own").unwrap();
    let access = "stat -c '%a %u %g' /etc/keelson-test";
    host.run("chmod 711 /etc/keelson-test && chown 1234:1235 /etc/keelson-test")
        .unwrap();
    let files = "find /etc /usr/local /root /home /opt /srv /var/lib -xdev -type f -not -path '/var/lib/keelson/*' \
                 -not -path '/var/lib/systemd/*' -print0 | sort -z | xargs -0 sha256sum";
    let before = host.console(files).unwrap();
    let provider = scene.provider(scene.targets("operator")).await;
    assert_eq!(
        look(&provider, "u1", Kind::NodeBundle, "a").await,
        Observed::Absent
    );

    let first = scene.bundles.plain("one");
    let begun = Instant::now();
    assert_eq!(
        provider.carry_out(&context, &create("a", first.clone())).await,
        Outcome::Done
    );
    println!("bundle, first: {} ms", begun.elapsed().as_millis());
    assert_eq!(host.run(access).unwrap(), "755 0 0\n");
    let lines = std::mem::take(&mut *told.lock().unwrap());
    for expected in [
        "upload the bundle",
        "set aside /etc/keelson-test/config",
        "write /etc/keelson-test/server.key",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{lines:?}");
    }
    let Observed::Present(seen) = look(&provider, "u1", Kind::NodeBundle, "a").await else {
        panic!("the bundle is not seen");
    };
    assert_eq!(
        (seen.resource, seen.owner),
        (Resource::NodeBundle(first.clone()), Owner::ThisCluster)
    );
    assert_eq!(
        seen.host_id.as_deref(),
        Some(host.run("cat /etc/machine-id").unwrap().trim())
    );
    assert_eq!(host.run("cat /etc/keelson-test/server.crt").unwrap(), CERTIFICATE);
    assert_eq!(
        host.run("stat -c %a%U /etc/keelson-test/server.key; ls -d /run/keelson-incoming.* 2>/dev/null || :")
            .unwrap(),
        "600root\n"
    );
    host.run("systemctl start keelson-test && systemctl show -P MainPID keelson-test >/run/pid")
        .unwrap();

    let begun = Instant::now();
    assert_eq!(
        provider.carry_out(&context, &update("a", first.clone())).await,
        Outcome::Done
    );
    println!("bundle, again: {} ms", begun.elapsed().as_millis());
    assert_eq!(
        std::mem::take(&mut *told.lock().unwrap()),
        Vec::<String>::new(),
        "nothing changes"
    );

    let second = scene.bundles.plain("two");
    assert_eq!(
        provider.carry_out(&context, &update("a", second.clone())).await,
        Outcome::Done
    );
    let lines = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(
        lines,
        [
            "upload the bundle",
            "write /etc/keelson-test/config",
            "restart keelson-test.service"
        ]
    );
    assert_eq!(host.run("cat /etc/keelson-test/config").unwrap(), "two");

    drift::what_is_gone_shows_and_comes_again(&scene, &second).await;
    drift::files_that_were_altered_show_and_are_put_back(&scene, &second).await;
    drift::units_that_were_stopped_show_and_are_started(&scene, &second).await;

    let begun = Instant::now();
    assert_eq!(
        provider.carry_out(&context, &delete("a", second.clone())).await,
        Outcome::Done
    );
    println!("bundle, removed: {} ms", begun.elapsed().as_millis());
    assert_eq!(
        provider.carry_out(&context, &delete("a", second)).await,
        Outcome::Done,
        "again"
    );
    assert_eq!(
        look(&provider, "u1", Kind::NodeBundle, "a").await,
        Observed::Absent
    );
    assert_eq!(host.console(files).unwrap(), before, "everything is as it was");
    assert_eq!(host.run(access).unwrap(), "711 1234 1235\n");
    host.run("! test -e /srv/keelson-test").unwrap();
    let units = host.run("systemctl list-unit-files 'keelson-test*' --no-legend; systemctl list-units 'keelson-test*' --all --no-legend").unwrap();
    assert_eq!(units, "");
}

#[tokio::test]
async fn a_release_takes_the_bundle_along() {
    let Some(scene) = claimed("a_release_takes_the_bundle_along", &LabOptions::with_hosts(1)).await else {
        return;
    };
    let context = Scene::context("u1", 1);
    let provider = scene.provider(scene.targets("root")).await;
    let bundle = scene.bundles.plain("one");
    assert_eq!(
        provider.carry_out(&context, &create("a", bundle)).await,
        Outcome::Done
    );
    // A run that was ended between a file and its place.
    scene
        .host(0)
        .write_file("/etc/keelson-test/.server.key.keelson-new", "a key")
        .unwrap();
    let release = delete("a", machine(&[MachineRole::Etcd]));
    assert_eq!(provider.carry_out(&context, &release).await, Outcome::Done);
    let left = scene.host(0).run(
        "ls -d /etc/keelson-test /var/lib/keelson /etc/systemd/system/keelson-test.service 2>/dev/null || :",
    );
    assert_eq!(left.unwrap(), "");
    let error = rejected(
        provider
            .carry_out(&context, &create("a", scene.bundles.plain("one")))
            .await,
    );
    assert!(error.message.contains("bears no mark"), "{error}");
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_one_before() {
    let Some(scene) = claimed(
        "an_update_that_fails_leaves_the_one_before",
        &LabOptions::with_hosts(1),
    )
    .await
    else {
        return;
    };
    let context = Scene::context("u1", 1);
    let provider = scene.provider(scene.targets("operator")).await;
    let host = scene.host(0);
    let first = scene.bundles.plain("one");
    assert_eq!(
        provider.carry_out(&context, &create("a", first.clone())).await,
        Outcome::Done
    );
    let broken = scene.bundles.offer(Recipe {
        content: "two".to_owned(),
        actions: vec![
            "file /etc/keelson-test/extra 644 root root config -".to_owned(),
            "file /etc/keelson-test/config 644 root root config -".to_owned(),
            "file /etc/passwd/nothing 644 root root config -".to_owned(),
        ],
        assets: Vec::new(),
    });
    let error = rejected(provider.carry_out(&context, &update("a", broken)).await);
    println!("{error}");
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error.message.starts_with("a: failed to apply the bundle")
            && error.message.contains("/etc/passwd/.nothing"),
        "{error}"
    );
    assert_eq!(
        host.run("cat /etc/keelson-test/config; ls /etc/keelson-test")
            .unwrap(),
        "oneconfig\nserver.crt\nserver.key\n"
    );
    let Observed::Present(seen) = look(&provider, "u1", Kind::NodeBundle, "a").await else {
        panic!("the bundle is not seen");
    };
    assert_eq!(seen.resource, Resource::NodeBundle(first));

    // A secret that was announced and is not there: what was there before does not pass for it.
    let lost = host
        .run_as(
            "root",
            "mkdir /run/lost && /var/lib/keelson/current/apply apply /run/lost server.key",
        )
        .unwrap();
    assert!(
        !lost.success()
            && lost
                .stderr
                .contains("server.key was to come for /etc/keelson-test/server.key"),
        "{lost:?}"
    );
    host.run("! test -e /run/lost && test -s /etc/keelson-test/server.key")
        .unwrap();
    let unknown = crate::support::wanted("nobody's");
    assert_eq!(
        rejected(provider.carry_out(&context, &update("a", unknown)).await).message,
        "nobody wants it"
    );
}

#[tokio::test]
async fn a_restart_that_a_boot_has_done_is_not_done_again() {
    let test = "a_restart_that_a_boot_has_done_is_not_done_again";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let provider = scene.provider(scene.targets("operator")).await;
    let host = scene.host(0);
    let bundle = create("a", scene.bundles.plain("one"));
    let context = Scene::context("u1", 1);
    assert_eq!(provider.carry_out(&context, &bundle).await, Outcome::Done);
    let restarted_after = |boot: &str| {
        let process = "systemctl show -P MainPID keelson-test";
        let before = host
            .run(&format!("systemctl start keelson-test; {process}"))
            .unwrap();
        let owed = format!("printf 'keelson-test.service\\t%s\\n' \"{boot}\" >/var/lib/keelson/restarts");
        host.run(&format!(
            "{owed}; /var/lib/keelson/current/apply; ! test -e /var/lib/keelson/restarts"
        ))
        .unwrap();
        host.run(process).unwrap() != before
    };
    assert!(!restarted_after("another"));
    assert!(restarted_after("$(cat /proc/sys/kernel/random/boot_id)"));
}

#[tokio::test]
async fn what_lies_there_before_the_first_bundle_is_taken_as_it_is() {
    let options = LabOptions::with_hosts(1);
    let name = "what_lies_there_before_the_first_bundle_is_taken_as_it_is";
    let Some(scene) = claimed(name, &options).await else {
        return;
    };
    let host = scene.host(0);
    host.write_file("/etc/keelson-test/server.crt", CERTIFICATE)
        .unwrap();
    host.write_file("/etc/keelson-test/server.key", "their own key")
        .unwrap();
    let look_at_key = "stat -c %a /etc/keelson-test/server.key; cat /etc/keelson-test/server.key";
    host.run("chmod 640 /etc/keelson-test/server.key").unwrap();
    let provider = scene.provider(scene.targets("operator")).await;
    let bundle = scene.bundles.plain("one");
    let context = Scene::context("u1", 1);
    assert_eq!(
        provider.carry_out(&context, &create("a", bundle.clone())).await,
        Outcome::Done
    );
    assert_eq!(host.run(look_at_key).unwrap(), "600\ntheir own key");
    assert_eq!(
        provider.carry_out(&context, &delete("a", bundle)).await,
        Outcome::Done
    );
    assert_eq!(
        host.run(look_at_key).unwrap(),
        "640\ntheir own key",
        "it is theirs again"
    );
}

/// Stands for containerd and crictl: an image can be fetched while there is a file `/root/registry`.
const RUNTIME: &str = r"
    mkdir -p /opt/keelson/bin
    printf '%s\n' '#!/bin/sh' 'case $1 in inspecti) exit 1 ;; pull) echo the registry is down >&2; test -e /root/registry ;; esac' \
        >/opt/keelson/bin/crictl
    chmod 755 /opt/keelson/bin/crictl
    printf '%s\n' '[Service]' 'ExecStart=/bin/sleep infinity' >/etc/systemd/system/containerd.service
    touch /root/registry
    systemctl daemon-reload
    systemctl start containerd
";

#[tokio::test]
async fn what_pods_start_from_changes_when_their_images_are_there() {
    let test = "what_pods_start_from_changes_when_their_images_are_there";
    let Some(scene) = claimed(test, &LabOptions::with_hosts(1)).await else {
        return;
    };
    let (host, context) = (scene.host(0), Scene::context("u1", 1));
    let provider = scene.provider(scene.targets("root")).await;
    host.run(RUNTIME).unwrap();
    let offer = |content: &str| {
        let actions = [
            "image registry.example.com/server:1",
            "fetch",
            "directory /srv/keelson-test 755 root root",
            "file /srv/keelson-test/manifest.yaml 644 root root config -",
        ];
        scene.bundles.offer(Recipe {
            content: content.to_owned(),
            actions: actions.map(str::to_owned).to_vec(),
            assets: Vec::new(),
        })
    };
    let first = offer("one");
    assert_eq!(
        provider.carry_out(&context, &create("a", first)).await,
        Outcome::Done
    );
    let manifest = || {
        host.run("cd /srv/keelson-test && cat manifest.yaml && stat -c %i manifest.yaml")
            .unwrap()
    };
    let before = manifest();
    host.run("rm /root/registry").unwrap();
    let second = update("a", offer("two"));
    let error = rejected(provider.carry_out(&context, &second).await);
    assert!(error.message.contains("the registry is down"), "{error}");
    assert_eq!(manifest(), before, "it was never exchanged");
    host.run("touch /root/registry").unwrap();
    assert_eq!(provider.carry_out(&context, &second).await, Outcome::Done);
    assert!(manifest().starts_with("two"), "{}", manifest());
}
