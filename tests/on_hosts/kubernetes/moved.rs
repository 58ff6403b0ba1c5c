//! All control planes are gone for good, with the machines that they were on: others take their places, are given the data of a
//! snapshot, and the worker that is left finds its cluster again by itself.

use std::time::Duration;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::pods;
use super::site::{Site, eventually};

const BEFORE: [&str; 3] = ["a", "b", "c"];
const AFTER: [&str; 3] = ["e", "f", "g"];
const WORKER: &str = "d";

#[test]
fn a_cluster_whose_control_planes_are_all_gone_lives_on_others() {
    let test = "on_hosts::kubernetes::moved::a_cluster_whose_control_planes_are_all_gone_lives_on_others";
    let names = [&BEFORE[..], &[WORKER], &AFTER[..]].concat();
    let Some(site) = Site::with_hosts(test, &names) else {
        return;
    };
    spec(&site, BEFORE);
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    site.kubectl("a", "create configmap before --from-literal=word=here");
    site.desk.expect(0, "etcd snapshot save");
    site.kubectl("a", "create configmap after --from-literal=word=late");
    for name in BEFORE {
        site.desk.host(name).power_cut().unwrap();
    }
    let begun = SystemClock.now();
    spec(&site, AFTER);
    for name in BEFORE {
        site.desk.expect(0, &format!("node forget {name}"));
    }
    let waits = site.desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(waits.stderr.contains("keelson etcd restore"), "{waits:#?}");
    // Control planes cannot be there before their etcd is: the restore says who brings them, and does not wait for them.
    let restored = site.desk.expect(1, "etcd restore --yes");
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    for words in ["an apply has yet to bring or mend", "keelson apply"] {
        assert!(restored.stderr.contains(words), "{restored:#?}");
    }
    println!("the data is there: {:#}", SystemClock.now().duration_since(begun));
    site.desk.expect(0, "apply --yes");
    println!(
        "every node is Ready: {:#}",
        SystemClock.now().duration_since(begun)
    );
    goes_on(&site);
    site.desk.expect(0, "destroy --yes");
}

fn spec(site: &Site, control_planes: [&str; 3]) {
    let provider = format!("      apiAddress: {}\n", site.api_address());
    let mut hosts = control_planes.map(|name| (name, "control-plane")).to_vec();
    hosts.push((WORKER, "worker"));
    site.spec(&hosts, &provider, "");
}

/// What was made before is there and what came after is not, no node of before is left, and what is new runs.
fn goes_on(site: &Site) {
    let on = AFTER[0];
    let left = site.kubectl(on, "get configmap --no-headers -o name");
    assert!(left.contains("configmap/before"), "{left}");
    assert!(!left.contains("configmap/after"), "{left}");
    eventually("the nodes are those of the spec", Duration::from_secs(60), || {
        let nodes = site.kubectl(on, "get nodes --no-headers");
        nodes.lines().count() == AFTER.len() + 1 && nodes.lines().all(|node| node.contains(" Ready "))
    });
    println!(
        "the cluster's DNS knows what is new after {:#?}",
        pods::wait_for_names(site, on)
    );
    pods::serve(site, on, 1, &[WORKER]);
    let status = site.desk.expect(0, "status");
    println!("{}", status.stdout);
    site.desk.expect(0, "plan");
}
