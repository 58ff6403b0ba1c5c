//! What the built-in add-ons are rendered from.

use std::net::IpAddr;

use keelson_provider_api::values::{Cidr, Version};
use serde_json::{Map, Value};

use crate::node::image;

/// The group that a worker is in while it brings itself in with a bootstrap token. Its name has to begin with
/// `system:bootstrappers:`
/// (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#bootstrap-token-secret-format>).
pub const BOOTSTRAP_GROUP: &str = "system:bootstrappers:keelson:nodes";

/// The group that a machine is in while it joins by itself, with the token of all machines of groups. What it asks for is
/// approved by control planes themselves (`templates/kubernetes/approver.sh`), and by the controller manager never.
pub const JOINING_GROUP: &str = "system:bootstrappers:keelson:groups";

/// What the built-in add-ons are rendered from.
#[derive(Debug, Clone, PartialEq)]
pub struct AddonSettings {
    /// The Kubernetes release, which is kube-proxy's.
    pub kubernetes_version: Version,
    /// The tag of CoreDNS's image.
    pub coredns_tag: String,
    /// What takes the place of registry.k8s.io, `HOST:PORT` or `HOST/PATH`.
    pub registry: Option<String>,
    /// Where clients reach the API, `HOST:PORT`.
    pub endpoint: String,
    /// The range of pods' addresses.
    pub pod_cidr: Cidr,
    /// The domain of Services' names.
    pub dns_domain: String,
    /// The address of the cluster's DNS.
    pub dns_address: Option<IpAddr>,
    /// True where two nodes at least take the pods of CoreDNS: they are kept apart, so that names are found when one is gone.
    pub keeps_dns_apart: bool,
    /// True where machines join by themselves.
    pub nodes_join_themselves: bool,
    /// True where keelson keeps routes between nodes.
    pub routes_pods: bool,
    /// How kube-proxy implements Services: `nftables`, `iptables`.
    pub proxy_mode: String,
    /// Fields of a KubeProxyConfiguration, merged last.
    pub proxy_config: Map<String, Value>,
}

impl AddonSettings {
    /// The reference of an image that is `registry.k8s.io/PATH` upstream.
    pub(super) fn image(&self, path: &str) -> String {
        image(self.registry.as_deref(), path)
    }
}
