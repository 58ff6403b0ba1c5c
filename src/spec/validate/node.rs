//! What runs on every node.

use serde_json::Value;

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::{Path, path_of};
use crate::spec::types::{ClusterSpec, FreeForm};

pub(super) fn feature_gates(spec: &ClusterSpec, found: &mut Found) {
    for name in spec.kubelet.feature_gates.keys() {
        let is_name = name.starts_with(|character: char| character.is_ascii_uppercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && name.len() <= 100;
        if !is_name {
            found.error(
                Finding::new(
                    path_of!("spec", "kubelet", "featureGates", name),
                    "this is not a feature gate's name",
                )
                .expected("letters and digits that begin with a capital, such as InPlacePodVerticalScaling"),
            );
        }
    }
}

/// Fields of others' formats that keelson sets, and what to write instead; empty where there is nothing to change.
type Owned = &'static [(&'static [&'static str], &'static str)];

const KUBELET_OWNED: Owned = &[
    (&["apiVersion"], ""),
    (&["kind"], ""),
    (&["authentication", "anonymous"], ""),
    (&["authentication", "x509"], ""),
    (&["authorization", "mode"], ""),
    (&["cgroupDriver"], ""),
    (&["clusterDNS"], "spec.network.serviceCIDR"),
    (&["clusterDomain"], "spec.network.dnsDomain"),
    (&["containerRuntimeEndpoint"], ""),
    (&["featureGates"], "spec.kubelet.featureGates"),
    (&["maxPods"], "spec.kubelet.maxPods"),
    (&["podCIDR"], "spec.network.podCIDR"),
    (&["registerWithTaints"], "the taints of the node group"),
    (&["rotateCertificates"], ""),
    (&["serverTLSBootstrap"], ""),
    (&["staticPodPath"], ""),
    (&["tlsCertFile"], ""),
    (&["tlsPrivateKeyFile"], ""),
];

const KUBE_PROXY_OWNED: Owned = &[
    (&["apiVersion"], ""),
    (&["kind"], ""),
    (&["clientConnection", "kubeconfig"], ""),
    (&["clusterCIDR"], "spec.network.podCIDR"),
    (&["featureGates"], "spec.kubelet.featureGates"),
    (&["hostnameOverride"], ""),
    (&["mode"], "spec.kubeProxy.mode"),
];

const CONTAINERD_OWNED: Owned = &[
    (&["version"], ""),
    (&["root"], ""),
    (&["state"], ""),
    (&["grpc", "address"], ""),
];

pub(super) fn free_form_fields(spec: &ClusterSpec, found: &mut Found) {
    let rows = [
        (
            path_of!("spec", "kubelet", "config"),
            &spec.kubelet.config,
            KUBELET_OWNED,
        ),
        (
            path_of!("spec", "kubeProxy", "config"),
            &spec.kube_proxy.config,
            KUBE_PROXY_OWNED,
        ),
        (
            path_of!("spec", "containerd", "config"),
            &spec.containerd.config,
            CONTAINERD_OWNED,
        ),
    ];
    for (path, config, owned) in rows {
        refuse_owned(&path, config, owned, found);
    }
    refuse_null(
        &path_of!("spec", "containerd", "config"),
        &spec.containerd.config,
        found,
    );
}

fn refuse_owned(base: &Path, config: &FreeForm, owned: Owned, found: &mut Found) {
    for (steps, instead) in owned {
        let Some((first, rest)) = steps.split_first() else {
            continue;
        };
        let value = rest
            .iter()
            .try_fold(config.get(*first), |value, step| Some(value?.get(*step)));
        if value.flatten().is_none() {
            continue;
        }
        let path = steps.iter().fold(base.clone(), |path, step| path.then(*step));
        let finding = Finding::new(path, format!("keelson sets `{}` itself", steps.join(".")));
        found.error(match *instead {
            "" => finding.help("remove it: a node with another value would not work"),
            instead if instead.starts_with("spec.") => finding.help(format!("use `{instead}`")),
            instead => finding.help(format!("use {instead}")),
        });
    }
}

/// containerd reads TOML, which has no null.
fn refuse_null(path: &Path, config: &FreeForm, found: &mut Found) {
    for (name, value) in config {
        let here = path.then(name);
        match value {
            Value::Null => found.error(
                Finding::new(
                    here,
                    "there is no value, and containerd's format cannot express that",
                )
                .help("remove the field"),
            ),
            Value::Object(fields) => refuse_null(&here, fields, found),
            _ => {}
        }
    }
}
