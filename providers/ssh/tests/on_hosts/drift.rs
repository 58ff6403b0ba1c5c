//! What was done to a bundle on its host shows, and is mended by putting the bundle in force again.

use keelson_provider_api::kinds::{Kind, NodeBundle};
use keelson_provider_api::{Observed, Outcome, Provider, Resource};

use crate::support::{CERTIFICATE, Scene, look, update};

/// The bundle on host `a` as its cluster sees it.
async fn seen(provider: &dyn Provider) -> NodeBundle {
    match look(provider, "u1", Kind::NodeBundle, "a").await {
        Observed::Present(existing) => match existing.resource {
            Resource::NodeBundle(bundle) => bundle,
            other => panic!("{other:?}"),
        },
        other => panic!("the bundle is not seen: {other:?}"),
    }
}

async fn put_in_force(provider: &dyn Provider, bundle: &NodeBundle, damage: &str) {
    let again = update("a", bundle.clone());
    let outcome = provider.carry_out(&Scene::context("u1", 1), &again).await;
    assert_eq!(outcome, Outcome::Done, "{damage}");
}

/// A certificate without its key is as bad as none.
pub(super) async fn what_is_gone_shows_and_comes_again(scene: &Scene, bundle: &NodeBundle) {
    let host = scene.host(0);
    let provider = scene.provider(scene.targets("operator")).await;
    let losses = [
        "rm /etc/keelson-test/server.crt",
        "rm /etc/keelson-test/server.key",
        "truncate -s 0 /etc/keelson-test/server.key",
    ];
    for loss in losses {
        assert_eq!(seen(&provider).await, *bundle, "before {loss}");
        host.run(loss).unwrap();
        assert_ne!(seen(&provider).await, *bundle, "{loss}");
        put_in_force(&provider, bundle, loss).await;
        assert_eq!(host.run("cat /etc/keelson-test/server.crt").unwrap(), CERTIFICATE);
        host.run("test -s /etc/keelson-test/server.key").unwrap();
    }
}

pub(super) async fn files_that_were_altered_show_and_are_put_back(scene: &Scene, bundle: &NodeBundle) {
    let host = scene.host(0);
    let provider = scene.provider(scene.targets("operator")).await;
    let altered = async || Vec::from_iter(seen(&provider).await.altered_files);
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
        put_in_force(&provider, bundle, &damage).await;
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
    let damage = format!("rm -r {program} /opt/cni");
    host.run(&damage).unwrap();
    assert_eq!(altered().await, [program]);
    put_in_force(&provider, bundle, &damage).await;
    assert!(altered().await.is_empty());
}

pub(super) async fn units_that_were_stopped_show_and_are_started(scene: &Scene, bundle: &NodeBundle) {
    let host = scene.host(0);
    let provider = scene.provider(scene.targets("operator")).await;
    let stopped = async || Vec::from_iter(seen(&provider).await.stopped_units);
    let unit = "keelson-test.service";
    host.run(&format!("systemctl disable --now {unit}")).unwrap();
    assert!(stopped().await.is_empty(), "nobody wants it to run");
    host.run(&format!("systemctl enable --now {unit}")).unwrap();
    for damage in ["systemctl stop", "systemctl kill --signal=KILL"] {
        assert!(stopped().await.is_empty(), "before {damage}");
        // What is killed has not ended when it was sent the signal.
        let ended =
            format!("for n in $(seq 100); do systemctl is-active --quiet {unit} || break; sleep 0.1; done");
        host.run(&format!("{damage} {unit} && {ended}")).unwrap();
        assert_eq!(stopped().await, [unit], "{damage}");
        put_in_force(&provider, bundle, damage).await;
        host.run(&format!("systemctl is-active {unit}")).unwrap();
    }
    assert!(stopped().await.is_empty());
}
