//! Power that goes everywhere, and a control plane that is gone for good.

use std::time::Duration;

use super::pods;
use super::site::{Site, eventually};

#[test]
fn all_power_is_lost_and_a_control_plane_is_replaced() {
    let test = "on_hosts::kubernetes::losses::all_power_is_lost_and_a_control_plane_is_replaced";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d"]) else {
        return;
    };
    let provider = format!("      apiAddress: {}\n", site.api_address());
    let of = |names: [&'static str; 3]| names.map(|name| (name, "control-plane, worker"));
    site.spec(&of(["a", "b", "c"]), &provider, "");
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    site.kubectl("a", "create configmap kept --from-literal=word=here");
    let kept = |on: &str| {
        let word = site.kubectl(on, "get configmap kept -o jsonpath={.data.word}");
        assert_eq!(word, "here");
    };

    for name in ["a", "b", "c"] {
        site.desk.host(name).power_cut().unwrap();
    }
    for name in ["a", "b", "c"] {
        site.desk.host(name).start().unwrap();
    }
    site.desk.host("a").wait_for_ssh().unwrap();
    let address = site.api_address();
    let away = eventually(
        "the API answers after the power is back",
        Duration::from_secs(180),
        || site.api_answers("a", &address),
    );
    println!("all hosts had power again; the API answered {away:?} later");
    site.desk.expect(0, "status --wait --timeout 240s");
    kept("a");
    pods::serve(&site, "a", 3, &["a", "b", "c"]);

    a_control_plane_is_replaced(&site, "c", || site.spec(&of(["a", "b", "d"]), &provider, ""));
    kept("d");
    let members = site.desk.status()["etcd"]["main"]["members"].clone();
    let names: Vec<&str> = members
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|member| member["machine"].as_str())
        .collect();
    assert_eq!(names, ["a", "b", "d"], "{members:#}");
    site.desk.expect(0, "destroy --yes");
}

/// `lost` loses its power for good; the new spec has another in its place.
fn a_control_plane_is_replaced(site: &Site, lost: &str, write_spec: impl FnOnce()) {
    site.desk.host(lost).power_cut().unwrap();
    write_spec();
    // Everything is done but what needs the host itself, and it says what to do about that.
    let blocked = site.desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(
        blocked.stderr.contains(&format!("keelson node forget {lost}")),
        "{blocked:#?}"
    );
    site.desk.expect(0, &format!("node forget {lost}"));
    site.desk.expect(0, "apply --yes");
    site.desk.expect(0, "status --wait --timeout 120s");
    site.desk.expect(0, "plan");
    let nodes = site.kubectl("a", "get nodes -o name");
    assert!(
        !nodes.contains(&format!("node/{lost}")) && nodes.lines().count() == 3,
        "{nodes}"
    );
}
