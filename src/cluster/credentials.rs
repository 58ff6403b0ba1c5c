//! In whose name keelson speaks to an API server.

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{ClusterIdentity, ProviderError};

/// In whose name keelson speaks to an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As one of keelson's administrators, whose rights are a binding's.
    Administrator,
    /// As one who may do everything before and without any binding: while the administrators' binding is not there.
    Founder,
}

/// A client certificate that was issued just now.
#[derive(Debug, Clone)]
pub struct ApiCredentials {
    /// The certificates of those who vouch for API servers, PEM.
    pub authority_pem: String,
    /// The certificate, and those of authorities between it and the topmost one, PEM.
    pub certificate_pem: String,
    /// Its private key, PEM.
    pub key_pem: Secret<String>,
    /// Until when it is valid.
    pub not_after: Timestamp,
}

/// Issues short-lived client certificates, in memory.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// A certificate for `standing`.
    ///
    /// # Errors
    /// When the cluster's authority is not there, cannot be opened, or cannot issue.
    async fn issue(
        &self,
        cluster: &ClusterIdentity,
        standing: Standing,
    ) -> Result<ApiCredentials, ProviderError>;
}
