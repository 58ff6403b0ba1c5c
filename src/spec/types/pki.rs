//! Keys and certificates.

use keelson_provider_api::values::{KeyAlgorithm, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::text::formats::{AgeRecipient, FilePath};

/// Keys and certificates of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pki {
    /// The algorithm of the keys that keelson makes. Authorities that exist keep theirs.
    pub key_algorithm: KeyAlgorithm,
    /// How long the certificates of machines are valid: at least 1h. They are renewed when a third of it is left.
    pub certificate_validity: Span,
    /// How long the certificates of authorities that keelson makes are valid: longer than those that they sign.
    pub authority_validity: Span,
    /// Certificate authorities that you bring. keelson makes the others.
    pub authorities: Authorities,
    /// How keys are encrypted before they go into the state store. Secrets never stand in a spec.
    pub encryption: KeyEncryption,
}

const DAY_SECS: u64 = 24 * 60 * 60;

impl Default for Pki {
    /// The validities of kubeadm: 365 and 3650 days.
    fn default() -> Self {
        Self {
            key_algorithm: KeyAlgorithm::default(),
            certificate_validity: Span::from_secs(365 * DAY_SECS),
            authority_validity: Span::from_secs(3650 * DAY_SECS),
            authorities: Authorities::default(),
            encryption: KeyEncryption::default(),
        }
    }
}

/// Certificate authorities that you bring, each different from the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Authorities {
    /// Signs the certificates of the API server, of kubelets and of users. Whoever has a certificate from it is let
    /// in under the name and the groups in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<AuthorityFiles>,
    /// Signs the certificate that the API server shows to extension API servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front_proxy: Option<AuthorityFiles>,
    /// Signs the certificates of etcd's members and clients. Whoever has a client certificate from it can read and
    /// write everything in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etcd: Option<AuthorityFiles>,
}

/// A certificate authority that you bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorityFiles {
    /// The file with its certificate, PEM; behind it, if another authority signed it, those above. A relative path is
    /// relative to the spec's directory.
    #[schemars(with = "FilePath", example = &"./ca.crt")]
    pub certificate: String,
    /// The file with its private key, PEM. Without it, you issue what it signs and put it on the machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>", example = &"./ca.key")]
    pub key: Option<String>,
}

/// How keys are encrypted before they go into the state store: with age, on the machine that runs keelson.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyEncryption {
    /// Not at all: whoever can read the state store can administer the cluster.
    #[default]
    None,
    /// With a passphrase, which is given to keelson whenever it runs.
    Passphrase,
    /// To these age recipients, age1…; one of their identities is given to keelson whenever it runs.
    Recipients(#[schemars(with = "Vec<AgeRecipient>", length(min = 1))] Vec<String>),
}
