//! metrics-server, asked by way of a real API server.

use std::time::Duration;

use super::pods;
use super::site::{Site, eventually};

/// The default `StorageClass` that the documentation shows.
fn documented_storage_class() -> &'static str {
    let page = include_str!("../../../docs/addons.md");
    let mut blocks = page.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains("kind: StorageClass"));
    block.unwrap().trim_start_matches("yaml\n")
}

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
    std::fs::write(site.desk.path("storage.yaml"), documented_storage_class()).unwrap();
    let addons = "  addons: [metrics-server, { name: storage, manifest: ./storage.yaml }]\n";
    site.spec(&[("a", "control-plane"), ("b", "worker")], "", addons);
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
    let classes = site.kubectl("a", "get storageclasses --no-headers");
    assert!(classes.starts_with("standard (default)"), "{classes}");

    // What is no longer wanted goes, its place in the API too.
    site.edit(addons, "");
    site.desk.expect(0, "apply --yes");
    let left = site.kubectl("a", "get apiservices,storageclasses -o name");
    assert!(
        !left.contains("metrics.k8s.io") && !left.contains("standard"),
        "{left}"
    );
    site.desk.expect(0, "destroy --yes");
    pods::nothing_is_left(&site, &["a", "b"]);
}
