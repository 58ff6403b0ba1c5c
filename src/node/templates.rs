//! The templates of what machines run, and how values come into them.

use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
};
use serde::Serialize;

use super::quote::{self, Unquotable};

/// A template, by its path below `templates/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Template {
    /// Its path below `templates/`.
    pub(crate) path: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

/// The template at a path below `templates/`, for a module one folder below `src/`.
macro_rules! template {
    ($path:literal) => {
        $crate::node::templates::Template {
            path: $path,
            text: include_str!(concat!("../../templates/", $path)),
        }
    };
}
pub(crate) use template;

/// What is a machine's own, for the units on it.
pub(super) const HOST_ENVIRONMENT: Template = template!("node/host.env.hbs");
/// The settings that the members of an etcd cluster share.
pub(super) const ETCD_ENVIRONMENT: Template = template!("etcd/etcd.env.hbs");
/// The unit of an etcd member.
pub(super) const ETCD_UNIT: Template = template!("etcd/etcd.service.hbs");
/// What snapshots of a member need to know of its cluster.
pub(super) const SNAPSHOTS_ENVIRONMENT: Template = template!("etcd/snapshots.env.hbs");
/// The unit that takes one.
pub(super) const SNAPSHOTS_UNIT: Template = template!("etcd/snapshots.service.hbs");
/// When it does.
pub(super) const SNAPSHOTS_TIMER: Template = template!("etcd/snapshots.timer.hbs");

/// A kubeconfig that refers to files.
pub(super) const KUBECONFIG: Template = template!("kubernetes/kubeconfig.yaml.hbs");
/// A static pod of the control plane.
pub(super) const STATIC_POD: Template = template!("kubernetes/static-pod.yaml.hbs");
/// The unit of the kubelet.
pub(super) const KUBELET_UNIT: Template = template!("kubernetes/kubelet.service.hbs");
/// The unit of the container runtime.
pub(super) const CONTAINERD_UNIT: Template = template!("kubernetes/containerd.service.hbs");
/// What approves the requests of machines that join by themselves needs to know of the cluster.
pub(super) const APPROVER_ENVIRONMENT: Template = template!("kubernetes/approver.env.hbs");
/// The unit that does.
pub(super) const APPROVER_UNIT: Template = template!("kubernetes/approver.service.hbs");
/// What the routes of a node's pods need to know of the cluster.
pub(super) const ROUTES_ENVIRONMENT: Template = template!("network/routes.env.hbs");
/// The unit of those routes.
pub(super) const ROUTES_UNIT: Template = template!("network/routes.service.hbs");
/// How a control plane holds the API's address.
pub(super) const KEEPALIVED_CONFIGURATION: Template = template!("network/keepalived.conf.hbs");
/// The unit that does.
pub(super) const KEEPALIVED_UNIT: Template = template!("network/keepalived.service.hbs");

/// What the first boot of a machine needs to know.
pub(super) const FIRST_BOOT_SETTINGS: Template = template!("first-boot/settings.sh.hbs");

/// The script of every bundle. It has no variables.
pub(super) const APPLY_SCRIPT: &str = include_str!("../../templates/node/apply.sh");

/// Every template of what machines run.
pub(super) const TEMPLATES: &[Template] = &[
    HOST_ENVIRONMENT,
    ETCD_ENVIRONMENT,
    ETCD_UNIT,
    SNAPSHOTS_ENVIRONMENT,
    SNAPSHOTS_UNIT,
    SNAPSHOTS_TIMER,
    KUBECONFIG,
    STATIC_POD,
    KUBELET_UNIT,
    CONTAINERD_UNIT,
    APPROVER_ENVIRONMENT,
    APPROVER_UNIT,
    ROUTES_ENVIRONMENT,
    ROUTES_UNIT,
    KEEPALIVED_CONFIGURATION,
    KEEPALIVED_UNIT,
    FIRST_BOOT_SETTINGS,
];

/// Templates that have been read, or why they cannot be: a defect, which a test finds.
pub(crate) type Registry = Result<Handlebars<'static>, Box<handlebars::TemplateError>>;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| registry(TEMPLATES));

/// Reads `templates`. All of them quote with the same helpers.
pub(crate) fn registry(templates: &[Template]) -> Registry {
    let mut handlebars = Handlebars::new();
    // A name that a template does not get is an error, not an empty text.
    handlebars.set_strict_mode(true);
    // Nothing is quoted by itself, because every language quotes in its own way: a test sees that each value goes
    // through a helper.
    handlebars.register_escape_fn(handlebars::no_escape);
    handlebars.register_helper("sh", Box::new(Quoting(quote::shell)));
    handlebars.register_helper("line", Box::new(Quoting(quote::shell_line)));
    handlebars.register_helper("env", Box::new(Quoting(quote::environment)));
    handlebars.register_helper("unit", Box::new(Quoting(quote::unit)));
    handlebars.register_helper("plain", Box::new(Quoting(quote::plain)));
    handlebars.register_helper("calendar", Box::new(Quoting(quote::calendar)));
    handlebars.register_helper("yaml", Box::new(Quoting(|text| Ok(quote::yaml(text)))));
    for template in templates {
        handlebars
            .register_template_string(template.path, template.text)
            .map_err(Box::new)?;
    }
    Ok(handlebars)
}

/// A helper that writes its one argument quoted for a language.
struct Quoting(fn(&str) -> Result<String, Unquotable>);

impl handlebars::HelperDef for Quoting {
    fn call<'registry: 'render, 'render>(
        &self,
        helper: &Helper<'render>,
        _: &'registry Handlebars<'registry>,
        _: &'render Context,
        _: &mut RenderContext<'registry, 'render>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = helper
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("quoting", 0))?;
        // In a helper's argument, strict mode lets a missing name pass as nothing.
        if value.is_value_missing() || value.value().is_null() {
            let name = value.relative_path().cloned().unwrap_or_default();
            return Err(RenderErrorReason::MissingVariable(Some(name)).into());
        }
        let text = match value.value() {
            serde_json::Value::String(text) => text.clone(),
            // Nothing in a number or a boolean has to be quoted, and quoted it would be something else in YAML.
            other @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                return Ok(out.write(&other.to_string())?);
            }
            other => other.to_string(),
        };
        let quoted = (self.0)(&text).map_err(|refused| RenderErrorReason::NestedError(Box::new(refused)))?;
        out.write(&quoted)?;
        Ok(())
    }
}

/// Fills a template in.
///
/// # Errors
/// When a value cannot stand where the template puts it, or the template asks for one that `values` does not have.
pub(super) fn render(template: Template, values: &impl Serialize) -> Result<String, RenderError> {
    render_from(&REGISTRY, template, values)
}

/// Fills in a template that `registry` has read.
///
/// # Errors
/// As [`render`].
pub(crate) fn render_from(
    registry: &Registry,
    template: Template,
    values: &impl Serialize,
) -> Result<String, RenderError> {
    match registry {
        Ok(registry) => registry.render(template.path, values),
        Err(problem) => Err(RenderErrorReason::Other(problem.to_string()).into()),
    }
}
