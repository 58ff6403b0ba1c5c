//! Keys without a certificate: of service accounts, of Secrets in etcd, of logins, of machines that join by themselves.

use keelson_provider_api::values::{BootstrapToken, KeyAlgorithm, Secret};

use super::ClusterPki;
use crate::pki::error::PkiError;
use crate::pki::keys::{self, ServiceAccountKey};
use crate::pki::login_key::LoginKey;
use crate::pki::seal::Object;

/// The name under which the key of service accounts is kept.
pub const SERVICE_ACCOUNT: &str = "service-account";
/// The name under which the key of Secrets in etcd is kept.
pub const ENCRYPTION: &str = "encryption";
/// The name under which the key of logins is kept.
pub const LOGIN: &str = "login";
/// The name under which the token is kept that machines of groups join with.
pub const JOINING: &str = "joining";

impl ClusterPki<'_> {
    /// The key of service accounts, if there is one yet.
    ///
    /// # Errors
    /// As [`authority`](Self::authority).
    pub async fn service_account_key(&self) -> Result<Option<ServiceAccountKey>, PkiError> {
        self.key(SERVICE_ACCOUNT, |pem| told(ServiceAccountKey::from_pem(&pem)))
            .await
    }

    /// The key of service accounts; when there is none yet, a new one. Of several that are made at the same time, all
    /// creators get the one that was written first.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn establish_service_account_key(
        &self,
        algorithm: KeyAlgorithm,
    ) -> Result<ServiceAccountKey, PkiError> {
        if let Some(key) = self.service_account_key().await? {
            return Ok(key);
        }
        let made = ServiceAccountKey::create(algorithm)?;
        self.create_key(SERVICE_ACCOUNT, made.private_pem()).await?;
        let first = self.service_account_key().await?;
        first.ok_or_else(|| self.vanished(SERVICE_ACCOUNT))
    }

    /// The key that Secrets are encrypted with in etcd: 32 bytes in base64, as the API server takes it. When there is none
    /// yet, a new one; of several that are made at the same time, all creators get the one that was written first.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn establish_encryption_key(&self) -> Result<Secret<String>, PkiError> {
        if let Some(key) = self.encryption_key().await? {
            return Ok(key);
        }
        let made = keys::random_key("Secrets in etcd")?;
        self.create_key(ENCRYPTION, &made).await?;
        let first = self.encryption_key().await?;
        first.ok_or_else(|| self.vanished(ENCRYPTION))
    }

    /// The key that Secrets are encrypted with in etcd, if there is one yet.
    ///
    /// # Errors
    /// As [`authority`](Self::authority).
    pub async fn encryption_key(&self) -> Result<Option<Secret<String>>, PkiError> {
        self.key(ENCRYPTION, |key| {
            let is_one = keys::is_random_key(&key);
            let not_one = || "its key is not 32 bytes in base64".to_owned();
            is_one.then_some(key).ok_or_else(not_one)
        })
        .await
    }

    /// The key that keelson logs in with on machines that it makes, if there is one yet.
    ///
    /// # Errors
    /// As [`authority`](Self::authority).
    pub async fn login_key(&self) -> Result<Option<LoginKey>, PkiError> {
        self.key(LOGIN, |pem| told(LoginKey::from_pem(&pem))).await
    }

    /// The same; when there is none yet, a new one. Of several that are made at the same time, all creators get the one that
    /// was written first.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn establish_login_key(&self) -> Result<LoginKey, PkiError> {
        if let Some(key) = self.login_key().await? {
            return Ok(key);
        }
        let made = LoginKey::create()?;
        self.create_key(LOGIN, made.private_pem()).await?;
        let first = self.login_key().await?;
        first.ok_or_else(|| self.vanished(LOGIN))
    }

    /// The token that machines of groups join with, if there is one yet.
    ///
    /// # Errors
    /// As [`authority`](Self::authority).
    pub async fn joining_token(&self) -> Result<Option<BootstrapToken>, PkiError> {
        let not_one = || "it is no bootstrap token".to_owned();
        self.key(JOINING, |text| BootstrapToken::parse(&text).ok_or_else(not_one))
            .await
    }

    /// The same; when there is none yet, a new one. Of several that are made at the same time, all creators get the one that
    /// was written first.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn establish_joining_token(&self) -> Result<BootstrapToken, PkiError> {
        if let Some(token) = self.joining_token().await? {
            return Ok(token);
        }
        let made = keys::random_token()?;
        self.create_key(JOINING, made.text()).await?;
        let first = self.joining_token().await?;
        first.ok_or_else(|| self.vanished(JOINING))
    }

    /// The key that is kept under `name`, as `read` understands it.
    async fn key<T>(
        &self,
        name: &str,
        read: impl FnOnce(Secret<String>) -> Result<T, String>,
    ) -> Result<Option<T>, PkiError> {
        let path = self.path(name);
        let location = self.store.location();
        let object = Object {
            path: &path,
            location: &location,
        };
        let Some(kept) = self.read(name).await? else {
            return Ok(None);
        };
        let key = kept.key.ok_or_else(|| object.damaged("it has no key"))?;
        read(key).map(Some).map_err(|problem| object.damaged(problem))
    }

    /// Keeps `key` under `name`, unless somebody has kept one there.
    async fn create_key(&self, name: &str, key: &Secret<String>) -> Result<(), PkiError> {
        self.create(name, None, Some(key)).await.map(drop)
    }
}

fn told<T>(read: Result<T, PkiError>) -> Result<T, String> {
    read.map_err(|problem| problem.to_string())
}
