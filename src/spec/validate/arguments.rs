//! Flags of the control plane's components that keelson sets itself.

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{Argument, ClusterSpec};

/// Flags that keelson sets, and what to write instead; empty where there is nothing to change.
type Owned = &'static [(&'static str, &'static str)];

const API_SERVER: Owned = &[
    ("advertise-address", ""),
    ("allow-privileged", ""),
    ("audit-policy-file", "spec.api.audit"),
    ("authorization-mode", ""),
    ("bind-address", ""),
    ("client-ca-file", ""),
    ("enable-admission-plugins", "spec.api.admissionPlugins"),
    ("enable-bootstrap-token-auth", ""),
    ("encryption-provider-config", "spec.api.encryption"),
    ("etcd-cafile", "spec.etcd.placement"),
    ("etcd-certfile", "spec.etcd.placement"),
    ("etcd-keyfile", "spec.etcd.placement"),
    ("etcd-servers", "spec.etcd.placement"),
    ("etcd-servers-overrides", "spec.etcd.events"),
    ("feature-gates", "spec.kubelet.featureGates"),
    ("kubelet-certificate-authority", ""),
    ("kubelet-client-certificate", ""),
    ("kubelet-client-key", ""),
    ("oidc-ca-file", "spec.api.oidc"),
    ("oidc-client-id", "spec.api.oidc"),
    ("oidc-groups-claim", "spec.api.oidc"),
    ("oidc-groups-prefix", "spec.api.oidc"),
    ("oidc-issuer-url", "spec.api.oidc"),
    ("oidc-username-claim", "spec.api.oidc"),
    ("oidc-username-prefix", "spec.api.oidc"),
    ("proxy-client-cert-file", ""),
    ("proxy-client-key-file", ""),
    ("requestheader-client-ca-file", ""),
    ("secure-port", ""),
    ("service-account-issuer", ""),
    ("service-account-key-file", ""),
    ("service-account-signing-key-file", ""),
    ("service-cluster-ip-range", "spec.network.serviceCIDR"),
    ("service-node-port-range", "spec.api.serviceNodePortRange"),
    ("tls-cert-file", ""),
    ("tls-private-key-file", ""),
];

const CONTROLLER_MANAGER: Owned = &[
    ("allocate-node-cidrs", ""),
    ("authentication-kubeconfig", ""),
    ("authorization-kubeconfig", ""),
    ("client-ca-file", ""),
    ("cluster-cidr", "spec.network.podCIDR"),
    ("cluster-name", ""),
    ("cluster-signing-cert-file", "spec.pki.authorities.kubernetes"),
    ("cluster-signing-key-file", "spec.pki.authorities.kubernetes"),
    ("feature-gates", "spec.kubelet.featureGates"),
    ("kubeconfig", ""),
    ("requestheader-client-ca-file", ""),
    ("root-ca-file", ""),
    ("service-account-private-key-file", ""),
    ("service-cluster-ip-range", "spec.network.serviceCIDR"),
];

const SCHEDULER: Owned = &[
    ("authentication-kubeconfig", ""),
    ("authorization-kubeconfig", ""),
    // Its pod sees no file but its own kubeconfig and certificate.
    ("config", ""),
    ("feature-gates", "spec.kubelet.featureGates"),
    ("kubeconfig", ""),
];

pub(super) fn of_components(spec: &ClusterSpec, found: &mut Found) {
    let components: [(&str, &[Argument], Owned); 3] = [
        ("api", &spec.api.extra_args, API_SERVER),
        (
            "controllerManager",
            &spec.controller_manager.extra_args,
            CONTROLLER_MANAGER,
        ),
        ("scheduler", &spec.scheduler.extra_args, SCHEDULER),
    ];
    for (component, arguments, owned) in components {
        for (index, argument) in arguments.iter().enumerate() {
            let Some((flag, instead)) = owned.iter().find(|(flag, _)| *flag == argument.name) else {
                continue;
            };
            let finding = Finding::new(
                path_of!("spec", component, "extraArgs", index, "name"),
                format!("keelson sets `{flag}` itself"),
            );
            found.error(if instead.is_empty() {
                finding.help("remove it: a cluster with another value would not work")
            } else {
                finding.help(format!("use `{instead}`"))
            });
        }
    }
}
