//! Bundles that are put in force, replaced and removed.

use std::sync::Mutex;
use std::time::Instant;

use keelson_provider_api::kinds::{Kind, MachineRole, NodeBundle};
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Asset, AssetSource, ErrorClass, Observed, Outcome, Owner, Progress, Provider, ProviderError, Resource,
};
use keelson_test_hosts::LabOptions;

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

    what_is_gone_shows_and_comes_again(&scene, &second).await;
    files_that_were_altered_show_and_are_put_back(&scene, &second).await;
    units_that_were_stopped_show_and_are_started(&scene, &second).await;

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

/// A certificate without its key is as bad as none.
async fn what_is_gone_shows_and_comes_again(scene: &Scene, bundle: &NodeBundle) {
    let (context, host) = (Scene::context("u1", 1), scene.host(0));
    let provider = scene.provider(scene.targets("operator")).await;
    let seen = async || match look(&provider, "u1", Kind::NodeBundle, "a").await {
        Observed::Present(seen) => seen.resource,
        other => panic!("the bundle is not seen: {other:?}"),
    };
    let losses = [
        "rm /etc/keelson-test/server.crt",
        "rm /etc/keelson-test/server.key",
        "truncate -s 0 /etc/keelson-test/server.key",
    ];
    for loss in losses {
        assert_eq!(
            seen().await,
            Resource::NodeBundle(bundle.clone()),
            "before {loss}"
        );
        host.run(loss).unwrap();
        assert_ne!(seen().await, Resource::NodeBundle(bundle.clone()), "{loss}");
        let again = update("a", bundle.clone());
        assert_eq!(
            provider.carry_out(&context, &again).await,
            Outcome::Done,
            "{loss}"
        );
        assert_eq!(host.run("cat /etc/keelson-test/server.crt").unwrap(), CERTIFICATE);
        host.run("test -s /etc/keelson-test/server.key").unwrap();
    }
}

async fn files_that_were_altered_show_and_are_put_back(scene: &Scene, bundle: &NodeBundle) {
    let (context, host) = (Scene::context("u1", 1), scene.host(0));
    let provider = scene.provider(scene.targets("operator")).await;
    let altered = async || match look(&provider, "u1", Kind::NodeBundle, "a").await {
        Observed::Present(existing) => match existing.resource {
            Resource::NodeBundle(seen) => seen.altered_files.into_iter().collect::<Vec<String>>(),
            other => panic!("{other:?}"),
        },
        other => panic!("the bundle is not seen: {other:?}"),
    };
    let config = "/etc/keelson-test/config";
    let unit = "/etc/systemd/system/keelson-test.service";
    for (damage, path) in [
        (format!("echo more >>{config}"), config),
        (format!("chmod 600 {config}"), config),
        (format!("rm {config}"), config),
        (format!("rm {unit}"), unit),
    ] {
        assert!(altered().await.is_empty(), "before {damage}");
        host.run(&damage).unwrap();
        assert_eq!(altered().await, [path], "{damage}");
        let again = update("a", bundle.clone());
        assert_eq!(
            provider.carry_out(&context, &again).await,
            Outcome::Done,
            "{damage}"
        );
        assert_eq!(host.run(&format!("cat {config}")).unwrap(), "two");
        host.run(&format!("test \"$(stat -c %a {config} {unit} | sort -u)\" = 644"))
            .unwrap();
    }
    assert!(altered().await.is_empty());

    // Network plugins put their programs over those of CNI.
    let program = "/opt/cni/bin/program";
    host.run(&format!(
        "mkdir -p /opt/cni/bin && echo theirs >{program} && printf '1 1 755 0 0\\t{program}\\n' >>/var/lib/keelson/files"
    ))
    .unwrap();
    assert!(altered().await.is_empty());
    host.run(&format!("rm -r {program} /opt/cni")).unwrap();
    assert_eq!(altered().await, [program]);
    let again = update("a", bundle.clone());
    assert_eq!(provider.carry_out(&context, &again).await, Outcome::Done);
    assert!(altered().await.is_empty());
}

async fn units_that_were_stopped_show_and_are_started(scene: &Scene, bundle: &NodeBundle) {
    let (context, host) = (Scene::context("u1", 1), scene.host(0));
    let provider = scene.provider(scene.targets("operator")).await;
    let unit = "keelson-test.service";
    let stopped = async || match look(&provider, "u1", Kind::NodeBundle, "a").await {
        Observed::Present(existing) => match existing.resource {
            Resource::NodeBundle(seen) => seen.stopped_units.into_iter().collect::<Vec<String>>(),
            other => panic!("{other:?}"),
        },
        other => panic!("the bundle is not seen: {other:?}"),
    };
    host.run(&format!("systemctl disable --now {unit}")).unwrap();
    assert!(stopped().await.is_empty(), "nobody wants it to run");
    host.run(&format!("systemctl enable --now {unit}")).unwrap();
    for damage in ["systemctl stop", "systemctl kill --signal=KILL"] {
        assert!(stopped().await.is_empty(), "before {damage}");
        host.run(&format!("{damage} {unit} && sleep 0.3")).unwrap();
        assert_eq!(stopped().await, [unit], "{damage}");
        let again = update("a", bundle.clone());
        assert_eq!(
            provider.carry_out(&context, &again).await,
            Outcome::Done,
            "{damage}"
        );
        host.run(&format!("systemctl is-active {unit}")).unwrap();
    }
    assert!(stopped().await.is_empty());
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
        .write_file("/etc/keelson-test/server.key.keelson-new", "a key")
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
            && error.message.contains("/etc/passwd/nothing"),
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
async fn an_update_that_fills_the_disk_leaves_the_one_before() {
    let test = "an_update_that_fills_the_disk_leaves_the_one_before";
    let options = LabOptions::with_hosts(1).host(0, |host| host.disk_mib = Some(128));
    let Some(scene) = claimed(test, &options).await else {
        return;
    };
    let context = Scene::context("u1", 1);
    let provider = scene.provider(scene.targets("operator")).await;
    let first = scene.bundles.plain("one");
    assert_eq!(
        provider.carry_out(&context, &create("a", first)).await,
        Outcome::Done
    );
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
async fn a_full_disk_is_told_as_such() {
    let options = LabOptions::with_hosts(1).host(0, |host| host.disk_mib = Some(128));
    let Some(scene) = claimed("a_full_disk_is_told_as_such", &options).await else {
        return;
    };
    let context = Scene::context("u1", 1);
    let provider = scene.provider(scene.targets("operator")).await;
    let first = scene.bundles.plain("one");
    assert_eq!(
        provider.carry_out(&context, &create("a", first)).await,
        Outcome::Done
    );
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
