//! The token that machines of groups join with, as the cluster knows it: a Secret that stays for as long as the cluster lives, since
//! they join with nobody at the keyboard
//! (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#bootstrap-token-secret-format>).
//!
//! What it lets do is little: to ask for a certificate, which control planes give to machines of groups alone and only under a name
//! that no node has, and to see nodes.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use keelson_provider_api::values::BootstrapToken;
use keelson_provider_api::{ClusterIdentity, ProviderError};
use serde_json::{Value, json};

use crate::addons::{JOINING_GROUP, ObjectId};
use crate::cluster::api::NAMESPACE;
use crate::cluster::provider::ClusterProvider;
use crate::cluster::step::Step;

/// The type of Secret that API servers take for a token.
pub(in crate::cluster) const TYPE: &str = "bootstrap.kubernetes.io/token";

/// Keeps the token that machines of groups join with.
#[async_trait]
pub trait JoiningTokens: Send + Sync {
    /// The token, made where there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, opened, made or kept.
    async fn token(&self) -> Result<BootstrapToken, ProviderError>;

    /// The token, where there is one.
    ///
    /// # Errors
    /// When it cannot be read or opened.
    async fn existing(&self) -> Result<Option<BootstrapToken>, ProviderError>;
}

fn name(token: &BootstrapToken) -> String {
    format!("bootstrap-token-{}", token.id())
}

fn data(token: &BootstrapToken) -> [(&'static str, String); 6] {
    [
        ("token-id", token.id().to_owned()),
        ("token-secret", token.secret().expose().clone()),
        ("usage-bootstrap-authentication", "true".to_owned()),
        ("usage-bootstrap-signing", "false".to_owned()),
        ("auth-extra-groups", JOINING_GROUP.to_owned()),
        (
            "description",
            "lets machines of node groups join; made by keelson".to_owned(),
        ),
    ]
}

/// Has the cluster know the token.
pub(super) async fn apply(step: &Step<'_>, tokens: &dyn JoiningTokens) -> Result<(), ProviderError> {
    let token = tokens.token().await?;
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "Secret".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name(&token),
    };
    let data: serde_json::Map<String, Value> = data(&token)
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let content = json!({
        "apiVersion": id.api_version,
        "kind": id.kind,
        "metadata": { "name": id.name, "namespace": NAMESPACE },
        "type": TYPE,
        "stringData": data,
    });
    let connection = step.connection().await?;
    let applied = step.wrote(connection.apply(&id, &content).await);
    applied.map_err(|trouble| trouble.into_error("apply the token that machines of groups join with"))
}

/// True where the cluster knows the token, as it was applied.
///
/// # Errors
/// When nobody says.
pub(super) async fn is_there(
    cluster: &ClusterProvider,
    tokens: &dyn JoiningTokens,
    identity: &ClusterIdentity,
) -> Result<bool, ProviderError> {
    let Some(token) = tokens.existing().await? else {
        return Ok(false);
    };
    let name = name(&token);
    let secret = cluster
        .look(identity, &|connection| {
            let name = name.clone();
            Box::pin(async move { connection.settle(connection.own::<SecretObject>().get_opt(&name).await) })
        })
        .await?;
    let Some(secret) = secret else {
        return Ok(false);
    };
    let has = secret.data.unwrap_or_default();
    let is_so = |(key, value): (&str, String)| has.get(key).is_some_and(|found| found.0 == value.as_bytes());
    // One with a time to live ends at some time.
    Ok(!has.contains_key("expiration") && data(&token).into_iter().all(is_so))
}
