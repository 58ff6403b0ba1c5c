//! Two runs at once, and runs that died.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;

use super::lab::{Lab, Running, wait_for};

/// About three minutes of virtual time: some three seconds.
pub(super) const SLOW: &str = "\
apiVersion: keelson.dev/v1alpha1
kind: Cluster
metadata: { name: prod.example.com }
spec:
  kubernetesVersion: 1.36.2
  provider: { simulated: { like: aws, seed: 7, speed: 60 } }
  controlPlane: { replicas: 3 }
  nodeGroups: [{ name: workers, replicas: 2 }]
";

pub(super) const LEASE: &str = ".keelson/prod.example.com/lease";
const WORLD: &str = ".keelson/simulated_world/aws/world.log";

/// Starts an apply and waits until the world's log has `lines` lines.
pub(super) fn start_until(lab: &Lab, lines: usize) -> Running {
    let running = lab.start("apply --yes");
    let log = lab.path(WORLD);
    let reached = wait_for(|| {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.lines().count() >= lines && lab.path(LEASE).exists()
    });
    assert!(reached, "the world's log never had {lines} lines");
    running
}

/// Lets the lease of a dead run end: waiting for it would take half a minute.
fn expire_lease(lab: &Lab) {
    let mut lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
    lease["expiresAt"] = "2020-01-01T00:00:00Z".into();
    lab.write(LEASE, lease.to_string());
}

/// From here on nothing takes real time.
pub(super) fn hurry(lab: &Lab) {
    lab.edit("cluster.yaml", "speed: 60", "speed: 0");
}

/// Fails unless the cluster is complete, and nothing in it was made twice.
pub(super) fn check_whole(lab: &Lab) {
    lab.expect(0, "plan");
    let status = lab.expect(0, "status -o json").json();
    assert_eq!(status["machines"].as_array().unwrap().len(), 5);
    assert_eq!(status["etcd"]["main"]["members"].as_array().unwrap().len(), 3);
    let mut serials: BTreeMap<String, BTreeSet<u64>> = BTreeMap::default();
    for line in lab.read(WORLD).lines().skip(1) {
        let (_check, body) = line.split_once(' ').unwrap();
        let line: serde_json::Value = serde_json::from_str(body).unwrap();
        for effect in line["do"].as_array().unwrap() {
            if let (Some(key), Some(serial)) =
                (effect["put"]["key"].as_str(), effect["put"]["serial"].as_u64())
            {
                serials.entry(key.to_owned()).or_default().insert(serial);
            }
        }
    }
    assert!(serials.len() > 20, "{serials:?}");
    for (key, serials) in serials {
        assert_eq!(serials.len(), 1, "{key} was made more than once");
    }
}

#[test]
fn of_two_applies_one_is_refused() {
    let lab = Lab::with_spec(SLOW);
    // Four more runs are to come and go while it goes on, also where each takes a second.
    lab.edit("cluster.yaml", "speed: 60", "speed: 10");
    let first = start_until(&lab, 3);
    let second = lab.expect(5, "apply --yes").says(&[
        "operator@",
        "holds the lease of cluster prod.example.com since 20",
        "(apply)",
        "help: wait for it to end",
        "keelson apply -f cluster.yaml",
    ]);
    assert_eq!(second.stdout, "");
    lab.expect(5, "destroy --yes").says(&["holds the lease"]);
    lab.expect(2, "plan").says(&[
        "note: operator@",
        "is changing the cluster since 20",
        "(apply): the plan shows one moment of that",
    ]);
    let status = lab.run("status");
    assert!(status.stdout.contains("Lease          operator@"), "{status:?}");
    first.end().expect(0, "apply");
    lab.edit("cluster.yaml", "speed: 10", "speed: 0");
    check_whole(&lab);
    assert_eq!(lab.expect(0, "plan").stderr, "", "nobody holds the lease");
}

#[test]
fn a_holder_that_was_killed_on_this_machine_is_taken_over_at_once() {
    let lab = Lab::with_spec(SLOW);
    let first = start_until(&lab, 10);
    first.signal(Signal::KILL);
    assert_eq!(first.end().code, None);
    hurry(&lab);
    lab.expect(0, "apply --yes")
        .says(&["took the lease over", "Done:"]);
    check_whole(&lab);
    let lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
    assert_eq!(lease["generation"], 2);
}

#[test]
fn a_killed_holder_elsewhere_is_taken_over_when_its_lease_has_run_out() {
    let lab = Lab::with_spec(SLOW);
    let first = start_until(&lab, 10);
    first.signal(Signal::KILL);
    assert_eq!(first.end().code, None);
    hurry(&lab);
    let mut lease: serde_json::Value = serde_json::from_str(&lab.read(LEASE)).unwrap();
    lease["process"]["bootId"] = "another machine".into();
    lab.write(LEASE, lease.to_string());
    lab.expect(5, "apply --yes")
        .says(&["if it was killed, the lease runs out at 20"]);
    expire_lease(&lab);
    lab.expect(0, "apply --yes")
        .says(&["took the lease over", "Done:"]);
    check_whole(&lab);
}

#[test]
fn a_run_killed_at_any_moment_is_gone_on_from() {
    for lines in [1, 4, 12, 20, 30] {
        let lab = Lab::with_spec(SLOW);
        let run = start_until(&lab, lines);
        run.signal(Signal::KILL);
        run.end();
        hurry(&lab);
        lab.expect(0, "apply --yes --progress none");
        check_whole(&lab);
        lab.expect(0, "destroy --yes --progress none");
    }
}

/// As after a first apply that was killed before it had begun anything.
#[test]
fn a_status_shows_who_holds_the_lease_before_there_is_a_cluster() {
    let lab = Lab::with_spec(SLOW);
    let lease = serde_json::json!({
        "holder": "operator@desk",
        "purpose": "apply",
        "since": "2026-11-01T10:00:00Z",
        "expiresAt": "2099-01-01T00:00:00Z",
        "generation": 1,
        "released": false,
    });
    std::fs::create_dir_all(lab.path(LEASE).parent().unwrap()).unwrap();
    lab.write(LEASE, lease.to_string());
    let status = lab.expect(1, "status");
    let expected =
        "Lease          operator@desk since 2026-11-01T10:00:00Z (apply), until 2099-01-01T00:00:00Z";
    assert!(
        status.stdout.contains("there is no such cluster") && status.stdout.contains(expected),
        "{status:?}"
    );
}

#[test]
fn a_status_names_what_was_never_made() {
    let lab = Lab::with_spec(SLOW);
    hurry(&lab);
    lab.expect(0, "apply --yes");
    lab.edit("cluster.yaml", "replicas: 3", "replicas: 5");
    let status = lab.expect(1, "status").stdout;
    assert!(status.contains("degraded"), "{status}");
    let missing = "! control-plane-[4-5] (machine, etcd-member, control-plane, node): not there yet";
    assert!(status.contains(missing), "{status}");
}
