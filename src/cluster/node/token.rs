//! Bootstrap tokens: what a worker without a certificate brings itself in with
//! (<https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>, kubeadm's
//! `cmd/kubeadm/app/phases/bootstraptoken`).

use std::collections::BTreeMap;

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret as SecretObject;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{ErrorClass, ProviderError};
use kube::ResourceExt as _;
use kube::api::{ListParams, ObjectMeta, PartialObjectMeta, PostParams};

use super::marks::FENCE;
use crate::addons::BOOTSTRAP_GROUP;
use crate::cluster::api::FIELD_MANAGER;
use crate::cluster::connection::Connection;
use crate::cluster::step::Step;
use crate::cluster::trouble::Trouble;

/// The label of a token, whose value is the node that it is for.
const NODE_LABEL: &str = "keelson.dev/node";

/// How long a token is good for: as long as a slow machine takes to start its kubelet, and then some.
const TIME_TO_LIVE: SignedDuration = SignedDuration::from_mins(15);

/// The type of Secret that API servers take for a token.
const TYPE: &str = "bootstrap.kubernetes.io/token";

const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;

/// A token as kubelets show it: `ID.SECRET`, 6 and 16 characters of `a-z0-9`.
pub(super) struct Token {
    pub(super) id: String,
    pub(super) text: Secret<String>,
}

impl Token {
    /// A random token.
    fn random() -> Result<Self, ProviderError> {
        let id = random_text(ID_LENGTH)?;
        let secret = random_text(SECRET_LENGTH)?;
        let text = Secret::new(format!("{}.{}", id.expose(), secret.expose()));
        Ok(Self {
            id: id.expose().clone(),
            text,
        })
    }
}

/// `length` random characters of the 36 of a token, each as likely as any other.
fn random_text(length: usize) -> Result<Secret<String>, ProviderError> {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The largest multiple of 36 that a byte holds; what is above would make some characters likelier.
    const LIMIT: u8 = 252;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 32];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| {
            ProviderError::new(
                ErrorClass::Permanent,
                "the system has no randomness for a bootstrap token",
            )
        })?;
        let usable = bytes.iter().filter(|&&byte| byte < LIMIT);
        let characters = usable.map(|&byte| char::from(CHARACTERS[usize::from(byte) % CHARACTERS.len()]));
        text.extend(characters.take(length - text.len()));
    }
    Ok(Secret::new(text))
}

/// Makes a token for `node` and forgets those that it had before.
pub(super) async fn make(
    step: &Step<'_>,
    connection: &Connection,
    node: &str,
) -> Result<Token, ProviderError> {
    forget(step, connection, node).await?;
    let token = Token::random()?;
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

fn object(token: &Token, node: &str, step: &Step<'_>) -> SecretObject {
    let now = step.clock.now();
    let expires = now.checked_add(TIME_TO_LIVE).unwrap_or(now);
    let secret = token
        .text
        .expose()
        .split_once('.')
        .map_or("", |(_, secret)| secret);
    let data = [
        ("token-id", token.id.as_str()),
        ("token-secret", secret),
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
            name: Some(format!("bootstrap-token-{}", token.id)),
            labels: Some(BTreeMap::from([
                (NODE_LABEL.to_owned(), node.to_owned()),
                (FENCE.to_owned(), step.context.fencing_generation.to_string()),
            ])),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_the_form_that_api_servers_take_and_differ() {
        let tokens: Vec<Token> = (0..50).map(|_| Token::random().unwrap()).collect();
        let mut texts: Vec<&String> = tokens.iter().map(|token| token.text.expose()).collect();
        for text in &texts {
            let (id, secret) = text.split_once('.').unwrap();
            assert_eq!((id.len(), secret.len()), (6, 16));
            let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(id.bytes().chain(secret.bytes()).all(is_allowed), "{text}");
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 50);
    }
}
