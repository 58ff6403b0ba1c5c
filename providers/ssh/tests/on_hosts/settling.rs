//! Bundles that change what a control plane runs: the step ends when that is well, so that the next machine waits.

use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{ErrorClass, Health, Observed, Outcome, Provider};

use super::bundles::rejected;
use crate::support::{Recipe, Scene, Told, claim_all, control_plane, control_planes, create, look, update};

const KUBELET: &str = "/opt/fake/kubelet";
const BROKEN: &str = "#!/bin/sh\necho 'E0101 00:00:00.0 1 run.go:72] \"command failed\" err=\"no such feature gate: Nonsense\"'\nexit 1\n";

#[tokio::test]
async fn a_bundle_is_done_when_what_it_runs_is_well() {
    let Some(scene) = Scene::of_hosts("a_bundle_is_done_when_what_it_runs_is_well", 1) else {
        return;
    };
    claim_all(&scene).await;
    let (host, context) = (scene.host(0), Scene::context("u1", 1));
    let kubelet = String::from_utf8(host.read_file(KUBELET).unwrap()).unwrap();
    let ssh = scene.provider(scene.targets("root")).await;
    let control = control_planes(&scene).await;
    let offer = |content: &str, action: &str| {
        scene.bundles.offer(Recipe {
            content: content.to_owned(),
            actions: vec![action.to_owned()],
            assets: Vec::new(),
        })
    };
    let manifest = "file /etc/kubernetes/manifests/kube-scheduler.yaml 600 root root config -";
    let first = create("a", offer("one", manifest));
    assert_eq!(ssh.carry_out(&context, &first).await, Outcome::Done);
    let made = create("a", control_plane("a", "10.0.0.100:6443"));
    assert_eq!(control.carry_out(&context, &made).await, Outcome::Done);
    let health = async || match look(&control, "u1", Kind::ControlPlane, "a").await {
        Observed::Present(existing) => existing.health,
        other => panic!("{other:?}"),
    };

    let told = Told::default();
    let second = update("a", offer("two", manifest));
    assert_eq!(told.carry_out(&ssh, &second).await, Outcome::Done);
    assert_eq!(health().await, Health::Healthy);

    let program = "file /opt/fake/kubelet 755 root root config kubelet.service";
    let broken = update("a", offer(BROKEN, program));
    let error = rejected(ssh.carry_out(&context, &broken).await);
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error
            .message
            .starts_with("a has its new bundle, and kubelet.service does not come up: ")
            && error.message.contains("no such feature gate: Nonsense"),
        "{error}"
    );
    assert!(error.help.is_some_and(|help| help.contains("put the spec right")));

    let mended = update("a", offer(&kubelet, program));
    assert_eq!(ssh.carry_out(&context, &mended).await, Outcome::Done);
    assert_eq!(health().await, Health::Healthy);
}
