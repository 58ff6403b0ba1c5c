//! Credentials for `kubectl`.

mod merge;

pub use merge::{NotAKubeconfig, merge_kubeconfig};

use jiff::Timestamp;
use keelson_provider_api::values::{InvalidText, Secret, Span, clip};
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::json;

use super::authorities::Authorities;
use super::client_terms;
use super::endpoint::endpoint;
use super::error::OperationError;
use super::session::Session;
use crate::execute::observe::observe;
use crate::model::{Blueprint, Endpoint};
use crate::pki::{self, ADMINISTRATORS_GROUP, AuthorityName, BREAK_GLASS_GROUP, Requirement, Terms, issue};

/// What the names of Kubernetes' own users and groups begin with
/// (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>).
const KUBERNETES_OWN: &str = "system:";

/// Someone who asks for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeconfigRequest {
    user: String,
    groups: Vec<String>,
    validity: Span,
}

impl KubeconfigRequest {
    /// As long as credentials may be valid: as long as the certificates of machines. Kubernetes cannot take one back.
    pub const VALIDITY_LIMIT: Span = client_terms::VALIDITY_LIMIT;

    /// Credentials of `user` in `groups`, valid for `validity` from now on. What groups may do is their bindings'.
    ///
    /// # Errors
    /// When a certificate cannot bear a name or the name is one of Kubernetes' own, or `validity` is shorter than ten minutes or longer than
    /// [`VALIDITY_LIMIT`](Self::VALIDITY_LIMIT).
    pub fn new(user: &str, groups: &[String], validity: Span) -> Result<Self, InvalidText> {
        for name in std::iter::once(user).chain(groups.iter().map(String::as_str)) {
            client_terms::check_name(name, "no name of a user or group")?;
            if name.starts_with(KUBERNETES_OWN) {
                return Err(InvalidText::new(format!(
                    "`{}` is no name for people and their groups: those with `{KUBERNETES_OWN}` are Kubernetes' own, and \
                     nobody can take back what they may",
                    clip(name)
                )));
            }
        }
        client_terms::check_validity(validity, "credentials are")?;
        Ok(Self {
            user: user.to_owned(),
            groups: groups.to_vec(),
            validity,
        })
    }

    /// Credentials of the cluster's administrator: in a group of keelson's own, for a working day.
    pub fn administrator() -> Self {
        Self {
            user: "admin".to_owned(),
            groups: vec![ADMINISTRATORS_GROUP.to_owned()],
            validity: Terms::ADMINISTRATOR.validity,
        }
    }

    /// The same for `validity`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn lasting(self, validity: Span) -> Result<Self, InvalidText> {
        Self::new(&self.user, &self.groups, validity)
    }

    /// Credentials for repairs when bindings are broken: everything is allowed, for an hour.
    pub fn break_glass() -> Self {
        Self {
            user: "break-glass".to_owned(),
            groups: vec![BREAK_GLASS_GROUP.to_owned()],
            validity: Terms::BREAK_GLASS.validity,
        }
    }
}

/// A kubeconfig, and what a user should know about it.
#[derive(Debug, Clone)]
pub struct Kubeconfig {
    /// The file's content, YAML.
    pub yaml: Secret<String>,
    /// Until when its credentials are valid; nothing where there are none.
    pub not_after: Option<Timestamp>,
    /// Why it will not work as it is, if it will not.
    pub caveat: Option<String>,
}

impl Session {
    /// Makes a kubeconfig for whom `request` names. Nothing is kept of it.
    ///
    /// A simulated cluster has no API server and no certificates: its kubeconfig has the right form and names the
    /// right endpoint, and says that nothing answers there.
    ///
    /// # Errors
    /// [`OperationError::NoCluster`] when the cluster has not been applied, [`OperationError::NoEndpoint`] when its API
    /// has no address yet, [`OperationError::NoKubernetes`] for a cluster of etcd alone,
    /// [`OperationError::NoAuthority`] before the first machine, and [`OperationError::Pki`], also when the authority's
    /// key is not keelson's.
    pub async fn kubeconfig(&self, request: &KubeconfigRequest) -> Result<Kubeconfig, OperationError> {
        let name = self.spec().name();
        self.existing_identity().await?;
        if self.spec().is_etcd_alone() {
            return Err(OperationError::NoKubernetes(name.clone()));
        }
        match &self.parts.authorities {
            Some(authorities) => self.issued(authorities, request).await,
            None => self.imagined(request).await,
        }
    }

    async fn server(&self) -> Result<String, OperationError> {
        // Only a load balancer's address has to be looked up.
        let key = match Blueprint::of(self.spec()).endpoint() {
            Endpoint::Fixed { .. } => None,
            Endpoint::LoadBalancer { key, .. } => Some(key),
        };
        let kinds: Vec<Kind> = key.iter().map(ResourceKey::kind).collect();
        let look = async {
            let identity = self.existing_identity().await?;
            Ok(observe(self.providers(), self.clock(), &identity, &kinds, &key).await)
        };
        let observation = self.drive(look).await?;
        let endpoint = endpoint(self.spec(), &observation)
            .ok_or_else(|| OperationError::NoEndpoint(self.spec().name().clone()))?;
        Ok(format!("https://{endpoint}"))
    }

    async fn issued(
        &self,
        authorities: &Authorities,
        request: &KubeconfigRequest,
    ) -> Result<Kubeconfig, OperationError> {
        let signer = AuthorityName::Kubernetes;
        let authority = authorities.existing(signer).await?;
        let authority = authority.ok_or(OperationError::NoAuthority { authority: signer })?;
        let terms = Terms {
            validity: request.validity,
            ..Terms::ADMINISTRATOR
        };
        let groups: Vec<&str> = request.groups.iter().map(String::as_str).collect();
        let wanted = Requirement::user(&request.user, &groups, terms);
        let issued = issue(&wanted, &authority, authorities.clock().now())?;
        let yaml = pki::Kubeconfig {
            cluster: self.spec().name().as_str(),
            server: &self.server().await?,
            authority: &authority,
            user: &request.user,
            credentials: &issued,
        }
        .to_yaml()?;
        Ok(Kubeconfig {
            yaml,
            not_after: Some(issued.not_after),
            caveat: None,
        })
    }

    async fn imagined(&self, request: &KubeconfigRequest) -> Result<Kubeconfig, OperationError> {
        let name = self.spec().name();
        let caveat = "this cluster is simulated: no API server answers at its endpoint";
        let user = &request.user;
        let context = format!("{user}@{name}");
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": name, "cluster": { "server": self.server().await? } }],
            "contexts": [{ "name": context, "context": { "cluster": name, "user": context } }],
            "current-context": context,
            "users": [{ "name": context, "user": {} }],
        });
        let yaml = serde_saphyr::to_string(&config).unwrap_or_else(|_| config.to_string());
        Ok(Kubeconfig {
            yaml: Secret::new(format!("# {caveat}\n{yaml}")),
            not_after: None,
            caveat: Some(caveat.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Span = Span::from_secs(24 * 60 * 60);

    #[test]
    fn names_and_times_that_no_certificate_can_have_are_refused() {
        let group = |text: &str| vec![text.to_owned()];
        assert!(KubeconfigRequest::new("ann", &group("developers"), DAY).is_ok());
        for (user, group, validity) in [
            ("", group("a"), DAY),
            ("a\nb", group("a"), DAY),
            ("ann", group(""), DAY),
            ("ann", group(&"a".repeat(65)), DAY),
            ("ann", group("a"), Span::from_secs(60)),
            ("ann", group("a"), Span::from_secs(366 * 24 * 60 * 60)),
        ] {
            assert!(
                KubeconfigRequest::new(user, &group, validity).is_err(),
                "{user:?} {group:?}"
            );
        }
    }
}
