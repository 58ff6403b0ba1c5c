//! The API server's settings.

use keelson_provider_api::etcd::{EtcdInstance, INSTANCES, MAIN};

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

/// Ports that a node listens on itself, besides those of etcd:
/// <https://kubernetes.io/docs/reference/networking/ports-and-protocols/>, and those on loopback.
const OWN_PORTS: &[(u16, &str)] = &[
    (22, "SSH"),
    (6443, "the API server"),
    (10248, "the kubelet"),
    (10249, "kube-proxy"),
    (10250, "the kubelet"),
    (10256, "kube-proxy"),
    (10257, "the controller manager"),
    (10259, "the scheduler"),
];

fn ports_of_etcd(instance: &EtcdInstance) -> [(u16, &'static str); 3] {
    let owners = if instance.cluster == MAIN.cluster {
        ["etcd's clients", "etcd's members", "etcd's metrics"]
    } else {
        ["etcd for events"; 3]
    };
    [
        (instance.client_port, owners[0]),
        (instance.peer_port, owners[1]),
        (instance.metrics_port, owners[2]),
    ]
}

pub(super) fn ports(spec: &ClusterSpec, found: &mut Found) {
    let range = spec.api.service_node_port_range;
    let etcd = INSTANCES.into_iter().flat_map(ports_of_etcd);
    let mut own: Vec<(u16, &str)> = OWN_PORTS.iter().copied().chain(etcd).collect();
    own.sort_unstable();
    if let Some((port, owner)) = own.into_iter().find(|(port, _)| range.contains(*port)) {
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
