//! How an add-on's workloads are, in words.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::ListParams;

use crate::addons::ObjectId;
use crate::cluster::connection::Connection;
use crate::cluster::trouble::Trouble;

/// How many pods of a workload are looked at for a reason.
const MOST_PODS: u32 = 50;

/// How many pods of a workload there are to be, and how many do their work.
struct Count {
    wanted: i32,
    available: i32,
    /// What the workload itself says is wrong: that its pods cannot even be made.
    problem: Option<String>,
    selector: Option<LabelSelector>,
}

/// True for a workload whose pods are counted.
pub(super) fn is_workload(id: &ObjectId) -> bool {
    id.group() == "apps" && matches!(id.kind.as_str(), "Deployment" | "DaemonSet" | "StatefulSet")
}

/// What the workload `id` lacks; `None` when it does its work.
pub(super) async fn trouble_of(
    connection: &Arc<Connection>,
    id: &ObjectId,
) -> Result<Option<String>, Trouble> {
    let namespace = id.namespace.as_deref().unwrap_or("default");
    let Some(count) = count(connection, id, namespace).await? else {
        return Ok(Some(format!("{id} is missing")));
    };
    if count.available >= count.wanted {
        return Ok(None);
    }
    let mut words = format!(
        "{id}: {} of {} pods available",
        count.available.max(0),
        count.wanted
    );
    let why = match &count.problem {
        Some(problem) => Some(problem.clone()),
        None => first_problem(connection, namespace, count.selector.as_ref()).await?,
    };
    if let Some(why) = why {
        words.push_str(": ");
        words.push_str(&why);
    }
    Ok(Some(words))
}

async fn count(
    connection: &Arc<Connection>,
    id: &ObjectId,
    namespace: &str,
) -> Result<Option<Count>, Trouble> {
    match id.kind.as_str() {
        "Deployment" => {
            let found = connection.within::<Deployment>(namespace).get_opt(&id.name).await;
            Ok(connection.settle(found)?.map(of_deployment))
        }
        "DaemonSet" => {
            let found = connection.within::<DaemonSet>(namespace).get_opt(&id.name).await;
            Ok(connection.settle(found)?.map(of_daemon_set))
        }
        _ => {
            let found = connection
                .within::<StatefulSet>(namespace)
                .get_opt(&id.name)
                .await;
            Ok(connection.settle(found)?.map(of_stateful_set))
        }
    }
}

fn of_deployment(deployment: Deployment) -> Count {
    let spec = deployment.spec.unwrap_or_default();
    let status = deployment.status.unwrap_or_default();
    let failure = status.conditions.iter().flatten();
    let failure = failure
        .into_iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    Count {
        wanted: spec.replicas.unwrap_or(1),
        available: status.available_replicas.unwrap_or(0),
        problem: failure.and_then(|condition| condition.message.clone()),
        selector: Some(spec.selector),
    }
}

fn of_daemon_set(daemon_set: DaemonSet) -> Count {
    let generation = daemon_set.metadata.generation;
    let status = daemon_set.status.unwrap_or_default();
    let is_seen = status.observed_generation >= generation;
    Count {
        // Before the controller has seen it, nobody knows how many there are to be: at least one.
        wanted: if is_seen {
            status.desired_number_scheduled
        } else {
            status.desired_number_scheduled.max(1)
        },
        available: if is_seen {
            status.number_available.unwrap_or(0)
        } else {
            0
        },
        problem: None,
        selector: daemon_set.spec.map(|spec| spec.selector),
    }
}

fn of_stateful_set(stateful_set: StatefulSet) -> Count {
    let spec = stateful_set.spec.unwrap_or_default();
    let status = stateful_set.status.unwrap_or_default();
    Count {
        wanted: spec.replicas.unwrap_or(1),
        available: status.available_replicas.or(status.ready_replicas).unwrap_or(0),
        problem: None,
        selector: Some(spec.selector),
    }
}

async fn first_problem(
    connection: &Arc<Connection>,
    namespace: &str,
    selector: Option<&LabelSelector>,
) -> Result<Option<String>, Trouble> {
    let labels = selector.and_then(|selector| selector.match_labels.as_ref());
    let Some(labels) = labels.filter(|labels| !labels.is_empty()) else {
        return Ok(None);
    };
    let asked = ListParams::default().labels(&as_query(labels)).limit(MOST_PODS);
    let pods = connection.settle(connection.within::<Pod>(namespace).list(&asked).await)?;
    Ok(pods.items.iter().find_map(pod_problem))
}

fn as_query(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// Why a pod is not ready, in its own words; `None` when it is.
pub(in crate::cluster) fn pod_problem(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let status = pod.status.as_ref()?;
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let is_ready = conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    if is_ready {
        return None;
    }
    let containers = status.init_container_statuses.iter().flatten();
    let mut containers = containers.chain(status.container_statuses.iter().flatten());
    let of_container = containers.find_map(container_problem);
    let of_condition = || {
        let failing = conditions.iter().find(|condition| {
            condition.type_ == "PodScheduled" && condition.status != "True" && condition.message.is_some()
        });
        failing.map(|condition| with_message(condition.reason.as_deref(), condition.message.as_deref()))
    };
    let of_pod = || {
        let told = status.reason.is_some() || status.message.is_some();
        told.then(|| with_message(status.reason.as_deref(), status.message.as_deref()))
    };
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = || match (status.phase.as_deref(), node) {
        (Some("Running"), Some(node)) => format!("it is not ready on {node}"),
        (phase, _) => format!("it is {}", phase.unwrap_or("Pending")),
    };
    let why = of_container
        .or_else(of_condition)
        .or_else(of_pod)
        .unwrap_or_else(phase);
    Some(format!("{name}: {why}"))
}

fn container_problem(container: &ContainerStatus) -> Option<String> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref();
        // These say no more than that it is on its way.
        if matches!(reason, None | Some("ContainerCreating" | "PodInitializing")) {
            return None;
        }
        let last = container
            .last_state
            .as_ref()
            .and_then(|state| state.terminated.as_ref());
        let last = last.and_then(|terminated| terminated.message.as_deref());
        let words = with_message(reason, waiting.message.as_deref());
        return Some(match last {
            Some(last) => format!("{words}; its last words: {}", last.trim()),
            None => words,
        });
    }
    let terminated = state
        .terminated
        .as_ref()
        .filter(|terminated| terminated.exit_code != 0)?;
    let reason = terminated.reason.as_deref();
    Some(match &terminated.message {
        Some(message) => with_message(reason, Some(message)),
        None => format!(
            "{} with exit code {}",
            reason.unwrap_or("it ended"),
            terminated.exit_code
        ),
    })
}

/// `ImagePullBackOff: Back-off pulling image "a"`.
fn with_message(reason: Option<&str>, message: Option<&str>) -> String {
    match (
        reason,
        message.map(str::trim).filter(|message| !message.is_empty()),
    ) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => "it says nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problem(status: &Value) -> Option<String> {
        let pod = json!({ "metadata": { "name": "web-1" }, "status": status });
        pod_problem(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_says_itself_why_it_is_not_ready() {
        let container = |state: &Value| {
            json!({ "phase": "Pending", "containerStatuses": [
            { "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state }] })
        };
        let waiting = json!({ "waiting": { "reason": "ImagePullBackOff",
            "message": "Back-off pulling image \"registry.k8s.io/a:1\": not found" } });
        assert_eq!(
            problem(&container(&waiting)).unwrap(),
            "web-1: ImagePullBackOff: Back-off pulling image \"registry.k8s.io/a:1\": not found"
        );
        let ended = json!({ "terminated": { "exitCode": 2, "reason": "Error" } });
        assert_eq!(
            problem(&container(&ended)).unwrap(),
            "web-1: Error with exit code 2"
        );
        let creating = json!({ "waiting": { "reason": "ContainerCreating" } });
        assert_eq!(problem(&container(&creating)).unwrap(), "web-1: it is Pending");
        let unschedulable = json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available: 3 had untolerated taint" }] });
        assert_eq!(
            problem(&unschedulable).unwrap(),
            "web-1: Unschedulable: 0/3 nodes are available: 3 had untolerated taint"
        );
        assert_eq!(
            problem(&json!({ "conditions": [{ "type": "Ready", "status": "True" }] })),
            None
        );
    }
}
