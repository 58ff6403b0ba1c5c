//! The minor release before the newest one, and the way from there to the newest.

use super::site::Site;
use super::{cis, pods, rights};

#[test]
fn an_older_minor_comes_serves_and_is_upgraded() {
    let test = "on_hosts::kubernetes::older::an_older_minor_comes_serves_and_is_upgraded";
    let Some(mut site) = Site::with_hosts(test, &["a", "b", "c", "d", "e"]) else {
        return;
    };
    let Some(newest) = site.go_back_a_minor() else {
        keelson_test_hosts::skip(test, "there are programs of one minor release alone");
        return;
    };
    let address = site.api_address();
    let hosts = [
        ("a", "control-plane"),
        ("b", "control-plane"),
        ("c", "control-plane"),
        ("d", "worker"),
        ("e", "worker"),
    ];
    site.spec(&hosts, &format!("      apiAddress: {address}\n"), "");
    let desk = &site.desk;
    desk.expect(0, "apply --yes --accept-new-host-keys");
    desk.expect(0, "status --wait --timeout 120s");
    let again = desk.expect(0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");
    every_node_runs(&site, site.version());
    pods::serve(&site, "a", 2, &["a", "d", "e"]);
    rights::of_people(&site);
    rights::of_nodes(&site, "d", "e");
    rights::of_bootstrap_tokens(&site);
    cis::hold(&site, &[("a", true), ("d", false)]);
    it_is_upgraded(&site, &newest);
    desk.expect(0, "destroy --yes");
    pods::nothing_is_left(&site, &["a", "b", "c", "d", "e"]);
}

fn every_node_runs(site: &Site, version: &str) {
    let versions = "get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'";
    let versions = site.kubectl("a", versions);
    let wanted = format!("v{version}");
    assert!(
        versions.split_whitespace().all(|version| version == wanted),
        "{versions}"
    );
}

/// In place: nodes are drained one after the other, and pods go on within their budgets.
fn it_is_upgraded(site: &Site, newest: &str) {
    let image = format!("{}/e2e-test-images/busybox:1.36", site.registry());
    site.kubectl(
        "a",
        &format!("create deployment steady --image={image} --replicas=4 -- sleep 3600"),
    );
    site.kubectl("a", "rollout status deployment/steady --timeout=90s");
    site.kubectl(
        "a",
        "create poddisruptionbudget steady --selector=app=steady --min-available=2",
    );
    let (from, to) = (format!("kubernetesVersion: {}", site.version()), newest);
    site.edit(&from, &format!("kubernetesVersion: {to}"));
    let upgraded = site.desk.expect(0, "apply --yes").stderr;
    for words in ["cordon d", "uncordon d", "cordon e", "uncordon e"] {
        assert!(upgraded.contains(words), "{words}: {upgraded}");
    }
    every_node_runs(site, newest);
    let cordoned = site.kubectl("a", "get nodes -o jsonpath={.items[*].spec.unschedulable}");
    assert_eq!(cordoned, "");
    site.desk.expect(0, "status --wait --timeout 120s");
    site.desk.expect(0, "plan");
    site.kubectl("a", "rollout status deployment/steady --timeout=90s");
}
