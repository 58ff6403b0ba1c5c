//! The Kubernetes API server.

use std::collections::BTreeMap;

use keelson_provider_api::values::Cidr;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::spec::text::formats::{ArgumentName, FilePath, Line, PluginName, SubjectName};
use crate::spec::text::{HttpUrl, PortRange};

/// The Kubernetes API server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Api {
    /// The ranges from which the API may be reached in clouds. An empty list lets everyone in.
    #[serde(rename = "allowedCIDRs")]
    pub allowed_cidrs: Vec<Cidr>,
    /// More names and addresses for the API server's certificate.
    #[serde(rename = "certSANs")]
    #[schemars(with = "Vec<SubjectName>")]
    pub cert_sans: Vec<String>,
    /// The ports that Services of type NodePort get.
    pub service_node_port_range: PortRange,
    /// Admission plugins that are turned on beside Kubernetes' own defaults.
    #[schemars(with = "Vec<PluginName>", example = serde_json::json!(["AlwaysPullImages"]))]
    pub admission_plugins: Vec<String>,
    /// Sign-in through an OpenID Connect provider. An empty map is the same as none.
    #[serde(deserialize_with = "oidc_or_nothing", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "oidc_schema")]
    pub oidc: Option<Oidc>,
    /// What the audit log records.
    pub audit: Audit,
    /// How Secrets are encrypted in etcd.
    pub encryption: Encryption,
    /// More flags of kube-apiserver, in this order. A flag may stand more than once.
    pub extra_args: Vec<Argument>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            allowed_cidrs: Vec::new(),
            cert_sans: Vec::new(),
            service_node_port_range: PortRange {
                first: 30000,
                last: 32767,
            },
            admission_plugins: Vec::new(),
            oidc: None,
            audit: Audit::default(),
            encryption: Encryption::default(),
            extra_args: Vec::new(),
        }
    }
}

/// Sign-in through an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oidc {
    /// The issuer's URL, https.
    #[schemars(example = &"https://login.example.com")]
    pub issuer: HttpUrl,
    /// The client that tokens are issued for.
    #[serde(rename = "clientID")]
    #[schemars(with = "Line", example = &"kubernetes")]
    pub client_id: String,
    /// The claim that holds the user's name.
    #[serde(default = "default_username_claim")]
    #[schemars(with = "Line")]
    pub username_claim: String,
    /// What is put before user names, so that they cannot clash with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Line>", example = &"oidc:")]
    pub username_prefix: Option<String>,
    /// The claim that holds the user's groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Line>", example = &"groups")]
    pub groups_claim: Option<String>,
    /// What is put before group names, so that they cannot clash with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Line>", example = &"oidc:")]
    pub groups_prefix: Option<String>,
    /// Claims that a token has to bear, and their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<Line, Line>", example = serde_json::json!({ "hd": "example.com" }))]
    pub required_claims: BTreeMap<String, String>,
    /// The file with the authority of the issuer's certificate, PEM. Without it, those that the machines trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<FilePath>")]
    pub ca: Option<String>,
}

fn default_username_claim() -> String {
    "sub".to_owned()
}

fn oidc_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Oidc>, D::Error> {
    let fields: serde_json::Map<String, serde_json::Value> = Deserialize::deserialize(deserializer)?;
    if fields.is_empty() {
        return Ok(None);
    }
    serde_json::from_value(serde_json::Value::Object(fields))
        .map(Some)
        .map_err(serde::de::Error::custom)
}

fn oidc_schema(generator: &mut SchemaGenerator) -> Schema {
    let oidc = generator.subschema_for::<Oidc>();
    json_schema!({ "anyOf": [{ "type": "object", "maxProperties": 0 }, oidc] })
}

/// What the audit log records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Audit {
    /// Who did what to which object; never the contents of Secrets and ConfigMaps.
    #[default]
    Default,
    /// Nothing.
    Off,
}

/// How Secrets are encrypted in etcd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// XSalsa20 and Poly1305.
    #[default]
    Secretbox,
    /// AES-CBC with PKCS#7 padding.
    Aescbc,
    /// Secrets are kept as they are.
    None,
}

/// A component of the control plane of which a spec says nothing but flags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Component {
    /// More flags, in this order. A flag may stand more than once, and takes the place of keelson's own of its name.
    pub extra_args: Vec<Argument>,
}

/// One command-line flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Argument {
    /// The flag's name, without dashes in front.
    #[schemars(with = "ArgumentName")]
    pub name: String,
    /// The flag's value.
    #[schemars(with = "Line")]
    pub value: String,
}
