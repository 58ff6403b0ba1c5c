//! The built-in add-ons.

use keelson_provider_api::values::Digest;
use serde_json::{Value, json};

use super::manifest::parse;
use super::object::Object;
use super::settings::{AddonSettings, BOOTSTRAP_GROUP, JOINING_GROUP};
use super::templates;
use super::{CLUSTER_ACCESS, COREDNS, KUBE_PROXY, METRICS_SERVER};
use crate::node::templates::Template;
use crate::node::{RenderError, merge};
use crate::pki::{ADMINISTRATORS_GROUP, APPROVERS_GROUP, ROUTES_GROUP};

/// A built-in add-on: its template, what is filled in, and the images it runs.
struct BuiltIn {
    name: &'static str,
    template: Template,
    values: fn(&AddonSettings) -> Result<Value, RenderError>,
    images: fn(&AddonSettings) -> Vec<String>,
}

const TABLE: &[BuiltIn] = &[
    BuiltIn {
        name: CLUSTER_ACCESS,
        template: templates::CLUSTER_ACCESS,
        values: |settings| Ok(cluster_access(settings)),
        images: |_| Vec::new(),
    },
    BuiltIn {
        name: KUBE_PROXY,
        template: templates::KUBE_PROXY,
        values: |settings| Ok(kube_proxy(settings)),
        images: |settings| vec![proxy_image(settings)],
    },
    BuiltIn {
        name: COREDNS,
        template: templates::COREDNS,
        values: coredns,
        images: |settings| vec![coredns_image(settings)],
    },
    BuiltIn {
        name: METRICS_SERVER,
        template: templates::METRICS_SERVER,
        values: |settings| Ok(metrics_server(settings)),
        images: |settings| vec![metrics_server_image(settings)],
    },
];

/// The names of the built-in add-ons, each after those that it stands on.
pub const BUILT_IN: &[&str] = &[CLUSTER_ACCESS, KUBE_PROXY, COREDNS, METRICS_SERVER];

/// True for the name of a built-in add-on.
pub fn is_built_in(name: &str) -> bool {
    find(name).is_some()
}

/// The manifest of a built-in add-on.
fn manifest(built_in: &BuiltIn, settings: &AddonSettings) -> Result<String, RenderError> {
    templates::render(built_in.template, &(built_in.values)(settings)?)
}

fn find(name: &str) -> Option<&'static BuiltIn> {
    TABLE.iter().find(|built_in| built_in.name == name)
}

/// The objects of the built-in add-on `name`; `None` when there is none of that name.
///
/// # Errors
/// [`RenderError`] when a value cannot stand where the template puts it.
pub fn render(name: &str, settings: &AddonSettings) -> Result<Option<Vec<Object>>, RenderError> {
    let Some(built_in) = find(name) else {
        return Ok(None);
    };
    match parse(&manifest(built_in, settings)?) {
        Ok(objects) => Ok(Some(objects)),
        Err(problem) => Err(RenderError::Manifest {
            template: built_in.template.path,
            problem: problem.to_string(),
        }),
    }
}

/// The digest of the manifest that [`render`] reads its objects from: of everything that is applied. Plans are made of it,
/// and reading YAML costs ten times what writing it does.
///
/// # Errors
/// As [`render`].
pub fn digest(name: &str, settings: &AddonSettings) -> Result<Option<Digest>, RenderError> {
    let manifest = find(name).map(|built_in| manifest(built_in, settings));
    Ok(manifest
        .transpose()?
        .map(|text| Digest::of_bytes(text.as_bytes())))
}

/// The images that the built-in add-on `name` runs, so that they can be pulled before it is there. None for a name that
/// is not built in.
pub fn images(name: &str, settings: &AddonSettings) -> Vec<String> {
    find(name).map_or_else(Vec::new, |built_in| (built_in.images)(settings))
}

fn cluster_access(settings: &AddonSettings) -> Value {
    json!({
        "administrators": ADMINISTRATORS_GROUP,
        "bootstrappers": BOOTSTRAP_GROUP,
        "routes": ROUTES_GROUP,
        "nodes_join_themselves": settings.nodes_join_themselves,
        "routes_pods": settings.routes_pods,
        "approvers": APPROVERS_GROUP,
        "joiners": JOINING_GROUP,
    })
}

fn proxy_image(settings: &AddonSettings) -> String {
    settings.image(&format!("kube-proxy:v{}", settings.kubernetes_version))
}

fn kube_proxy(settings: &AddonSettings) -> Value {
    let config = proxy_configuration(settings).to_string();
    let kubeconfig = proxy_kubeconfig(&settings.endpoint).to_string();
    json!({
        "image": proxy_image(settings),
        "config_digest": Digest::of_json(&[&config, &kubeconfig]).hexadecimal(),
        "config": config,
        "kubeconfig": kubeconfig,
    })
}

/// A KubeProxyConfiguration: what kubeadm 1.36.1 sets
/// (`cmd/kubeadm/app/componentconfigs/kubeproxy.go`), then what the user sets.
fn proxy_configuration(settings: &AddonSettings) -> Value {
    let bind_address = if settings.pod_cidr.is_ipv4() {
        "0.0.0.0"
    } else {
        "::"
    };
    let config = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": bind_address,
        "clientConnection": { "kubeconfig": "/var/lib/kube-proxy/kubeconfig.conf" },
        "clusterCIDR": settings.pod_cidr,
        "mode": settings.proxy_mode,
    });
    merge(config, &Value::Object(settings.proxy_config.clone()))
}

/// How kube-proxy reaches the API: by its endpoint, since Services are what it is about to make.
fn proxy_kubeconfig(endpoint: &str) -> Value {
    let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "default", "cluster": {
            "certificate-authority": format!("{folder}/ca.crt"),
            "server": format!("https://{endpoint}"),
        } }],
        "users": [{ "name": "default", "user": { "tokenFile": format!("{folder}/token") } }],
        "contexts": [{ "name": "default", "context": {
            "cluster": "default", "namespace": "default", "user": "default",
        } }],
        "current-context": "default",
    })
}

fn coredns_image(settings: &AddonSettings) -> String {
    settings.image(&format!("coredns/coredns:{}", settings.coredns_tag))
}

fn coredns(settings: &AddonSettings) -> Result<Value, RenderError> {
    let corefile = templates::render(templates::COREFILE, &json!({ "domain": settings.dns_domain }))?;
    Ok(json!({
        "image": coredns_image(settings),
        "dns_address": settings.dns_address,
        "is_apart": settings.keeps_dns_apart,
        "corefile": corefile,
    }))
}

/// The release of metrics-server (<https://github.com/kubernetes-sigs/metrics-server/releases>).
const METRICS_SERVER_VERSION: &str = "v0.8.0";

fn metrics_server_image(settings: &AddonSettings) -> String {
    settings.image(&format!("metrics-server/metrics-server:{METRICS_SERVER_VERSION}"))
}

fn metrics_server(settings: &AddonSettings) -> Value {
    json!({ "image": metrics_server_image(settings) })
}
