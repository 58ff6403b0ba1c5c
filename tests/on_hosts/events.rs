//! An etcd of events beside the one of everything else: whatever is done to one is done to the other, and what is done to one
//! alone leaves the other as it is.

mod restored;

use std::fs;

use keelson_provider_api::Clock;
use keelson_provider_api::clock::SystemClock;
use keelson_test_hosts::Host;
use serde_json::Value;

use super::client::ETCDCTL;
use super::desk::Desk;

const NAMES: [&str; 3] = ["a", "b", "c"];
/// Once `c` is gone.
const LATER: [&str; 3] = ["a", "b", "d"];
const ETCDS: [&str; 2] = ["main", "events"];
/// Each etcd's port for clients, its unit and that of its snapshots.
const MAIN: (u16, &str, &str) = (2379, "etcd", "keelson-etcd-snapshot.service");
const EVENTS: (u16, &str, &str) = (2382, "etcd-events", "keelson-etcd-events-snapshot.service");
/// How often all machines are asked for a snapshot until the one has taken it whose turn it is: the minute may end meanwhile.
const ATTEMPTS: u32 = 5;

#[test]
fn both_etcds_are_saved_read_restored_and_mended() {
    let test = "on_hosts::events::both_etcds_are_saved_read_restored_and_mended";
    let Some(desk) = Desk::before(test, &["a", "b", "c", "d"]) else {
        return;
    };
    let begun = SystemClock.now();
    let passed = |what: &str| println!("{what} after {:#}", SystemClock.now().duration_since(begun));
    spec(&desk, &NAMES);
    desk.expect(0, "apply --yes --accept-new-host-keys");
    for (etcd, port) in [("main", MAIN.0), ("events", EVENTS.0)] {
        let put = format!(
            "for n in $(seq 30); do {} put {etcd}/$n value-$n; done >/dev/null",
            ctl(port)
        );
        desk.host("a").run(&put).unwrap();
    }
    passed("applied");
    saved_by_hand(&desk);
    passed("saved");
    saved_by_machines(&desk);
    passed("saved by machines");
    read_and_drilled(&desk);
    passed("drilled");
    pruned(&desk);
    tended(&desk);
    passed("tended");
    restored::events_go_back_alone(&desk);
    passed("restored");
    a_host_is_gone(&desk);
    passed("replaced");
    restored::both_were_lost(&desk);
    passed("both restored");
    desk.expect(0, "destroy --yes");
    for name in LATER {
        let left = "pgrep -x etcd; ls -A /etc/systemd/system | grep etcd; true";
        assert_eq!(desk.host(name).run(left).unwrap(), "", "{name}");
    }
    passed("destroyed");
}

/// Machines take snapshots when they are asked, and otherwise not while the test runs.
fn spec(desk: &Desk, names: &[&str]) {
    let mut spec = desk.spec_of(names);
    "  preflight: { ignore: [time-sync] }\n".clone_into(&mut spec.more);
    let etcd = "placement: { dedicated: {} }";
    let text = spec.text();
    assert!(text.contains(etcd), "{text}");
    let own =
        format!("{etcd}, events: separate, snapshots: {{ schedule: \"2099-01-01\", keep: {{ last: 1 }} }}");
    fs::write(desk.path("cluster.yaml"), text.replace(etcd, &own)).unwrap();
}

fn ctl(port: u16) -> String {
    format!("{ETCDCTL} --endpoints=https://127.0.0.1:{port} --command-timeout=20s")
}

/// Every key and value, as one digest.
fn digest(host: &Host, port: u16) -> String {
    let get = format!("{} get '' --prefix | sha256sum", ctl(port));
    host.run(&get).unwrap()
}

fn json(desk: &Desk, arguments: &str) -> Value {
    let said = desk.expect(0, &format!("{arguments} -o json"));
    serde_json::from_str(&said.stdout).unwrap()
}

/// What stands in the cluster's record.
fn record(desk: &Desk) -> Value {
    let record = fs::read(desk.path("state/db.example.com/cluster.json")).unwrap();
    serde_json::from_slice(&record).unwrap()
}

/// All that a manifest says of who it is of, beside what the cluster says of itself.
fn expect_manifest(desk: &Desk, manifest: &Value, etcd: &str) {
    let record = record(desk);
    assert_eq!(manifest["etcdCluster"], etcd, "{manifest:#}");
    assert_eq!(manifest["clusterUid"], record["uid"], "{manifest:#}");
    assert_eq!(manifest["authorities"], record["keys"], "{manifest:#}");
    let keys = record["keys"].as_object().unwrap().keys();
    assert!(
        keys.eq(["etcd"]),
        "an etcd alone has no other authority: {record:#}"
    );
    assert!(manifest["kubernetesVersion"].is_null(), "{manifest:#}");
    let report = json(desk, "etcd status");
    let members = report["clusters"][etcd]["members"].as_array().unwrap();
    let mut members = members.iter();
    let writer = members.find(|member| member["machine"] == manifest["machine"]);
    assert_eq!(
        writer.unwrap()["version"],
        manifest["etcdVersion"],
        "{manifest:#}"
    );
}

fn saved_by_hand(desk: &Desk) {
    let before = desk.status();
    let none = serde_json::json!({ "main": null, "events": null });
    assert_eq!(
        (&before["lastSnapshots"], &before["lastSnapshot"]),
        (&none, &Value::Null)
    );
    let saved = json(desk, "etcd snapshot save --purpose by-hand");
    assert_eq!(saved.as_array().unwrap().len(), 2, "{saved:#}");
    for (backup, etcd) in saved.as_array().unwrap().iter().zip(ETCDS) {
        expect_manifest(desk, backup, etcd);
        assert!(
            backup["contents"]["totalKeys"].as_u64().unwrap() >= 30,
            "{backup:#}"
        );
    }
    let text = desk.expect(0, "status").stdout;
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("Last snapshot"))
        .take(2)
        .collect();
    for (line, etcd) in lines.iter().zip(["events", "main"]) {
        assert!(
            line.contains(&format!("  {etcd}: 20")) && line.ends_with(" ago (by-hand)"),
            "{text}"
        );
    }
    let status = desk.status();
    for (backup, etcd) in saved.as_array().unwrap().iter().zip(ETCDS) {
        let last = &status["lastSnapshots"][etcd];
        assert_eq!(
            (&last["name"], &last["takenAt"]),
            (&backup["name"], &backup["takenAt"])
        );
    }
    assert_eq!(status["lastSnapshot"], status["lastSnapshots"]["main"]);
    assert_eq!(status["warnings"], serde_json::json!([]));
}

/// The backups of `etcd` that lie on machines.
fn on_machines(desk: &Desk, etcd: &str) -> Vec<Value> {
    let list = json(desk, "etcd snapshot list");
    let backups = list["backups"].as_array().unwrap().iter();
    let theirs = backups.filter(|backup| backup["place"]["host"].is_string());
    let theirs = theirs.filter(|backup| backup["manifest"]["etcdCluster"] == etcd);
    theirs.cloned().collect()
}

/// What a machine writes down is what a save writes down, the digests of authorities and all.
fn saved_by_machines(desk: &Desk) {
    for (etcd, (_, _, unit)) in [("main", MAIN), ("events", EVENTS)] {
        let mut taken = Vec::new();
        for _ in 0..ATTEMPTS {
            for name in NAMES {
                desk.host(name).run(&format!("systemctl start {unit}")).unwrap();
            }
            taken = on_machines(desk, etcd);
            if !taken.is_empty() {
                break;
            }
        }
        let backup = taken
            .first()
            .unwrap_or_else(|| panic!("nobody took one of {etcd}"));
        assert_eq!(backup["condition"], "whole", "{backup:#}");
        assert_eq!(backup["manifest"]["purpose"], "schedule", "{backup:#}");
        expect_manifest(desk, &backup["manifest"], etcd);
        assert_eq!(desk.status()["lastSnapshots"][etcd]["purpose"], "schedule");
    }
}

fn read_and_drilled(desk: &Desk) {
    let list = json(desk, "etcd snapshot list");
    let verified = json(desk, "etcd snapshot verify --all");
    assert_eq!(verified["good"], true, "{verified:#}");
    let count = |list: &Value| list["backups"].as_array().unwrap().len();
    assert_eq!(count(&verified), count(&list));
    let drilled = json(desk, "etcd drill");
    let drilled = drilled.as_array().unwrap();
    assert_eq!(drilled.len(), 2);
    for (report, etcd) in drilled.iter().zip(ETCDS) {
        assert_eq!(
            (&report["etcdCluster"], &report["good"]),
            (&etcd.into(), &true.into()),
            "{report:#}"
        );
        assert_eq!(report["unknown"], serde_json::json!([]), "{report:#}");
        assert_eq!(report["live"]["keys"].as_u64(), Some(30), "{report:#}");
    }
    let one = json(desk, "etcd drill --etcd events --place state-store");
    assert_eq!(
        (one.as_array().unwrap().len(), &one[0]["etcdCluster"]),
        (1, &"events".into())
    );
}

/// Rules count for each etcd by itself.
fn pruned(desk: &Desk) {
    json(desk, "etcd snapshot save --etcd events");
    json(desk, "etcd snapshot save --etcd events");
    let of = |etcd: &str| {
        let list = json(desk, "etcd snapshot list");
        let backups = list["backups"].as_array().unwrap().iter();
        let here = backups.filter(|backup| backup["place"] == "state-store");
        here.filter(|backup| backup["manifest"]["etcdCluster"] == etcd)
            .count()
    };
    assert!(of("main") == 1 && of("events") >= 2);
    desk.expect(0, "etcd snapshot prune --last 1 --yes");
    assert_eq!((of("main"), of("events")), (1, 1));
    desk.expect(0, "etcd snapshot verify");
}

/// Members of both give space back, the leaders last, and no alarm is taken back where none was raised.
fn tended(desk: &Desk) {
    let done = json(desk, "etcd defrag");
    let report = json(desk, "etcd status");
    for etcd in ETCDS {
        let done = done.as_array().unwrap().iter();
        let order: Vec<&Value> = done
            .filter(|member| member["etcdCluster"] == etcd)
            .map(|member| &member["machine"])
            .collect();
        assert_eq!(order.len(), 3, "{order:?}");
        assert_eq!(order[2], &report["clusters"][etcd]["leader"], "{order:?}");
    }
    let one = json(desk, "etcd defrag b --etcd events");
    assert_eq!(
        (one.as_array().unwrap().len(), &one[0]["etcdCluster"]),
        (1, &"events".into())
    );
    let disarmed = json(desk, "etcd disarm");
    assert_eq!(
        disarmed,
        serde_json::json!([
            { "etcdCluster": "main", "alarms": [] },
            { "etcdCluster": "events", "alarms": [] },
        ])
    );
}

/// Its members of both etcds are replaced.
fn a_host_is_gone(desk: &Desk) {
    let before = [MAIN.0, EVENTS.0].map(|port| digest(desk.host("a"), port));
    desk.host("c").power_cut().unwrap();
    spec(desk, &LATER);
    let blocked = desk.expect(3, "apply --yes --accept-new-host-keys");
    assert!(blocked.stderr.contains("keelson node forget c"), "{blocked:#?}");
    desk.expect(0, "node forget c");
    desk.expect(0, "plan");
    let report = json(desk, "etcd status");
    assert_eq!(report["healthy"], true, "{report:#}");
    for etcd in ETCDS {
        let members = report["clusters"][etcd]["members"].as_array().unwrap();
        let machines: Vec<&str> = members
            .iter()
            .filter_map(|member| member["machine"].as_str())
            .collect();
        assert_eq!(machines, LATER, "{report:#}");
        assert_eq!(report["clusters"][etcd]["healthyVoters"], 3, "{report:#}");
    }
    assert_eq!(
        [MAIN.0, EVENTS.0].map(|port| digest(desk.host("d"), port)),
        before
    );
    for (port, unit, _) in [MAIN, EVENTS] {
        let active = format!("systemctl is-active {unit} && {} endpoint health 2>&1", ctl(port));
        let said = desk.host("d").run(&active).unwrap();
        assert!(said.contains("is healthy"), "{said}");
    }
}
