//! Bootstrap tokens: what a worker without a certificate brings itself in with
//! (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>, kubeadm's
//! `cmd/kubeadm/app/phases/bootstraptoken`).

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use keelson_provider_api::values::BootstrapToken;
use keelson_provider_api::{ErrorClass, ProviderError};
use kube::ResourceExt as _;
use kube::api::{ListParams, ObjectMeta, PartialObjectMeta, PostParams};

use super::marks::FENCE;
use crate::addons::BOOTSTRAP_GROUP;
use crate::cluster::api::FIELD_MANAGER;
use crate::cluster::connection::Connection;
use crate::cluster::groups::TOKEN_TYPE;
use crate::cluster::step::Step;
use crate::cluster::trouble::Trouble;

/// The label of a token, whose value is the node that it is for.
const NODE_LABEL: &str = "keelson.dev/node";

/// How long a token is good for: as long as a slow machine takes to start its kubelet, and then some.
const TIME_TO_LIVE: SignedDuration = SignedDuration::from_mins(15);

/// Makes a token for `node` and forgets those that it had before.
pub(super) async fn make(
    step: &Step<'_>,
    connection: &Connection,
    node: &str,
) -> Result<BootstrapToken, ProviderError> {
    forget(step, connection, node).await?;
    let token = BootstrapToken::create(|bytes| aws_lc_rs::rand::fill(bytes).is_ok());
    let token = token.ok_or_else(|| {
        let message = "the system has no randomness for a bootstrap token";
        ProviderError::new(ErrorClass::Permanent, message)
    })?;
    let object = object(&token, node, step);
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let secrets = connection.own::<SecretObject>();
    let made = connection.settle(secrets.create(&parameters, &object).await);
    step.wrote(made)
        .map_err(|trouble| trouble.into_error(&format!("make a bootstrap token for {node}")))?;
    Ok(token)
}

fn object(token: &BootstrapToken, node: &str, step: &Step<'_>) -> SecretObject {
    let now = step.clock.now();
    let expires = now.checked_add(TIME_TO_LIVE).unwrap_or(now);
    let secret = token.secret();
    let data = [
        ("token-id", token.id()),
        ("token-secret", secret.expose().as_str()),
        // RFC 3339 in whole seconds.
        ("expiration", &expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("usage-bootstrap-authentication", "true"),
        ("usage-bootstrap-signing", "false"),
        ("auth-extra-groups", BOOTSTRAP_GROUP),
        ("description", &format!("lets node {node} join; made by keelson")),
    ];
    let data = data.map(|(name, value)| (name.to_owned(), value.to_owned()));
    SecretObject {
        metadata: ObjectMeta {
            name: Some(format!("bootstrap-token-{}", token.id())),
            labels: Some(BTreeMap::from([
                (NODE_LABEL.to_owned(), node.to_owned()),
                (FENCE.to_owned(), step.context.fencing_generation.to_string()),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some(TOKEN_TYPE.to_owned()),
        string_data: Some(BTreeMap::from(data)),
        ..SecretObject::default()
    }
}

/// Deletes every token of `node`, but those that a later run has made.
pub(super) async fn forget(
    step: &Step<'_>,
    connection: &Connection,
    node: &str,
) -> Result<(), ProviderError> {
    let failed = |trouble: Trouble| trouble.into_error(&format!("delete the bootstrap tokens of {node}"));
    let secrets = connection.own::<SecretObject>();
    let asked = ListParams::default().labels(&format!("{NODE_LABEL}={node}"));
    let found = connection
        .settle(secrets.list_metadata(&asked).await)
        .map_err(failed)?;
    let is_later = |secret: &PartialObjectMeta<SecretObject>| {
        let generation = secret.labels().get(FENCE).and_then(|text| text.parse().ok());
        generation.is_some_and(|generation: u64| generation > step.context.fencing_generation)
    };
    for secret in found.items.into_iter().filter(|secret| !is_later(secret)) {
        let deleted = connection.delete(&secrets, &secret.name_any(), None).await;
        step.wrote(deleted).map_err(failed)?;
    }
    Ok(())
}
