//! In whose name operations speak to API servers: with certificates that are issued in memory and last for minutes.

use async_trait::async_trait;
use keelson_provider_api::values::{BootstrapToken, Span};
use keelson_provider_api::{ClusterIdentity, ErrorClass, ProviderError};

use super::authorities::Authorities;
use super::bundles::permanent;
use crate::cluster::{ApiCredentials, CredentialSource, JoiningTokens, Standing};
use crate::pki::{ADMINISTRATORS_GROUP, AuthorityName, BREAK_GLASS_GROUP, Requirement, Terms, issue};

/// The user that stands in audit logs.
const USER: &str = "keelson";

/// Long enough for a step, with its waiting; a longer run has another one issued.
const VALIDITY: Span = Span::from_secs(30 * 60);

/// Credentials from the cluster's own authority.
pub struct AuthorityCredentials {
    authorities: Authorities,
}

impl AuthorityCredentials {
    /// Credentials from the Kubernetes authority of `authorities`.
    pub fn new(authorities: Authorities) -> Self {
        Self { authorities }
    }
}

#[async_trait]
impl CredentialSource for AuthorityCredentials {
    async fn issue(
        &self,
        cluster: &ClusterIdentity,
        standing: Standing,
    ) -> Result<ApiCredentials, ProviderError> {
        let authority = self.authorities.find(AuthorityName::Kubernetes).await;
        let authority = authority.map_err(|error| permanent(&error))?.ok_or_else(|| {
            let message = format!("cluster {} has no Kubernetes authority yet", cluster.name);
            ProviderError::new(ErrorClass::Permanent, message)
        })?;
        let group = match standing {
            Standing::Administrator => ADMINISTRATORS_GROUP,
            Standing::Founder => BREAK_GLASS_GROUP,
        };
        let terms = Terms {
            validity: VALIDITY,
            ..Terms::ADMINISTRATOR
        };
        let requirement = Requirement::user(USER, &[group], terms);
        let now = self.authorities.clock().now();
        let issued = issue(&requirement, &authority, now).map_err(|error| permanent(&error))?;
        Ok(ApiCredentials {
            authority_pem: authority.trust_pem(),
            certificate_pem: issued.certificate_pem,
            key_pem: issued.key_pem,
            not_after: issued.not_after,
        })
    }
}

#[async_trait]
impl JoiningTokens for AuthorityCredentials {
    async fn token(&self) -> Result<BootstrapToken, ProviderError> {
        self.authorities
            .joining_token()
            .await
            .map_err(|error| permanent(&error))
    }

    async fn existing(&self) -> Result<Option<BootstrapToken>, ProviderError> {
        let token = self.authorities.existing_joining_token().await;
        token.map_err(|error| permanent(&error))
    }
}
