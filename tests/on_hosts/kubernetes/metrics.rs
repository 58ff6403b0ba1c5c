//! metrics-server, asked by way of a real API server.

use std::time::Duration;

use super::pods;
use super::site::{Site, eventually};

#[test]
fn metrics_of_nodes_and_pods_come_by_way_of_the_api() {
    let test = "on_hosts::kubernetes::metrics::metrics_of_nodes_and_pods_come_by_way_of_the_api";
    let Some(site) = Site::with_hosts(test, &["a", "b"]) else {
        return;
    };
    if !site.has_image("metrics-server") {
        keelson_test_hosts::skip(test, "there is no image of metrics-server");
        return;
    }
    site.spec(
        &[("a", "control-plane"), ("b", "worker")],
        "",
        "  addons: [metrics-server]\n",
    );
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    site.desk.expect(0, "status --wait --timeout 120s");
    let again = site.desk.expect(0, "apply --yes");
    assert!(again.stderr.contains("nothing was changed"), "{again:#?}");
    // It has to have looked twice.
    eventually("metrics of both nodes", Duration::from_secs(120), || {
        let top = site.kubectl("a", "top nodes --no-headers 2>&1; true");
        ["a", "b"].iter().all(|node| {
            let line = top
                .lines()
                .find(|line| line.split_whitespace().next() == Some(node));
            line.is_some_and(|line| line.contains("Mi") && !line.contains("<unknown>"))
        })
    });
    let pods = site.kubectl("a", "top pods -n kube-system --no-headers");
    assert!(pods.contains("kube-apiserver-a"), "{pods}");

    // What is no longer wanted goes, its place in the API too.
    site.edit("  addons: [metrics-server]\n", "");
    site.desk.expect(0, "apply --yes");
    let services = site.kubectl("a", "get apiservices -o name");
    assert!(!services.contains("metrics.k8s.io"), "{services}");
    site.desk.expect(0, "destroy --yes");
    pods::nothing_is_left(&site, &["a", "b"]);
}
