//! In which order objects are applied; they are removed in the reverse of it.

use crate::addons::{Object, ObjectId};

/// The kinds of each wave; those that are in none come after workloads, before what steps in between others and the API.
const BEFORE: &[&[&str]] = &[
    &["Namespace"],
    &["CustomResourceDefinition"],
    &[
        "ServiceAccount",
        "Role",
        "ClusterRole",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ResourceQuota",
        "LimitRange",
    ],
    &[
        "RoleBinding",
        "ClusterRoleBinding",
        "ConfigMap",
        "Secret",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PersistentVolume",
        "PersistentVolumeClaim",
    ],
    &["Service"],
    &[
        "DaemonSet",
        "Deployment",
        "StatefulSet",
        "ReplicaSet",
        "ReplicationController",
        "Job",
        "CronJob",
        "Pod",
    ],
];

/// These answer for others: before what they call is there, they would have everything refused.
const LAST: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "MutatingAdmissionPolicy",
    "ValidatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicyBinding",
];

/// The wave that an object is in; lower ones are applied first.
pub(super) fn wave(id: &ObjectId) -> usize {
    // A kind of someone else's that is called like one of Kubernetes' own is not that.
    let is_kubernetes = !id.group().contains('.') || id.group().ends_with(".k8s.io");
    let kind = if is_kubernetes { id.kind.as_str() } else { "" };
    match BEFORE.iter().position(|kinds| kinds.contains(&kind)) {
        Some(wave) => wave,
        None if LAST.contains(&kind) => BEFORE.len() + 1,
        None => BEFORE.len(),
    }
}

/// The wave of CRDs: those after it may be of kinds that these bring.
pub(super) const DEFINITIONS: usize = 1;

/// `objects` wave by wave, within a wave as they stand in the manifest.
pub(super) fn waves(objects: &[Object]) -> Vec<(usize, Vec<&Object>)> {
    let mut waves: Vec<(usize, Vec<&Object>)> =
        (0..=BEFORE.len() + 1).map(|wave| (wave, Vec::new())).collect();
    for object in objects {
        waves[wave(object.id())].1.push(object);
    }
    waves.retain(|(_, objects)| !objects.is_empty());
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(api_version: &str, kind: &str) -> usize {
        wave(&ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: "a".to_owned(),
        })
    }

    #[test]
    fn each_kind_comes_after_what_it_needs() {
        let order = [
            of("v1", "Namespace"),
            of("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            of("v1", "ServiceAccount"),
            of("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
            of("v1", "Service"),
            of("apps/v1", "Deployment"),
            of("example.com/v1", "Service"),
            of(
                "admissionregistration.k8s.io/v1",
                "ValidatingWebhookConfiguration",
            ),
        ];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]), "{order:?}");
        assert_eq!(
            of("apiregistration.k8s.io/v1", "APIService"),
            of("example.com/v1", "Widget")
        );
    }
}
