//! The API server's settings.

use super::{Found, for_each_repetition};
use crate::spec::errors::Finding;
use crate::spec::path::path_of;
use crate::spec::types::ClusterSpec;

pub(super) fn sign_in(spec: &ClusterSpec, found: &mut Found) {
    if let Some(oidc) = &spec.api.oidc
        && !oidc.issuer.is_secure()
    {
        found.error(
            Finding::new(
                path_of!("spec", "api", "oidc", "issuer"),
                format!("`{}` is not encrypted", oidc.issuer),
            )
            .expected("a URL that begins with https://"),
        );
    }
}

/// Ports that a node listens on itself: <https://kubernetes.io/docs/reference/networking/ports-and-protocols/>.
const OWN_PORTS: &[(u16, &str)] = &[
    (22, "SSH"),
    (2379, "etcd's clients"),
    (2380, "etcd's members"),
    (2381, "etcd's metrics"),
    (2382, "etcd for events"),
    (2383, "etcd for events"),
    (6443, "the API server"),
    (10250, "the kubelet"),
    (10256, "kube-proxy"),
    (10257, "the controller manager"),
    (10259, "the scheduler"),
];

pub(super) fn ports(spec: &ClusterSpec, found: &mut Found) {
    let range = spec.api.service_node_port_range;
    if let Some((port, owner)) = OWN_PORTS.iter().find(|(port, _)| range.contains(*port)) {
        found.error(
            Finding::new(
                path_of!("spec", "api", "serviceNodePortRange"),
                format!("`{range}` has port {port} in it, which belongs to {owner}"),
            )
            .help("the usual range is 30000-32767"),
        );
    }
}

pub(super) fn lists(spec: &ClusterSpec, found: &mut Found) {
    let base = path_of!("spec", "api");
    let mut repeated = |field: &str, items: &[String]| {
        for_each_repetition(items, |later, first| {
            let problem = format!("the item is repeated; the first is {field}[{first}]");
            found.error(Finding::new(base.then(field).then(later), problem).help("remove one of the two"));
        });
    };
    repeated("certSANs", &spec.api.cert_sans);
    repeated("admissionPlugins", &spec.api.admission_plugins);
    let ranges: Vec<String> = spec.api.allowed_cidrs.iter().map(ToString::to_string).collect();
    repeated("allowedCIDRs", &ranges);
    for (index, name) in spec
        .api
        .cert_sans
        .iter()
        .enumerate()
        .filter(|(_, name)| *name == "local")
    {
        let path = base.then("certSANs").then(index);
        found.error(Finding::new(
            path,
            format!("`{name}` is not a name that a certificate can be for"),
        ));
    }
}
