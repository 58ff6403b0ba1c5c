//! Flags of the control plane's components that keelson sets itself.

use super::Found;
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::{Argument, ClusterSpec};

/// Flags that keelson sets, and what to write instead; empty where there is nothing to change.
type Owned = &'static [(&'static str, &'static str)];

const API_SERVER: Owned = &[
    ("admission-control-config-file", ""),
    ("advertise-address", ""),
    ("allow-privileged", ""),
    // Beside an authentication configuration that tells of anonymous requests and of issuers, each of these is an error.
    ("anonymous-auth", ""),
    ("audit-policy-file", "spec.api.audit"),
    ("authentication-config", "spec.api.oidc"),
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
    ("oidc-required-claim", "spec.api.oidc"),
    ("oidc-signing-algs", ""),
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
    ("secure-port", ""),
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
    ("secure-port", ""),
];

/// How the names of flags end whose value is the path of a file.
const PATHS: [&str; 3] = ["-file", "-config", "kubeconfig"];

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
            let place = || path_of!("spec", component, "extraArgs", index, "name");
            let name = argument.name.as_str();
            if let Some((flag, instead)) = owned.iter().find(|(flag, _)| *flag == name) {
                let finding = Finding::new(place(), format!("keelson sets `{flag}` itself"));
                found.error(if instead.is_empty() {
                    finding.help("remove it: a cluster with another value would not work")
                } else {
                    finding.help(format!("use `{instead}`"))
                });
            } else if PATHS.iter().any(|ending| name.ends_with(ending)) {
                let problem =
                    format!("the component's pod sees no file that `{name}` could name but its own");
                found.error(Finding::new(place(), problem).help("remove it: the component would not start"));
            }
        }
    }
}
