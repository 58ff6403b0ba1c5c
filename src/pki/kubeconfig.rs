//! kubeconfigs with credentials in them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keelson_provider_api::values::Secret;
use serde::Serialize;

use super::authority::Authority;
use super::error::PkiError;
use super::issue::IssuedCertificate;

/// What a kubeconfig is made from.
#[derive(Debug, Clone, Copy)]
pub struct Kubeconfig<'a> {
    /// The cluster's name.
    pub cluster: &'a str,
    /// The API server's URL, `https://HOST:PORT`.
    pub server: &'a str,
    /// Who vouches for the API server.
    pub authority: &'a Authority,
    /// The user: the common name of the credentials.
    pub user: &'a str,
    /// The user's certificate and key.
    pub credentials: &'a IssuedCertificate,
}

/// The file: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    api_version: &'a str,
    kind: &'a str,
    clusters: [Named<'a, ClusterEntry<'a>>; 1],
    contexts: [Named<'a, ContextEntry<'a>>; 1],
    #[serde(rename = "current-context")]
    current_context: &'a str,
    users: [Named<'a, UserEntry<'a>>; 1],
}

#[derive(Serialize)]
struct Named<'a, T> {
    name: &'a str,
    #[serde(flatten)]
    entry: T,
}

#[derive(Serialize)]
struct ClusterEntry<'a> {
    cluster: ClusterFields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ClusterFields<'a> {
    certificate_authority_data: String,
    server: &'a str,
}

#[derive(Serialize)]
struct ContextEntry<'a> {
    context: ContextFields<'a>,
}

#[derive(Serialize)]
struct ContextFields<'a> {
    cluster: &'a str,
    user: &'a str,
}

#[derive(Serialize)]
struct UserEntry<'a> {
    user: UserFields<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct UserFields<'a> {
    client_certificate_data: String,
    client_key_data: &'a str,
}

impl Kubeconfig<'_> {
    /// The context's name, `<user>@<cluster>`, as kubeadm names it.
    pub fn context(&self) -> String {
        format!("{}@{}", self.user, self.cluster)
    }

    /// The file, YAML.
    ///
    /// # Errors
    /// [`PkiError::Kubeconfig`] when a name has no YAML form.
    pub fn to_yaml(&self) -> Result<Secret<String>, PkiError> {
        let context = self.context();
        let key = Secret::new(BASE64_STANDARD.encode(self.credentials.key_pem.expose()));
        let file = File {
            api_version: "v1",
            kind: "Config",
            clusters: [Named {
                name: self.cluster,
                entry: ClusterEntry {
                    cluster: ClusterFields {
                        certificate_authority_data: BASE64_STANDARD.encode(self.authority.trust_pem()),
                        server: self.server,
                    },
                },
            }],
            contexts: [Named {
                name: &context,
                entry: ContextEntry {
                    // One file may hold users of that name of several clusters.
                    context: ContextFields {
                        cluster: self.cluster,
                        user: &context,
                    },
                },
            }],
            current_context: &context,
            users: [Named {
                name: &context,
                entry: UserEntry {
                    user: UserFields {
                        client_certificate_data: BASE64_STANDARD.encode(&self.credentials.certificate_pem),
                        client_key_data: key.expose(),
                    },
                },
            }],
        };
        // On one line each, where people's scripts look for keys and certificates.
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let yaml =
            serde_saphyr::to_string_with_options(&file, options).map_err(|problem| PkiError::Kubeconfig {
                user: self.user.to_owned(),
                problem: problem.to_string(),
            })?;
        Ok(Secret::new(yaml))
    }
}
