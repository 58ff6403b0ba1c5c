//! What keelson writes on a Node object, and how it is read again.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node as NodeObject, Taint as ObjectTaint};
use keelson_provider_api::joining::{NODE_CLUSTER as CLUSTER, NODE_GROUP as GROUP};
use keelson_provider_api::kinds::Node;
use keelson_provider_api::values::{Labels, Taint};
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{CONTROL_PLANE_GROUP, emptied};

/// Annotations: which incarnation of the node it is, on which machine, and what keelson has set.
const GENERATION: &str = "keelson.dev/generation";
const MACHINE: &str = "keelson.dev/machine-id";
const LABELS: &str = "keelson.dev/labels";
const TAINTS: &str = "keelson.dev/taints";
/// The annotation of a node and the label of a bootstrap token with the fencing generation of the run that wrote it.
pub(super) const FENCE: &str = "keelson.dev/fencing-generation";

/// The labels of a control plane's node, as kubeadm sets them (`cmd/kubeadm/app/phases/markcontrolplane`). kubelets
/// may not set the first one themselves (NodeRestriction).
const CONTROL_PLANE_LABELS: &[&str] = &[
    "node-role.kubernetes.io/control-plane",
    "node.kubernetes.io/exclude-from-external-load-balancers",
];

/// Whose a node is, and which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) cluster_uid: String,
    pub(super) generation: u32,
    pub(super) machine_id: Option<String>,
}

impl Mark {
    /// The mark on a Node object.
    pub(super) fn of(object: &NodeObject) -> Option<Self> {
        let annotations = object.annotations();
        if has_joined_by_itself(object) {
            return Some(Self {
                cluster_uid: object.labels().get(CLUSTER)?.clone(),
                generation: 0,
                machine_id: None,
            });
        }
        Some(Self {
            cluster_uid: annotations.get(CLUSTER)?.clone(),
            generation: annotations
                .get(GENERATION)
                .and_then(|generation| generation.parse().ok())
                .unwrap_or(0),
            machine_id: annotations.get(MACHINE).cloned(),
        })
    }
}

/// True for a node that nobody has marked because its kubelet has registered it as one of a group: by the labels that it was told
/// to set (`templates/first-boot/join.sh`), of which the one with the uid is named as the annotation of others is.
pub(super) fn has_joined_by_itself(object: &NodeObject) -> bool {
    !object.annotations().contains_key(CLUSTER) && object.labels().contains_key(CLUSTER)
}

/// The group of a node.
pub(in crate::cluster) fn group_of(object: &NodeObject) -> Option<&str> {
    object.labels().get(GROUP).map(String::as_str)
}

/// True where a run with a later fencing generation than `own` has changed the object.
pub(super) fn has_later_run(object: &NodeObject, own: u64) -> bool {
    let last = object.annotations().get(FENCE);
    last.and_then(|last| last.parse().ok())
        .is_some_and(|last: u64| last > own)
}

/// The node that an object is, as far as keelson has set it.
pub(super) fn read(object: &NodeObject) -> Node {
    let (labels, taints) = recorded(object);
    let actual = object.labels();
    let labels = labels.into_keys().filter_map(|key| {
        let value = actual.get(&key)?.clone();
        Some((key, value))
    });
    let actual_taints = taints_of(object);
    let taints = taints.iter().filter_map(|taint| {
        let actual = actual_taints.iter().find(|actual| is_same(actual, taint))?;
        Some(Taint {
            value: actual.value.clone().unwrap_or_default(),
            ..taint.clone()
        })
    });
    Node {
        machine: object.name_any(),
        group: group_of(object).unwrap_or_default().to_owned(),
        labels: labels.collect(),
        taints: taints.chain(emptied::taint(object)).collect(),
    }
}

/// What has to change on `object` for it to be `wanted`, as a merge patch that holds only for the object as it was read;
/// `None` when nothing has to.
pub(super) fn patch(
    object: &NodeObject,
    wanted: &Node,
    mark: &Mark,
    fencing_generation: u64,
) -> Option<Value> {
    let (recorded_labels, recorded_taints) = recorded(object);
    let mut labels = Map::new();
    for gone in recorded_labels
        .keys()
        .filter(|key| !wanted.labels.contains_key(*key))
    {
        if object.labels().contains_key(gone) {
            labels.insert(gone.clone(), Value::Null);
        }
    }
    let mut set = |key: &str, value: &str| {
        if object.labels().get(key).map(String::as_str) != Some(value) {
            labels.insert(key.to_owned(), Value::from(value));
        }
    };
    set(GROUP, &wanted.group);
    if wanted.group == CONTROL_PLANE_GROUP {
        for label in CONTROL_PLANE_LABELS {
            set(label, "");
        }
    }
    wanted.labels.iter().for_each(|(key, value)| set(key, value));
    let mut annotations = changed_annotations(object, wanted, mark);
    let taints = changed_taints(object, &recorded_taints, &wanted.taints);
    if labels.is_empty() && annotations.is_empty() && taints.is_none() {
        return None;
    }
    annotations.insert(FENCE.to_owned(), Value::from(fencing_generation.to_string()));
    let mut patch = json!({ "metadata": {
        "resourceVersion": object.resource_version(),
        "labels": labels,
        "annotations": annotations,
    } });
    if let Some(taints) = taints {
        patch["spec"] = json!({ "taints": taints });
    }
    Some(patch)
}

fn changed_annotations(object: &NodeObject, wanted: &Node, mark: &Mark) -> Map<String, Value> {
    let mut wanted: BTreeMap<&str, String> = BTreeMap::from([
        (CLUSTER, mark.cluster_uid.clone()),
        (GENERATION, mark.generation.to_string()),
        (LABELS, json!(wanted.labels).to_string()),
        (TAINTS, json!(wanted.taints).to_string()),
    ]);
    if let Some(machine) = &mark.machine_id {
        wanted.insert(MACHINE, machine.clone());
    }
    wanted
        .into_iter()
        .filter(|(key, value)| object.annotations().get(*key) != Some(value))
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect()
}

/// All taints as they are to be, if they are not: those of others as they stand, then the wanted ones.
fn changed_taints(object: &NodeObject, recorded: &[Taint], wanted: &[Taint]) -> Option<Vec<ObjectTaint>> {
    let before = taints_of(object);
    let is_ours = |taint: &&ObjectTaint| {
        let mut ours = recorded.iter().chain(wanted);
        ours.any(|own| is_same(taint, own))
    };
    // One that is wanted and there keeps its place and the time it was set at.
    let mut after: Vec<ObjectTaint> = before
        .iter()
        .filter(|taint| !is_ours(taint) || wanted.iter().any(|own| is_equal(taint, own)))
        .cloned()
        .collect();
    for taint in wanted {
        if !after.iter().any(|existing| is_equal(existing, taint)) {
            after.push(ObjectTaint {
                key: taint.key.clone(),
                value: Some(taint.value.clone()).filter(|value| !value.is_empty()),
                effect: taint.effect.as_str().to_owned(),
                time_added: None,
            });
        }
    }
    (after != before).then_some(after)
}

fn taints_of(object: &NodeObject) -> Vec<ObjectTaint> {
    let spec = object.spec.as_ref();
    spec.and_then(|spec| spec.taints.clone()).unwrap_or_default()
}

/// A node has one taint for each key and effect.
fn is_same(object: &ObjectTaint, taint: &Taint) -> bool {
    object.key == taint.key && object.effect == taint.effect.as_str()
}

fn is_equal(object: &ObjectTaint, taint: &Taint) -> bool {
    is_same(object, taint) && object.value.as_deref().unwrap_or_default() == taint.value
}

/// The labels and taints that keelson has set, by its own record.
fn recorded(object: &NodeObject) -> (Labels, Vec<Taint>) {
    (annotation(object, LABELS), annotation(object, TAINTS))
}

/// What an annotation of ours holds; nothing where it is missing, or someone has damaged it: it is then written anew.
fn annotation<T: DeserializeOwned + Default>(object: &NodeObject, name: &str) -> T {
    let text = object.annotations().get(name);
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
