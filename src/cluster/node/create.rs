//! From a machine to a node that is Ready. Each part can be cut off and is finished by doing it again.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::Node as NodeObject;
use keelson_provider_api::kinds::Node;
use keelson_provider_api::values::BootstrapToken;
use keelson_provider_api::{ErrorClass, Joined, Kubelets, Observed, ProviderError, Registration};
use kube::ResourceExt as _;
use kube::api::ListParams;

use super::marks::{self, Mark};
use super::{CONTROL_PLANE_GROUP, is_barred, refill, token};
use crate::cluster::ready::{Readiness, readiness};
use crate::cluster::step::{Step, permanent, transient};
use crate::cluster::trouble::{Trouble, TroubleKind};

/// How long a kubelet may take to register, and a node to be Ready after that: kubeadm's patience with the bootstrap
/// over TLS and with the kubelet (`Timeouts` in
/// <https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/>).
const REGISTER_LIMIT: Duration = Duration::from_secs(300);
const READY_LIMIT: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_secs(1);

/// How often labels are written again when someone else changes the node meanwhile, as its kubelet and controllers do.
const CONFLICTS: u32 = 20;

/// Makes the machine the node `wanted`.
pub(in crate::cluster) async fn create(
    step: &Step<'_>,
    kubelets: &dyn Kubelets,
    wanted: &Node,
    generation: u32,
) -> Result<(), ProviderError> {
    let joined = joined(step, kubelets, &wanted.machine).await;
    if joined.is_none() && wanted.group != CONTROL_PLANE_GROUP {
        clear_the_name(step, &wanted.machine).await?;
    }
    bring_in(step, kubelets, wanted, joined.as_ref(), generation).await
}

/// Makes the node `wanted`, which differs in what keelson has set, has never registered, or has lost its Node object or its
/// certificate.
pub(in crate::cluster) async fn update(
    step: &Step<'_>,
    kubelets: &dyn Kubelets,
    wanted: &Node,
) -> Result<(), ProviderError> {
    let joined = joined(step, kubelets, &wanted.machine).await;
    let is_barred = joined.as_ref().is_some_and(is_barred);
    if is_barred || find(step, &wanted.machine).await?.is_none() {
        return bring_in(step, kubelets, wanted, joined.as_ref(), 0).await;
    }
    // First the machine, then what is compared: a change that is cut off in between is seen to be.
    if let Err(outcome) = kubelets.rewrite(step.context, wanted).await {
        step.failed(outcome)?;
    }
    step.touch();
    forget_tokens(step, &wanted.machine).await?;
    let mark = mark(step, joined.as_ref(), 0);
    mark_node(step, wanted, &mark).await?;
    let connection = step.connection().await?;
    refill(&connection, &wanted.machine, &step.context.progress).await
}

async fn joined(step: &Step<'_>, kubelets: &dyn Kubelets, machine: &str) -> Option<Joined> {
    let asked = BTreeSet::from([machine.to_owned()]);
    let mut joined = kubelets.joined(&step.context.cluster, &asked).await;
    match joined.remove(machine) {
        Some(Observed::Present(joined)) => Some(joined),
        _ => None,
    }
}

fn mark(step: &Step<'_>, joined: Option<&Joined>, generation: u32) -> Mark {
    Mark {
        cluster_uid: step.uid.to_string(),
        generation: joined.map_or(generation, |joined| joined.generation),
        machine_id: joined.map(|joined| joined.machine_id.clone()),
    }
}

async fn find(step: &Step<'_>, name: &str) -> Result<Option<NodeObject>, ProviderError> {
    let connection = step.connection().await?;
    let found = connection.settle(connection.global::<NodeObject>().get_opt(name).await);
    found.map_err(|trouble| trouble.into_error(&format!("look at node {name}")))
}

/// Removes what is left of an earlier node of that name. One that is Ready runs on another machine.
async fn clear_the_name(step: &Step<'_>, name: &str) -> Result<(), ProviderError> {
    let Some(object) = find(step, name).await? else {
        return Ok(());
    };
    if readiness(&object) == Readiness::Ready {
        let message = format!("a node {name} is Ready already, and it does not run on this machine");
        return Err(transient(message).with_help(
            "if its machine is gone, it stops being Ready within a minute; else give this machine another name",
        ));
    }
    step.tell(&format!("delete what is left of an earlier node {name}"));
    let connection = step.connection().await?;
    let nodes = connection.global::<NodeObject>();
    let deleted = connection.delete(&nodes, name, object.uid()).await;
    step.wrote(deleted)
        .map_err(|trouble| trouble.into_error(&format!("delete node {name}")))
}

/// Starts the kubelet and waits for its node. What was begun before goes on under the generation that it was begun with.
async fn bring_in(
    step: &Step<'_>,
    kubelets: &dyn Kubelets,
    wanted: &Node,
    before: Option<&Joined>,
    generation: u32,
) -> Result<(), ProviderError> {
    let name = &wanted.machine;
    let generation = before.map_or(generation, |joined| joined.generation);
    let is_control_plane = wanted.group == CONTROL_PLANE_GROUP;
    let is_due = find(step, name).await?.is_none();
    let is_barred = before.is_some_and(is_barred);
    let token = if !is_control_plane && (is_due || is_barred) {
        step.tell("make a bootstrap token");
        let connection = step.connection().await?;
        Some(token::make(step, &connection, name).await?)
    } else {
        None
    };
    step.tell("start the kubelet");
    let registration = Registration {
        bootstrap_token: token.as_ref().map(BootstrapToken::text),
        is_due,
    };
    if let Err(outcome) = kubelets
        .join(step.context, wanted, generation, registration)
        .await
    {
        step.failed(outcome)?;
    }
    step.touch();
    let token_id = token.as_ref().map(BootstrapToken::id);
    wait_until_registered(step, kubelets, name, token_id).await?;
    // It has a certificate by now. Once it is marked, nobody would come back for the token.
    if !is_control_plane {
        forget_tokens(step, name).await?;
    }
    let joined = joined(step, kubelets, name).await;
    mark_node(step, wanted, &mark(step, joined.as_ref(), generation)).await?;
    wait_until_ready(step, kubelets, name).await
}

async fn forget_tokens(step: &Step<'_>, name: &str) -> Result<(), ProviderError> {
    let connection = step.connection().await?;
    token::forget(step, &connection, name).await
}

async fn wait_until_registered(
    step: &Step<'_>,
    kubelets: &dyn Kubelets,
    name: &str,
    token_id: Option<&str>,
) -> Result<(), ProviderError> {
    let patience = step.patience(REGISTER_LIMIT);
    step.tell("wait until the kubelet registers");
    loop {
        let trouble = match find(step, name).await {
            Ok(Some(_)) if has_come_in(step, kubelets, name, token_id).await => return Ok(()),
            Ok(_) => None,
            Err(error) => Some(passing(error)?),
        };
        if patience.wait(POLL).await {
            continue;
        }
        let mut why = trouble.into_iter().collect::<Vec<_>>();
        if let Some(token_id) = token_id {
            why.push(certificate_words(step, token_id).await);
        }
        let message = format!(
            "the kubelet of {name} has not registered after {} s",
            REGISTER_LIMIT.as_secs()
        );
        return Err(given_up(kubelets, name, message, why).await);
    }
}

/// True when the kubelet needs its token no more. Its node may have been there before.
async fn has_come_in(step: &Step<'_>, kubelets: &dyn Kubelets, name: &str, token_id: Option<&str>) -> bool {
    if token_id.is_none() {
        return true;
    }
    let joined = joined(step, kubelets, name).await;
    joined.is_some_and(|joined| !is_barred(&joined))
}

/// The error's words, when waiting may help; the error itself, when it does not.
fn passing(error: ProviderError) -> Result<String, ProviderError> {
    if error.class.may_pass() {
        Ok(error.message)
    } else {
        Err(error)
    }
}

/// What became of the certificate that a kubelet asked for with a token.
async fn certificate_words(step: &Step<'_>, token_id: &str) -> String {
    let unknown = "what became of its certificate cannot be seen".to_owned();
    let Ok(connection) = step.connection().await else {
        return unknown;
    };
    let requests = connection.global::<CertificateSigningRequest>();
    let asked = ListParams::default().fields("spec.signerName=kubernetes.io/kube-apiserver-client-kubelet");
    let Ok(found) = connection.settle(requests.list(&asked).await) else {
        return unknown;
    };
    let user = format!("system:bootstrap:{token_id}");
    let own = found.items.into_iter();
    let own = own.filter(|request| request.spec.username.as_deref() == Some(user.as_str()));
    let Some(request) = own.max_by_key(|request| request.metadata.creation_timestamp.clone()) else {
        return "it has not asked for a certificate: it does not reach the API, or its token is not accepted"
            .to_owned();
    };
    let status = request.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let refused = conditions.iter().find(|condition| condition.type_ != "Approved");
    let name = request.name_any();
    match refused {
        Some(refused) => format!(
            "its certificate request {name} is {}: {}",
            refused.type_,
            refused.message.as_deref().unwrap_or("no reason is given")
        ),
        None if conditions.is_empty() => format!("its certificate request {name} is not approved yet"),
        None if status.certificate.is_none() => format!("its certificate request {name} is not signed yet"),
        None => "it has its certificate".to_owned(),
    }
}

/// Sets labels, taints and marks.
async fn mark_node(step: &Step<'_>, wanted: &Node, mark: &Mark) -> Result<(), ProviderError> {
    let name = &wanted.machine;
    let failed = |trouble: Trouble| trouble.into_error(&format!("set labels and taints of {name}"));
    let mut conflicts = 0;
    loop {
        let Some(object) = find(step, name).await? else {
            return Err(transient(format!("node {name} is gone while it is labelled")));
        };
        let own = step.context.fencing_generation;
        if marks::has_later_run(&object, own) {
            let message = format!("node {name} was changed by a later run of keelson");
            return Err(ProviderError::new(ErrorClass::Fenced, message));
        }
        let Some(patch) = marks::patch(&object, wanted, mark, own) else {
            return Ok(());
        };
        step.tell("set labels and taints");
        let connection = step.connection().await?;
        let nodes = connection.global::<NodeObject>();
        match step.wrote(connection.merge(&nodes, name, &patch).await) {
            Ok(_) => return Ok(()),
            Err(trouble) if trouble.kind == TroubleKind::Conflict && conflicts < CONFLICTS => conflicts += 1,
            Err(trouble) => return Err(failed(trouble)),
        }
    }
}

async fn wait_until_ready(step: &Step<'_>, kubelets: &dyn Kubelets, name: &str) -> Result<(), ProviderError> {
    let patience = step.patience(READY_LIMIT);
    let mut told = String::new();
    loop {
        let why = match find(step, name).await {
            Ok(Some(object)) => match readiness(&object) {
                Readiness::Ready => return Ok(()),
                Readiness::NotReady(why) | Readiness::Silent(why) => why,
            },
            Ok(None) => "its Node object is gone".to_owned(),
            Err(error) => passing(error)?,
        };
        if why != told {
            step.tell(&format!("wait until the node is Ready: {why}"));
            told.clone_from(&why);
        }
        if !patience.wait(POLL).await {
            let message = format!("node {name} is not Ready after {} s", READY_LIMIT.as_secs());
            return Err(given_up(kubelets, name, message, vec![why]).await);
        }
    }
}

async fn given_up(
    kubelets: &dyn Kubelets,
    name: &str,
    message: String,
    mut why: Vec<String>,
) -> ProviderError {
    if let Some(words) = kubelets.last_words(name).await {
        why.push(format!("{name} itself says: {}", words.trim()));
    }
    let why = why.join("; ");
    let message = if why.is_empty() {
        message
    } else {
        format!("{message}: {why}")
    };
    permanent(message).with_help(format!(
        "`journalctl -u kubelet -u containerd` on {name} tells the rest; mend it and run the command again, which goes on \
         from here"
    ))
}
