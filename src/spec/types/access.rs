//! Logging in to machines.

use keelson_provider_api::values::Cidr;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::text::formats::PublicKey;

/// Who may log in to the machines that keelson makes in clouds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SshAccess {
    /// Public keys that may log in, each as a line of `authorized_keys`. Without any, no one may.
    #[schemars(with = "Vec<PublicKey>")]
    pub public_keys: Vec<String>,
    /// The ranges from which SSH may be reached. Without any, from nowhere.
    #[serde(rename = "allowedCIDRs")]
    pub allowed_cidrs: Vec<Cidr>,
    /// Makes a small machine with a public address, through which the private ones are reached.
    pub bastion: bool,
}
