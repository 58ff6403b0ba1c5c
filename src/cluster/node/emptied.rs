//! Nodes that are emptied while what their machines run is exchanged.
//!
//! Whoever cordons a node by hand means it: it is emptied like any other, and stays cordoned afterwards. What keelson has
//! cordoned bears an annotation, so that a run that was cut off in between is gone on from.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Node as NodeObject;
use keelson_provider_api::values::{Taint, TaintEffect};
use keelson_provider_api::{Clock, Progress, ProviderError};
use kube::ResourceExt as _;
use serde_json::json;

use crate::cluster::connection::Connection;
use crate::cluster::drain::{DrainOptions, Emptied, drain};
use crate::cluster::ready::{Readiness, readiness};

/// The annotation of a node that keelson has cordoned.
const EMPTIED: &str = "keelson.dev/emptied";
/// What Kubernetes taints a cordoned node with
/// (<https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-unschedulable>).
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Cordons the node and moves its pods elsewhere, where there is an elsewhere and its kubelet can have them end. True where
/// it is cordoned now.
pub(in crate::cluster) async fn empty(
    connection: &Arc<Connection>,
    clock: &dyn Clock,
    name: &str,
    progress: &Progress<'_>,
) -> Result<bool, ProviderError> {
    let nodes = super::list(connection)
        .await
        .map_err(|trouble| trouble.into_error("look at nodes"))?;
    let Some(object) = nodes.get(name) else {
        return Ok(false);
    };
    if let Readiness::Silent(why) = readiness(object) {
        progress.tell(&format!(
            "nothing is heard of its kubelet, so its pods stay where they are: {why}"
        ));
        return Ok(false);
    }
    if !nodes
        .iter()
        .any(|(other, object)| other != name && takes_pods(object))
    {
        progress.tell("no other node takes pods, so its own stay where they are");
        return Ok(false);
    }
    if !is_cordoned(object) {
        let fields = json!({
            "metadata": { "annotations": { EMPTIED: "while its machine changes" } },
            "spec": { "unschedulable": true },
        });
        connection
            .merge(&connection.global::<NodeObject>(), name, &fields)
            .await
            .map_err(|trouble| trouble.into_error(&format!("cordon {name}")))?;
    }
    match drain(connection, clock, name, &DrainOptions::default(), progress).await? {
        Emptied::Yes(_) => {}
        Emptied::Not(why) => progress.tell(&format!(
            "nothing is heard of its kubelet any more, so its pods stay where they are: {why}"
        )),
    }
    Ok(true)
}

/// Lets pods come again to a node that keelson has cordoned.
pub(in crate::cluster) async fn refill(
    connection: &Connection,
    name: &str,
    progress: &Progress<'_>,
) -> Result<(), ProviderError> {
    let nodes = connection.global::<NodeObject>();
    let found = connection.settle(nodes.get_opt(name).await);
    let found = found.map_err(|trouble| trouble.into_error(&format!("look at node {name}")))?;
    if !found.as_ref().is_some_and(is_emptied) {
        return Ok(());
    }
    progress.tell(&format!("uncordon {name}"));
    let fields = json!({
        "metadata": { "annotations": { EMPTIED: null } },
        "spec": { "unschedulable": null },
    });
    let done = connection.merge(&nodes, name, &fields).await;
    done.map(drop)
        .map_err(|trouble| trouble.into_error(&format!("uncordon {name}")))
}

/// True for a node that keelson has cordoned and not let pods come to again.
fn is_emptied(object: &NodeObject) -> bool {
    object.annotations().contains_key(EMPTIED)
}

/// The taint of a node that keelson has cordoned: nobody wants it, so that it is seen to differ.
pub(super) fn taint(object: &NodeObject) -> Option<Taint> {
    is_emptied(object).then(|| Taint {
        key: UNSCHEDULABLE.to_owned(),
        value: String::new(),
        effect: TaintEffect::NoSchedule,
    })
}

fn is_cordoned(object: &NodeObject) -> bool {
    let spec = object.spec.as_ref();
    spec.and_then(|spec| spec.unschedulable) == Some(true)
}

fn takes_pods(object: &NodeObject) -> bool {
    let taints = object.spec.as_ref().and_then(|spec| spec.taints.as_deref());
    let keeps_off = |effect: &str| matches!(effect, "NoSchedule" | "NoExecute");
    readiness(object) == Readiness::Ready
        && !is_cordoned(object)
        && !taints
            .unwrap_or_default()
            .iter()
            .any(|taint| keeps_off(&taint.effect))
}
