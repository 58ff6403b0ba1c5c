//! The minor release before the newest one.

use super::site::Site;
use super::{cis, pods, rights};

#[test]
fn an_older_minor_comes_serves_and_goes() {
    let test = "on_hosts::kubernetes::older::an_older_minor_comes_serves_and_goes";
    let Some(mut site) = Site::with_hosts(test, &["a", "b", "c", "d", "e"]) else {
        return;
    };
    if !site.go_back_a_minor() {
        keelson_test_hosts::skip(test, "there are programs of one minor release alone");
        return;
    }
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
    let versions = "get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'";
    let versions = site.kubectl("a", versions);
    assert!(
        versions
            .split_whitespace()
            .all(|version| version == format!("v{}", site.version())),
        "{versions}"
    );
    pods::serve(&site, "a", 2, &["a", "d", "e"]);
    rights::of_people(&site);
    rights::of_nodes(&site, "d", "e");
    rights::of_bootstrap_tokens(&site);
    cis::hold(&site, &[("a", true), ("d", false)]);
    desk.expect(0, "destroy --yes");
    pods::nothing_is_left(&site, &["a", "b", "c", "d", "e"]);
}
