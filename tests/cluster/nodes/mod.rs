//! From machines to nodes and back.

mod changing;
mod joining;
mod leaving;
mod silent;

use keelson_provider_api::kinds::Node;
use keelson_provider_api::values::{Taint, TaintEffect};
use serde_json::Value;

use super::scene::Scene;

fn taint(key: &str, value: &str) -> Taint {
    Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: TaintEffect::NoSchedule,
    }
}

fn worker(labels: &[(&str, &str)], taints: &[Taint]) -> Node {
    let labels = labels
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    Node {
        machine: "w".to_owned(),
        group: "workers".to_owned(),
        labels: labels.collect(),
        taints: taints.to_vec(),
    }
}

fn control_plane() -> Node {
    Node {
        group: "control-plane".to_owned(),
        ..worker(&[], &[taint("node-role.kubernetes.io/control-plane", "")])
    }
}

fn object(scene: &Scene) -> Value {
    scene
        .api
        .with(|world| world.get("v1", "Node", "", "w").cloned())
        .unwrap_or_default()
}

fn tokens(scene: &Scene) -> usize {
    scene.api.with(|world| {
        world
            .names()
            .iter()
            .filter(|name| name.starts_with("Secret "))
            .count()
    })
}
