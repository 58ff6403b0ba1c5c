//! The API server: its flags, and the files that it reads.

use std::collections::BTreeMap;

use keelson_provider_api::values::Secret;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::action::Access;
use super::super::contents::{Contents, RenderError};
use super::arguments::{Argument, arguments};
use super::control_plane::ControlPlaneSettings;
use super::{AUTHORITY, CIPHER_SUITES, KubernetesSettings, feature_gates};

/// The folder of the files that the API server reads beside its certificates.
pub(super) const FOLDER: &str = "/etc/kubernetes/api-server";
/// The folder of the audit log.
pub(super) const AUDIT_FOLDER: &str = "/var/log/kubernetes/audit";
/// The file with the key that Secrets are encrypted with in etcd.
pub const ENCRYPTION_FILE: &str = "/etc/kubernetes/api-server/encryption.yaml";

const AUDIT_POLICY: &str = include_str!("../../../templates/kubernetes/audit-policy.yaml");
const AUDIT_POLICY_FILE: &str = "/etc/kubernetes/api-server/audit-policy.yaml";
const ADMISSION_FILE: &str = "/etc/kubernetes/api-server/admission.yaml";
const AUTHENTICATION_FILE: &str = "/etc/kubernetes/api-server/authentication.yaml";

/// Who may ask without saying who it is: whoever asks whether the API server is well, such as load balancers.
const ANONYMOUS_PATHS: &[&str] = &["/livez", "/readyz", "/healthz"];

/// Admission plugins beside those that Kubernetes turns on by itself (CIS 1.2.3 and 1.2.14).
const ADMISSION_PLUGINS: &[&str] = &["NodeRestriction", "DenyServiceExternalIPs"];

/// What a user says about the API server.
#[derive(Debug, Clone, Default)]
pub struct ApiServerSettings {
    /// The ports of Services of type `NodePort`: `30000-32767`.
    pub node_port_range: String,
    /// More admission plugins.
    pub admission_plugins: Vec<String>,
    /// Sign-in through an OpenID Connect provider.
    pub oidc: Option<Oidc>,
    /// What the audit log records.
    pub audit: AuditLevel,
    /// How Secrets are encrypted in etcd.
    pub encryption: SecretsProvider,
    /// More flags, in the user's order.
    pub extra_arguments: Vec<(String, String)>,
}

/// What the audit log records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AuditLevel {
    /// Who did what to which object.
    #[default]
    Policy,
    /// Nothing.
    Off,
}

/// Sign-in through an OpenID Connect provider.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The issuer's URL.
    pub issuer: String,
    /// The client that tokens are issued for.
    pub client_id: String,
    /// What vouches for the issuer's certificate, PEM; without it, what machines trust.
    pub authority: Option<String>,
    /// The claim that holds the user's name, and what is put before it.
    pub username: (String, String),
    /// The claim that holds the user's groups, and what is put before each.
    pub groups: Option<(String, String)>,
    /// Claims that a token has to bear, and their values.
    pub required_claims: BTreeMap<String, String>,
}

/// How Secrets are encrypted in etcd.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretsProvider {
    /// XSalsa20 and Poly1305.
    #[default]
    Secretbox,
    /// AES-CBC with PKCS#7 padding.
    Aescbc,
    /// Not at all.
    Identity,
}

impl SecretsProvider {
    const ALL: [Self; 3] = [Self::Secretbox, Self::Aescbc, Self::Identity];

    /// All of them, this one first: what the API server writes with, then what else it can read.
    fn in_order(self) -> impl Iterator<Item = Self> {
        let others = Self::ALL.into_iter().filter(move |&other| other != self);
        std::iter::once(self).chain(others)
    }
}

/// The file that tells the API server how to encrypt Secrets: with `key`, 32 bytes in base64. What was written with any
/// other provider can still be read, so the provider can change, and control planes can change one after the other.
/// <https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/>
///
/// # Errors
/// When it has no YAML form.
pub fn encryption_configuration(
    provider: SecretsProvider,
    key: &Secret<String>,
) -> Result<Secret<String>, RenderError> {
    #[derive(Serialize)]
    struct Key<'a> {
        name: &'a str,
        secret: &'a str,
    }
    #[derive(Serialize)]
    struct Keys<'a> {
        keys: [Key<'a>; 1],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Provider<'a> {
        Secretbox(Keys<'a>),
        Aescbc(Keys<'a>),
        Identity(Map<String, Value>),
    }
    #[derive(Serialize)]
    struct Resource<'a> {
        resources: [&'a str; 1],
        providers: Vec<Provider<'a>>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Configuration<'a> {
        api_version: &'a str,
        kind: &'a str,
        resources: [Resource<'a>; 1],
    }
    let keys = || Keys {
        keys: [Key {
            name: "keelson",
            secret: key.expose(),
        }],
    };
    let with_key = |provider| match provider {
        SecretsProvider::Secretbox => Provider::Secretbox(keys()),
        SecretsProvider::Aescbc => Provider::Aescbc(keys()),
        SecretsProvider::Identity => Provider::Identity(Map::new()),
    };
    let configuration = Configuration {
        api_version: "apiserver.config.k8s.io/v1",
        kind: "EncryptionConfiguration",
        resources: [Resource {
            resources: ["secrets"],
            providers: provider.in_order().map(with_key).collect(),
        }],
    };
    Ok(Secret::new(serde_saphyr::to_string(&configuration)?))
}

/// The files that the API server reads when it starts and that hold no secret, by path.
fn files(settings: &ApiServerSettings) -> Result<Vec<(&'static str, String)>, RenderError> {
    let mut files = vec![
        (ADMISSION_FILE, serde_saphyr::to_string(&admission())?),
        (
            AUTHENTICATION_FILE,
            serde_saphyr::to_string(&authentication(settings.oidc.as_ref()))?,
        ),
    ];
    if settings.audit == AuditLevel::Policy {
        files.push((AUDIT_POLICY_FILE, AUDIT_POLICY.to_owned()));
    }
    Ok(files)
}

/// Adds the files that the API server reads.
pub(super) fn add_files(settings: &ApiServerSettings, contents: &mut Contents) -> Result<(), RenderError> {
    for (path, text) in files(settings)? {
        contents.file(path, Access::of_root(0o600), text, &[]);
    }
    Ok(())
}

/// What the API server reads when it starts, so that it starts anew when that changes. Of the file with the key of Secrets
/// only the order of the providers can change, which is no secret.
pub(super) fn reads(settings: &ApiServerSettings) -> Result<Vec<String>, RenderError> {
    let mut texts: Vec<String> = files(settings)?.into_iter().map(|(_, text)| text).collect();
    let providers: Vec<SecretsProvider> = settings.encryption.in_order().collect();
    texts.push(serde_saphyr::to_string(&providers)?);
    Ok(texts)
}

/// Pods that would take over their machine are refused, but in `kube-system`; a namespace's labels say otherwise (CIS 5.2).
/// <https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/>
fn admission() -> Value {
    json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": [{
            "name": "PodSecurity",
            "configuration": {
                "apiVersion": "pod-security.admission.config.k8s.io/v1",
                "kind": "PodSecurityConfiguration",
                "defaults": {
                    "enforce": "baseline",
                    "enforce-version": "latest",
                    "audit": "restricted",
                    "audit-version": "latest",
                    "warn": "restricted",
                    "warn-version": "latest",
                },
                "exemptions": {
                    "usernames": [],
                    "runtimeClasses": [],
                    "namespaces": ["kube-system"],
                },
            },
        }],
    })
}

/// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration>
fn authentication(oidc: Option<&Oidc>) -> Value {
    let conditions: Vec<Value> = ANONYMOUS_PATHS
        .iter()
        .map(|path| json!({ "path": path }))
        .collect();
    let mut configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "anonymous": { "enabled": true, "conditions": conditions },
    });
    if let Some(oidc) = oidc {
        configuration["jwt"] = json!([issuer(oidc)]);
    }
    configuration
}

fn issuer(oidc: &Oidc) -> Value {
    let claim = |(claim, prefix): &(String, String)| json!({ "claim": claim, "prefix": prefix });
    let mut mappings = json!({ "username": claim(&oidc.username) });
    if let Some(groups) = &oidc.groups {
        mappings["groups"] = claim(groups);
    }
    let mut issuer = json!({ "url": oidc.issuer, "audiences": [oidc.client_id] });
    if let Some(authority) = &oidc.authority {
        issuer["certificateAuthority"] = json!(authority);
    }
    let mut authenticator = json!({ "issuer": issuer, "claimMappings": mappings });
    if !oidc.required_claims.is_empty() {
        let rule = |(claim, value): (&String, &String)| json!({ "claim": claim, "requiredValue": value });
        authenticator["claimValidationRules"] = oidc.required_claims.iter().map(rule).collect();
    }
    authenticator
}

/// The flags: those of kubeadm 1.36.1 (`cmd/kubeadm/app/phases/controlplane/manifests.go`), and those that it does not set
/// and the CIS benchmark asks for (1.2; `docs/cis.md`).
pub(super) fn flags(settings: &KubernetesSettings, control_plane: &ControlPlaneSettings) -> Vec<String> {
    let api = &control_plane.api;
    let mut defaults = flags_of_every_cluster();
    defaults.extend([
        ("enable-admission-plugins", admission_plugins(api)),
        ("etcd-servers", control_plane.etcd.main.join(",")),
        ("service-account-issuer", issuer_of_accounts(control_plane)),
        (
            "service-cluster-ip-range",
            control_plane.service_range.to_string(),
        ),
        ("service-node-port-range", api.node_port_range.clone()),
    ]);
    let events = &control_plane.etcd.events;
    if !events.is_empty() {
        defaults.push(("etcd-servers-overrides", format!("/events#{}", events.join(";"))));
    }
    if api.audit == AuditLevel::Policy {
        defaults.extend([
            ("audit-log-maxage", "30".to_owned()),
            ("audit-log-maxbackup", "10".to_owned()),
            ("audit-log-maxsize", "100".to_owned()),
            ("audit-log-path", format!("{AUDIT_FOLDER}/audit.log")),
            ("audit-policy-file", AUDIT_POLICY_FILE.to_owned()),
        ]);
    }
    if let Some(gates) = feature_gates(&settings.feature_gates) {
        defaults.push(("feature-gates", gates));
    }
    let extra: &[Argument] = &api.extra_arguments;
    arguments(defaults, extra)
}

/// Those that no spec has a say in, but for `extraArgs`.
fn flags_of_every_cluster() -> Vec<(&'static str, String)> {
    let pki = |file: &str| format!("/etc/kubernetes/pki/{file}");
    let text = str::to_owned;
    vec![
        ("admission-control-config-file", text(ADMISSION_FILE)),
        ("advertise-address", text("$(HOST_IP)")),
        ("allow-privileged", text("true")),
        ("authentication-config", text(AUTHENTICATION_FILE)),
        ("authorization-mode", text("Node,RBAC")),
        ("client-ca-file", text(AUTHORITY)),
        ("enable-bootstrap-token-auth", text("true")),
        ("encryption-provider-config", text(ENCRYPTION_FILE)),
        ("etcd-cafile", pki("etcd/ca.crt")),
        ("etcd-certfile", pki("apiserver-etcd-client.crt")),
        ("etcd-keyfile", pki("apiserver-etcd-client.key")),
        ("kubelet-certificate-authority", text(AUTHORITY)),
        ("kubelet-client-certificate", pki("apiserver-kubelet-client.crt")),
        ("kubelet-client-key", pki("apiserver-kubelet-client.key")),
        (
            "kubelet-preferred-address-types",
            text("InternalIP,ExternalIP,Hostname"),
        ),
        ("profiling", text("false")),
        ("proxy-client-cert-file", pki("front-proxy-client.crt")),
        ("proxy-client-key-file", pki("front-proxy-client.key")),
        ("requestheader-allowed-names", text("front-proxy-client")),
        ("requestheader-client-ca-file", pki("front-proxy-ca.crt")),
        ("requestheader-extra-headers-prefix", text("X-Remote-Extra-")),
        ("requestheader-group-headers", text("X-Remote-Group")),
        ("requestheader-username-headers", text("X-Remote-User")),
        ("secure-port", text("6443")),
        ("service-account-extend-token-expiration", text("false")),
        ("service-account-key-file", pki("sa.pub")),
        ("service-account-signing-key-file", pki("sa.key")),
        ("tls-cert-file", pki("apiserver.crt")),
        ("tls-cipher-suites", CIPHER_SUITES.join(",")),
        ("tls-min-version", text("VersionTLS12")),
        ("tls-private-key-file", pki("apiserver.key")),
    ]
}

fn admission_plugins(settings: &ApiServerSettings) -> String {
    let own = ADMISSION_PLUGINS.iter().copied();
    let users = settings.admission_plugins.iter().map(String::as_str);
    let users = users.filter(|plugin| !ADMISSION_PLUGINS.contains(plugin));
    own.chain(users).collect::<Vec<_>>().join(",")
}

fn issuer_of_accounts(control_plane: &ControlPlaneSettings) -> String {
    format!("https://kubernetes.default.svc.{}", control_plane.dns_domain)
}
