//! What lets machines in that join by themselves: control planes approve what their kubelets ask for.
//!
//! The controller manager approves a node's first certificate for whoever may ask for one, whatever name it is for. Where one
//! token is for all machines that a cloud will ever start, that would let its holder be any node. So here the name has to be
//! a new one, and a node's serving certificate, which nothing of Kubernetes approves
//! (<https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/#client-and-serving-certificates>),
//! has to be for the node's own names and addresses.

use serde_json::json;

use super::super::action::{Access, Action};
use super::super::contents::{Contents, RenderError};
use super::super::templates;
use super::kubeconfig::{Credentials, Kubeconfig};
use super::{AUTHORITY, KubernetesSettings, LOCAL_SERVER, PROGRAM_FOLDER};

/// The unit that approves.
pub(super) const UNIT: &str = "keelson-approver.service";

const ENVIRONMENT: &str = "/etc/keelson/approver.env";
const KUBECONFIG: &str = "/etc/keelson/approver.conf";

/// What listens to requests, and approves them.
pub(super) const PROGRAM: &str = include_str!("../../../templates/kubernetes/approver.sh");
/// What judges them.
pub(super) const RULES: &str = include_str!("../../../templates/kubernetes/approver.awk");

/// What control planes approve.
#[derive(Debug, Clone)]
pub struct ApproverSettings {
    /// The group that a machine's bootstrap token puts it in.
    pub group: String,
}

/// Adds it to what a control plane runs.
pub(super) fn add(
    settings: &KubernetesSettings,
    approver: &ApproverSettings,
    contents: &mut Contents,
) -> Result<(), RenderError> {
    let units = &[UNIT];
    let program = format!("{PROGRAM_FOLDER}/keelson-approver");
    contents.file(&program, Access::of_root(0o755), PROGRAM.to_owned(), units);
    let rules = format!("{PROGRAM_FOLDER}/keelson-approver.awk");
    contents.file(&rules, Access::of_root(0o644), RULES.to_owned(), units);
    Kubeconfig {
        cluster: &settings.cluster,
        server: LOCAL_SERVER,
        authority: AUTHORITY,
        user: "keelson:approver",
        credentials: Credentials::Certificate(
            "/etc/kubernetes/pki/approver.crt",
            "/etc/kubernetes/pki/approver.key",
        ),
    }
    .add(KUBECONFIG, units, contents)?;
    let values = json!({
        "kubectl": format!("{PROGRAM_FOLDER}/kubectl"),
        "kubeconfig": KUBECONFIG,
        "rules": rules,
        "group": approver.group,
    });
    let environment = templates::render(templates::APPROVER_ENVIRONMENT, &values)?;
    contents.file(ENVIRONMENT, Access::PUBLIC, environment, units);
    let values = json!({ "program": program, "environment": ENVIRONMENT });
    contents.unit(UNIT, 0o644, templates::render(templates::APPROVER_UNIT, &values)?);
    contents.act(Action::Start { unit: UNIT });
    Ok(())
}
