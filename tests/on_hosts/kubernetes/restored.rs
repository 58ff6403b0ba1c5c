//! A real cluster whose etcd is given the data of a snapshot, of the state store and of one that a timer took and a host keeps:
//! what was made before is back, what was made after is gone, and controllers and kubelets go on by themselves.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;

use super::pods;
use super::site::{Site, eventually};
use crate::on_hosts::client::ETCDCTL;

const CONTROL_PLANES: [&str; 3] = ["a", "b", "c"];
/// Each machine keeps enough of them for one to be there still when it is restored.
const SNAPSHOTS: &str =
    "snapshots: { schedule: \"*-*-* *:*:00/20\", to: hosts, keep: { last: 60, hourly: 0, daily: 0 } }";

/// What the leases of API servers begin with (`pkg/controlplane/reconcilers/lease.go` of Kubernetes).
const LEASES: &str = "/registry/masterleases/";
/// The address of a control plane that is lost: none of the machines has it.
const LOST: &str = "192.0.2.1";

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
    let etcd = format!("etcd: {{ version: {} }}", site.etcd());
    site.edit(&etcd, &etcd.replace(" }", &format!(", {SNAPSHOTS} }}")));
    site.desk.expect(0, "apply --yes --accept-new-host-keys");
    site.kubectl("a", "create configmap before --from-literal=word=here");
    site.kubectl("a", "create secret generic sealed --from-literal=word=secret");
    leave_a_lease(&site);
    let saved = site.desk.expect(0, "etcd snapshot save --purpose test -o json");
    let saved: serde_json::Value = serde_json::from_str(&saved.stdout).unwrap();
    let saved = format!("{} --place state-store", saved[0]["name"].as_str().unwrap());
    back_to_the_snapshot(&site, &saved, "while everything works", || {});
    leave_a_lease(&site);
    let taken = taken_by_the_schedule(&site);
    back_to_the_snapshot(&site, &taken, "when all data is gone", || {
        for name in CONTROL_PLANES {
            let host = site.desk.host(name);
            host.run("systemctl stop etcd; rm -rf /var/lib/etcd/* /var/lib/etcd.removed-*")
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

/// Leaves the lease of an API server in etcd that is lost: its control plane was there when the snapshot was taken. This one never runs
/// out, so that only the restore can have taken it away.
fn leave_a_lease(site: &Site) {
    let leave = format!(
        "one=$({ETCDCTL} get --prefix --keys-only --limit=1 {LEASES} | head -n 1) && \
         {ETCDCTL} get --print-value-only \"$one\" | head -c -1 >/run/lease && \
         {ETCDCTL} put {LEASES}{LOST} </run/lease >/dev/null && rm /run/lease"
    );
    site.desk.host("a").run(&leave).unwrap();
    assert!(leases(site).contains(LOST));
}

/// The leases of API servers, a line each.
fn leases(site: &Site) -> String {
    let list = format!("{ETCDCTL} get --prefix --keys-only {LEASES}");
    site.desk.host("a").run(&list).unwrap()
}

/// Waits for a snapshot that a timer takes from now on, sees that it is told of, and gives its name and the place where it lies.
fn taken_by_the_schedule(site: &Site) -> String {
    let begun = SystemClock.now();
    let mut found = None;
    eventually("a snapshot by the schedule", Duration::from_secs(120), || {
        let list = site.desk.expect(0, "etcd snapshot list -o json");
        let list: serde_json::Value = serde_json::from_str(&list.stdout).unwrap();
        let newest = list["backups"][0].clone();
        let manifest = &newest["manifest"];
        let taken_at = manifest["takenAt"].as_str().and_then(|text| text.parse().ok());
        let is_new = taken_at.is_some_and(|taken_at: Timestamp| taken_at > begun);
        let is_one = is_new && newest["condition"] == "whole" && manifest["purpose"] == "schedule";
        found = is_one.then_some(newest);
        found.is_some()
    });
    let found = found.unwrap();
    let (name, place) = (
        found["name"].as_str().unwrap(),
        found["place"]["host"].as_str().unwrap(),
    );
    assert!(CONTROL_PLANES.contains(&place), "{found:#}");
    assert_eq!(found["manifest"]["kubernetesVersion"], site.version());
    let status = site.desk.expect(0, "status");
    let last = status
        .stdout
        .lines()
        .find(|line| line.starts_with("Last snapshot"));
    assert!(
        last.is_some_and(|last| last.ends_with(" ago (schedule)")),
        "{status:#?}"
    );
    println!("taken by the schedule: {found:#}");
    format!("{name} --place {place}")
}

/// Makes something, loses what `loss` takes, and restores the snapshot that the arguments `snapshot` name.
fn back_to_the_snapshot(site: &Site, snapshot: &str, when: &str, loss: impl FnOnce()) {
    site.kubectl("a", "create configmap after --from-literal=word=late");
    site.kubectl("a", "delete configmap before");
    let kubelets = kubelets(site);
    loss();
    let begun = SystemClock.now();
    let restored = site.desk.expect(0, &format!("etcd restore {snapshot} --yes"));
    println!(
        "restored {when}, and every node Ready: {:#}",
        SystemClock.now().duration_since(begun)
    );
    assert!(restored.stderr.contains("Restored:"), "{restored:#?}");
    let leases = leases(site);
    assert!(!leases.contains(LOST), "no lease of before is left: {leases}");
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
