//! Nodes that are Ready by their own words, whose kubelets are silent: after a restore their words are as old as the snapshot.

use keelson_provider_api::{Health, Kind};
use serde_json::{Value, json};

use super::worker;
use crate::cluster::scene::{Scene, block_on};

const NOW: &str = "Sat, 28 Nov 2026 12:00:00 GMT";

/// What is known of a kubelet: what its Lease says of when it was renewed, what the API server has noted of that, and when the node
/// said that it is Ready.
#[derive(Clone, Copy, Default)]
struct Heard {
    renewed: Option<&'static str>,
    noted: Option<&'static str>,
    told: Option<&'static str>,
    holds_seconds: Option<u32>,
}

fn time(time: &str) -> String {
    format!("2026-11-28T{time}.000000Z")
}

fn lease(heard: Heard) -> Option<Value> {
    let renewed = heard.renewed?;
    let noted = heard.noted.map(|noted| {
        json!([
            { "manager": "kubelet", "operation": "Update", "time": time(noted),
              "fieldsV1": { "f:spec": { "f:renewTime": {} } } },
            // Whoever writes something else says nothing of the kubelet.
            { "manager": "somebody", "operation": "Update", "time": time("11:59:59"),
              "fieldsV1": { "f:metadata": { "f:labels": {} } } },
        ])
    });
    let mut lease = json!({
        "metadata": { "name": "w" },
        "spec": { "holderIdentity": "w", "renewTime": time(renewed) },
    });
    if let Some(noted) = noted {
        lease["metadata"]["managedFields"] = noted;
    }
    if let Some(seconds) = heard.holds_seconds {
        lease["spec"]["leaseDurationSeconds"] = json!(seconds);
    }
    Some(lease)
}

/// Makes the node `w` and its Lease say what is `heard`.
fn say(scene: &Scene, heard: Heard) {
    scene.api.with(|world| {
        if let Some(lease) = lease(heard) {
            world.put("coordination.k8s.io/v1", "Lease", "kube-node-lease", &lease);
        }
        world.edit("v1", "Node", "", "w", |node| {
            node["status"]["conditions"][0]["lastHeartbeatTime"] = match heard.told {
                Some(told) => json!(format!("2026-11-28T{told}Z")),
                None => Value::Null,
            };
        });
    });
}

/// A node that is Ready, at an API server that says it is [`NOW`] where `has_date` is true.
async fn scene(heard: Heard, has_date: bool) -> Scene {
    let scene = Scene::founded().await;
    scene.make("w", worker(&[], &[])).await.unwrap();
    scene
        .api
        .with(|world| world.date = has_date.then(|| NOW.to_owned()));
    say(&scene, heard);
    scene
}

async fn health(heard: Heard, has_date: bool) -> Health {
    scene(heard, has_date).await.present(Kind::Node, "w").await.health
}

fn silent_for(age: &str) -> Health {
    Health::Unhealthy(format!(
        "nothing is heard of its kubelet: it has not reported for {age}, and said then that the node is Ready"
    ))
}

#[test]
fn a_node_is_ready_while_its_kubelet_reports() {
    let nothing = Heard::default();
    let renewed = |renewed| Heard {
        renewed: Some(renewed),
        ..nothing
    };
    let noted = |at, noted| Heard {
        noted: Some(noted),
        ..renewed(at)
    };
    let told = |told| Heard {
        told: Some(told),
        ..nothing
    };
    let rows = [
        (nothing, Health::Healthy),
        (renewed("11:59:55"), Health::Healthy),
        (renewed("11:59:05"), Health::Healthy),
        (renewed("11:59:04"), silent_for("56s")),
        (renewed("09:30:00"), silent_for("2h30m")),
        // Its clock is behind: what the API server has noted counts.
        (noted("11:50:00", "11:59:50"), Health::Healthy),
        // Its clock is ahead, and it is dead.
        (noted("12:30:00", "11:30:00"), silent_for("30m")),
        (
            Heard {
                holds_seconds: Some(120),
                ..renewed("11:58:00")
            },
            Health::Healthy,
        ),
        // Without a Lease, which comes soon after a kubelet has registered.
        (told("11:55:00"), Health::Healthy),
        (told("11:00:00"), silent_for("1h")),
        // With one, that alone counts.
        (
            Heard {
                told: Some("11:00:00"),
                ..renewed("11:59:55")
            },
            Health::Healthy,
        ),
    ];
    block_on(async {
        for (heard, expected) in rows {
            let what = format!("{:?} {:?} {:?}", heard.renewed, heard.noted, heard.told);
            assert_eq!(health(heard, true).await, expected, "{what}");
        }
        // Nobody tells the time: among themselves the newest does.
        assert_eq!(health(renewed("09:30:00"), false).await, Health::Healthy);
    });
}

/// How often it was asked for the Leases of kubelets.
fn lists(scene: &Scene) -> usize {
    let requests = scene.api.requests();
    let lists = requests.iter().filter(|request| request.ends_with("/leases"));
    lists.count()
}

#[test]
fn a_kubelet_that_finds_its_api_server_again_is_waited_for() {
    block_on(async {
        let old = Heard {
            renewed: Some("09:30:00"),
            ..Heard::default()
        };
        let scene = scene(old, true).await;
        let before = lists(&scene);
        let looking = scene.present(Kind::Node, "w");
        let renewing = async {
            while lists(&scene) < before + 2 {
                tokio::task::yield_now().await;
            }
            say(
                &scene,
                Heard {
                    renewed: Some("11:59:58"),
                    ..Heard::default()
                },
            );
        };
        let (seen, ()) = futures_util::future::join(looking, renewing).await;
        assert_eq!(seen.health, Health::Healthy);
    });
}

#[test]
fn a_kubelet_that_was_waited_for_in_vain_is_waited_for_again_once_it_was_heard_of() {
    let renewed = |renewed| Heard {
        renewed: Some(renewed),
        ..Heard::default()
    };
    let old = renewed("09:30:00");
    block_on(async {
        let scene = scene(old, true).await;
        // What is said of it, whether that is healthy, and how often it is looked.
        let rows = [
            (old, false, 6),
            (old, false, 1),
            (renewed("11:59:58"), true, 1),
            (old, false, 6),
            (old, false, 1),
        ];
        for (number, (heard, is_healthy, looks)) in rows.into_iter().enumerate() {
            say(&scene, heard);
            let before = lists(&scene);
            let seen = scene.present(Kind::Node, "w").await;
            assert_eq!(seen.health == Health::Healthy, is_healthy, "{number}: {seen:?}");
            assert_eq!(lists(&scene) - before, looks, "{number}");
        }
    });
}
