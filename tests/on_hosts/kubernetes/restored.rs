//! A real cluster whose etcd is given the data of a snapshot: what was made before is back, what was made after is gone, and
//! controllers and kubelets go on by themselves.

use std::time::Duration;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::pods;
use super::site::{Site, eventually};

#[test]
fn a_cluster_goes_back_to_a_snapshot_and_goes_on_from_there() {
    let test = "on_hosts::kubernetes::restored::a_cluster_goes_back_to_a_snapshot_and_goes_on_from_there";
    let Some(site) = Site::with_hosts(test, &["a", "b", "c", "d"]) else {
        return;
    };
    let provider = format!("      apiAddress: {}\n", site.api_address());
    let hosts = [
        ("a", "control-plane, worker"),
        ("b", "control-plane, worker"),
        ("c", "control-plane, worker"),
        ("d", "worker"),
    ];
    site.spec(&hosts, &provider, "");
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    site.kubectl("a", "create configmap before --from-literal=word=here");
    site.kubectl("a", "create secret generic sealed --from-literal=word=secret");
    site.desk.expect(0, "etcd snapshot save --purpose test");
    back_to_the_snapshot(&site, "while everything works", || {});
    back_to_the_snapshot(&site, "when all data is gone", || {
        for name in ["a", "b", "c"] {
            let host = site.desk.host(name);
            host.run("systemctl stop etcd; rm -rf /var/lib/etcd/member")
                .unwrap();
        }
    });
    println!(
        "the cluster's DNS knows what is new after {:#?}",
        pods::wait_for_names(&site, "a")
    );
    pods::serve(&site, "a", 4, &["a", "b", "c", "d"]);
    site.desk.expect(0, "destroy --yes");
}

/// Makes something, loses what `loss` takes, and restores.
fn back_to_the_snapshot(site: &Site, when: &str, loss: impl FnOnce()) {
    site.kubectl("a", "create configmap after --from-literal=word=late");
    site.kubectl("a", "delete configmap before");
    let kubelets = kubelets(site);
    loss();
    let begun = SystemClock.now();
    let restored = site.desk.expect(0, "etcd restore --yes");
    println!(
        "restored {when}, and every node Ready: {:#}",
        SystemClock.now().duration_since(begun)
    );
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    let value = |what: &str| site.kubectl("a", &format!("get {what} -o jsonpath={{.data.word}}"));
    assert_eq!(value("configmap before"), "here");
    assert_eq!(value("secret sealed"), "c2VjcmV0");
    let left = site.kubectl("a", "get configmap --no-headers -o name");
    assert!(!left.contains("configmap/after"), "{left}");
    assert_eq!(self::kubelets(site), kubelets, "no kubelet was started anew");
    // Controllers see what is made now, and kubelets run it.
    let name = format!("new-{}", SystemClock.now().as_millisecond());
    site.kubectl(
        "a",
        &format!(
            "create deployment {name} --image={}/e2e-test-images/busybox:1.36 --replicas=2 -- sleep 3600",
            site.registry()
        ),
    );
    eventually("new pods run", Duration::from_secs(120), || {
        site.kubectl(
            "a",
            &format!("get deployment {name} -o jsonpath={{.status.readyReplicas}}"),
        ) == "2"
    });
    site.kubectl("a", &format!("delete deployment {name}"));
    site.desk.expect(0, "plan");
}

/// The processes of all kubelets.
fn kubelets(site: &Site) -> Vec<String> {
    let pid = |name: &&str| {
        let command = "systemctl show --property=MainPID --value kubelet";
        site.desk.host(name).run(command).unwrap()
    };
    ["a", "b", "c", "d"].iter().map(pid).collect()
}
