//! The templates of the built-in add-ons.

use std::sync::LazyLock;

use serde::Serialize;

use crate::node::RenderError;
use crate::node::templates::{Registry, Template, registry, render_from, template};

/// Bindings that everything else stands on.
pub(super) const CLUSTER_ACCESS: Template = template!("addons/cluster-access.yaml.hbs");
/// Services.
pub(super) const KUBE_PROXY: Template = template!("addons/kube-proxy.yaml.hbs");
/// Names.
pub(super) const COREDNS: Template = template!("addons/coredns.yaml.hbs");
/// The configuration of what resolves names.
pub(super) const COREFILE: Template = template!("addons/Corefile.hbs");
/// What nodes and pods use.
pub(super) const METRICS_SERVER: Template = template!("addons/metrics-server.yaml.hbs");

/// Every template of a built-in add-on.
pub(super) const TEMPLATES: &[Template] = &[CLUSTER_ACCESS, KUBE_PROXY, COREDNS, COREFILE, METRICS_SERVER];

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| registry(TEMPLATES));

/// Fills a template in.
///
/// # Errors
/// When a value cannot stand where the template puts it, or the template asks for one that `values` does not have.
pub(super) fn render(template: Template, values: &impl Serialize) -> Result<String, RenderError> {
    Ok(render_from(&REGISTRY, template, values)?)
}
