//! From a node back to a machine.

use k8s_openapi::api::core::v1::Node as NodeObject;
use keelson_provider_api::{Existing, Kubelets, Outcome, ProviderError};
use kube::ResourceExt as _;

use super::marks::Mark;
use super::token;
use crate::cluster::drain::{DrainOptions, Emptied, cordon, drain};
use crate::cluster::ready::{Readiness, readiness};
use crate::cluster::step::{Step, permanent};

/// Empties the node, deletes it, and has its machine forget that it was one.
///
/// A node of which nothing is heard, or no more, is not drained: its pods could not answer. Kubernetes makes them anew elsewhere once
/// the Node object is gone. What is left on a machine that does not answer either is told. One that is not the cluster's any
/// more is not looked for, whatever its Node says: after a restore that says what was so when the snapshot was taken.
pub(in crate::cluster) async fn delete(
    step: &Step<'_>,
    kubelets: &dyn Kubelets,
    name: &str,
    existing: &Existing,
) -> Result<(), ProviderError> {
    let connection = step.connection().await?;
    let nodes = connection.global::<NodeObject>();
    let found = connection.settle(nodes.get_opt(name).await);
    let found = found.map_err(|trouble| trouble.into_error(&format!("look at node {name}")))?;
    // Once its Node object is gone nothing more can be done for it from here: what was seen of it may be long past.
    let mut is_alive = false;
    let is_unknown = !kubelets.knows(name);
    if let Some(object) = found {
        refuse_another(step, &object, existing)?;
        is_alive = !is_unknown && !matches!(readiness(&object), Readiness::Silent(_));
        step.touch();
        if is_alive {
            let options = DrainOptions::default();
            if let Emptied::Not(why) =
                drain(&connection, step.clock, name, &options, &step.context.progress).await?
            {
                step.tell(&format!(
                    "nothing is heard of its kubelet any more, so its pods cannot end: {why}"
                ));
                is_alive = false;
            }
        } else {
            let why = if is_unknown {
                "its machine is not the cluster's any more"
            } else {
                "nothing is heard of its kubelet"
            };
            step.tell(&format!("cordon it; {why}, so its pods cannot be asked to go"));
            cordon(&connection, name, true).await?;
        }
        step.tell(&format!("delete node {name}"));
        // The drain may have outlived the connection.
        let connection = step.connection().await?;
        let nodes = connection.global::<NodeObject>();
        let deleted = connection.delete(&nodes, name, object.uid()).await;
        step.wrote(deleted)
            .map_err(|trouble| trouble.into_error(&format!("delete node {name}")))?;
        token::forget(step, &connection, name).await?;
    }
    if is_unknown {
        return Ok(());
    }
    step.tell("stop the kubelet and its pods");
    match kubelets.leave(step.context, name).await {
        Ok(()) => Ok(()),
        Err(Outcome::Rejected(error)) if !is_alive && error.class.may_pass() => {
            step.tell(&format!(
                "{name} does not answer ({error}): left on it are its kubelet, its pods, its certificates and its network"
            ));
            Ok(())
        }
        Err(outcome) => step.failed(outcome),
    }
}

/// A node of that name that another incarnation or another cluster has made is not the one that was to go.
fn refuse_another(step: &Step<'_>, object: &NodeObject, existing: &Existing) -> Result<(), ProviderError> {
    let Some(mark) = Mark::of(object) else {
        return Ok(());
    };
    let name = object.name_any();
    if mark.cluster_uid != step.uid.as_str() {
        return Err(permanent(format!(
            "node {name} belongs to cluster {}",
            mark.cluster_uid
        )));
    }
    if mark.generation != existing.generation {
        return Err(permanent(format!("node {name} was made anew meanwhile")));
    }
    Ok(())
}
