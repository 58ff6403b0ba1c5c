//! How a node is, in the words of its conditions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node as NodeObject, NodeCondition};
use keelson_provider_api::Health;

/// What a node's Ready condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It takes pods.
    Ready,
    /// Its kubelet says why it does not.
    NotReady(String),
    /// Its kubelet says nothing any more, or has not yet.
    Silent(String),
}

fn conditions(object: &NodeObject) -> &[NodeCondition] {
    let status = object.status.as_ref();
    status
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default()
}

fn words(condition: &NodeCondition) -> String {
    let reason = condition.reason.as_deref().unwrap_or_default();
    // Other words follow it: kubelets end theirs with a full stop.
    let message = condition.message.as_deref();
    match message.map(|message| message.trim().trim_end_matches('.')) {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ if reason.is_empty() => format!("{} is {}", condition.type_, condition.status),
        _ => reason.to_owned(),
    }
}

/// What the node's Ready condition says.
pub(super) fn readiness(object: &NodeObject) -> Readiness {
    let ready = conditions(object)
        .iter()
        .find(|condition| condition.type_ == "Ready");
    match ready {
        None => Readiness::Silent("its kubelet has not told how it is yet".to_owned()),
        Some(condition) => match condition.status.as_str() {
            "True" => Readiness::Ready,
            "False" => Readiness::NotReady(words(condition)),
            _ => Readiness::Silent(words(condition)),
        },
    }
}

/// When the node's kubelet last said how it is, where that is known.
pub(super) fn last_heartbeat(object: &NodeObject) -> Option<Timestamp> {
    let ready = conditions(object)
        .iter()
        .find(|condition| condition.type_ == "Ready");
    Some(ready?.last_heartbeat_time.as_ref()?.0)
}

/// How the node is: its Ready condition, unless its kubelet has been silent for too long since, which `silence` says; and what
/// else is wrong with it: pressure, no network.
pub(super) fn health(object: &NodeObject, silence: Option<String>) -> Health {
    let mut troubles = match readiness(object) {
        Readiness::Ready => {
            let told = silence.map(|why| format!("nothing is heard of its kubelet: {why}"));
            told.into_iter().collect()
        }
        Readiness::NotReady(why) => vec![format!("it is not Ready: {why}")],
        Readiness::Silent(why) => vec![format!("nothing is heard of its kubelet: {why}")],
    };
    let bad = conditions(object)
        .iter()
        .filter(|condition| condition.type_ != "Ready" && condition.status == "True");
    troubles.extend(bad.map(|condition| format!("{}: {}", condition.type_, words(condition))));
    match troubles.as_slice() {
        [] => Health::Healthy,
        troubles => Health::Unhealthy(troubles.join("; ")),
    }
}

/// Facts of the node for people.
pub(super) fn facts(object: &NodeObject) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), value);
        }
    };
    let spec = object.spec.as_ref();
    tell("podCIDR", spec.and_then(|spec| spec.pod_cidr.clone()));
    if spec.and_then(|spec| spec.unschedulable) == Some(true) {
        tell("schedulable", Some("no: it is cordoned".to_owned()));
    }
    let status = object.status.as_ref();
    if let Some(info) = status.and_then(|status| status.node_info.as_ref()) {
        tell("kubeletVersion", Some(info.kubelet_version.clone()));
        tell("containerRuntime", Some(info.container_runtime_version.clone()));
        tell("kernel", Some(info.kernel_version.clone()));
        tell("system", Some(info.os_image.clone()));
    }
    let addresses = status.and_then(|status| status.addresses.as_deref());
    let addresses = addresses.unwrap_or_default();
    for (kind, name) in [
        ("InternalIP", "internalAddress"),
        ("ExternalIP", "externalAddress"),
    ] {
        let of_kind = addresses.iter().filter(|address| address.type_ == kind);
        let of_kind: Vec<&str> = of_kind.map(|address| address.address.as_str()).collect();
        tell(name, Some(of_kind.join(", ")));
    }
    let bad: Vec<&str> = conditions(object)
        .iter()
        .filter(|condition| (condition.status == "True") != (condition.type_ == "Ready"))
        .map(|condition| condition.type_.as_str())
        .collect();
    tell("conditions", Some(bad.join(", ")));
    facts
}
