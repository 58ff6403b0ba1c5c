//! The cluster's certificate authorities and long-lived keys: those that keelson made and keeps in the state store, and
//! those that the user brought.
//!
//! Each is made once in a cluster's life, and its digest goes into the cluster's record before anything is made with it. From
//! then on the state store has to have it: a member of etcd that was given another authority's certificate would be cut off
//! from the rest. What is missing or another one is damage, which is reported, and never mended by making a new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_provider_api::values::{BootstrapToken, ClusterName, Digest, Secret};
use keelson_provider_api::{Clock, Store, StoreError};
use tokio::sync::Mutex;

use super::identity;
use crate::pki::{
    Authority, AuthorityName, ClusterPki, ENCRYPTION, JOINING, LOGIN, LoginKey, Opened, PkiError,
    SERVICE_ACCOUNT, Seal, ServiceAccountKey, Terms, object_path,
};

/// Why something that is kept is damage.
const OTHER_THAN_BEGUN_WITH: &str = "it is another one than the cluster began with";

/// The authorities of one cluster.
#[derive(Clone)]
pub struct Authorities {
    store: Arc<dyn Store>,
    cluster: ClusterName,
    seal: Arc<Seal>,
    opened: Arc<Opened>,
    clock: Arc<dyn Clock>,
    terms: Terms,
    brought: BTreeMap<AuthorityName, Authority>,
    /// What the cluster's record is known to hold: it only grows.
    recorded: Arc<Mutex<BTreeMap<String, Digest>>>,
}

impl Authorities {
    /// The authorities of `cluster` in `store`, encrypted and opened as `seal` says. Those that are missing are made
    /// by `terms` when they are first needed; `brought` ones come from the user. `clock` is that of the world.
    pub fn new(
        store: Arc<dyn Store>,
        cluster: ClusterName,
        seal: Seal,
        clock: Arc<dyn Clock>,
        terms: Terms,
        brought: Vec<Authority>,
    ) -> Self {
        let brought = brought.into_iter().map(|authority| (authority.name(), authority));
        Self {
            store,
            cluster,
            seal: Arc::new(seal),
            opened: Arc::default(),
            clock,
            terms,
            brought: brought.collect(),
            recorded: Arc::default(),
        }
    }

    /// How what is kept for the cluster is encrypted and opened.
    pub fn seal(&self) -> Arc<Seal> {
        self.seal.clone()
    }

    /// The authority, made or adopted when the cluster has none yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read, opened, made or kept, or is not the one that the cluster began with.
    pub async fn establish(&self, name: AuthorityName) -> Result<Authority, PkiError> {
        self.find(name).await?;
        let now = self.clock.now();
        let authority = match self.brought.get(&name) {
            Some(brought) => self.pki().adopt(brought.clone(), now).await?,
            None => self.pki().establish(name, self.terms, now).await?,
        };
        self.record(&name.to_string(), authority.fingerprint()).await?;
        Ok(authority)
    }

    /// The authority, if the cluster has one yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read or opened, or is not the one that the cluster began with.
    pub async fn find(&self, name: AuthorityName) -> Result<Option<Authority>, PkiError> {
        let pki = self.pki();
        let finding = || pki.authority(name);
        self.vouch(&name.to_string(), finding, Authority::fingerprint)
            .await
    }

    /// The authority that the user brought, if one was.
    pub fn brought(&self, name: AuthorityName) -> Option<&Authority> {
        self.brought.get(&name)
    }

    /// The authority with its key, where keelson or the user has that, if the cluster has one yet. Nothing is made.
    ///
    /// # Errors
    /// As [`find`](Self::find), and when it is another one than the user brought.
    pub async fn existing(&self, name: AuthorityName) -> Result<Option<Authority>, PkiError> {
        let kept = self.find(name).await?;
        match (kept, self.brought.get(&name)) {
            (Some(kept), Some(brought)) => {
                ClusterPki::check_brought(&kept, brought).map(|()| Some(brought.clone()))
            }
            (kept, _) => Ok(kept),
        }
    }

    /// The key that tokens of service accounts are signed with, made when the cluster has none yet.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn service_account_key(&self) -> Result<ServiceAccountKey, PkiError> {
        self.existing_service_account_key().await?;
        let algorithm = self.terms.algorithm;
        let key = self.pki().establish_service_account_key(algorithm).await?;
        self.record(SERVICE_ACCOUNT, digest_of_account_key(&key)).await?;
        Ok(key)
    }

    /// The key of service accounts, if the cluster has one yet.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn existing_service_account_key(&self) -> Result<Option<ServiceAccountKey>, PkiError> {
        let pki = self.pki();
        self.vouch(
            SERVICE_ACCOUNT,
            || pki.service_account_key(),
            digest_of_account_key,
        )
        .await
    }

    /// The key that Secrets are encrypted with in etcd, made when the cluster has none yet.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn encryption_key(&self) -> Result<Secret<String>, PkiError> {
        self.existing_encryption_key().await?;
        let key = self.pki().establish_encryption_key().await?;
        self.record(ENCRYPTION, digest_of_random_key(&key)).await?;
        Ok(key)
    }

    /// The key that Secrets are encrypted with in etcd, if the cluster has one yet.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn existing_encryption_key(&self) -> Result<Option<Secret<String>>, PkiError> {
        let pki = self.pki();
        self.vouch(ENCRYPTION, || pki.encryption_key(), digest_of_random_key)
            .await
    }

    /// The key that keelson logs in with on machines that it makes, made when the cluster has none yet.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn login_key(&self) -> Result<LoginKey, PkiError> {
        self.existing_login_key().await?;
        let key = self.pki().establish_login_key().await?;
        self.record(LOGIN, digest_of_login_key(&key)).await?;
        Ok(key)
    }

    /// The same, if the cluster has one yet.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn existing_login_key(&self) -> Result<Option<LoginKey>, PkiError> {
        let pki = self.pki();
        self.vouch(LOGIN, || pki.login_key(), digest_of_login_key).await
    }

    /// The token that machines of groups join with, made when the cluster has none yet. It is good for as long as the cluster
    /// lives: they join with nobody at the keyboard.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn joining_token(&self) -> Result<BootstrapToken, PkiError> {
        self.existing_joining_token().await?;
        let token = self.pki().establish_joining_token().await?;
        self.record(JOINING, digest_of_token(&token)).await?;
        Ok(token)
    }

    /// The same, if the cluster has one yet.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn existing_joining_token(&self) -> Result<Option<BootstrapToken>, PkiError> {
        let pki = self.pki();
        self.vouch(JOINING, || pki.joining_token(), digest_of_token).await
    }

    /// The digests of the cluster's authorities and keys, by their names: those of etcd alone, or of Kubernetes as well. Those that
    /// it has not got yet are made.
    ///
    /// # Errors
    /// As [`establish`](Self::establish).
    pub async fn digests(&self, of_etcd_alone: bool) -> Result<BTreeMap<String, Digest>, PkiError> {
        let names: &[AuthorityName] = if of_etcd_alone {
            &[AuthorityName::Etcd]
        } else {
            &AuthorityName::ALL
        };
        for name in names {
            self.establish(*name).await?;
        }
        if !of_etcd_alone {
            self.service_account_key().await?;
            self.encryption_key().await?;
        }
        Ok(self.recorded.lock().await.clone())
    }

    /// Makes sure that the state store still has everything that the cluster began with, and that the spec still names what of
    /// it the user brought; of a cluster that has nothing yet, that what it is to keep can be opened again.
    ///
    /// # Errors
    /// As [`find`](Self::find), for the first that is not as it should be.
    pub async fn check(&self) -> Result<(), PkiError> {
        let record = identity::read(self.store.as_ref(), &self.cluster).await?;
        let keys = record.map(|record| record.keys).unwrap_or_default();
        if keys.is_empty() {
            self.seal.check_opens()?;
        }
        self.pki().check_unencrypted().await?;
        for name in AuthorityName::ALL {
            if keys.contains_key(&name.to_string()) {
                self.check_named(name).await?;
            }
        }
        if keys.contains_key(SERVICE_ACCOUNT) {
            self.existing_service_account_key().await?;
        }
        if keys.contains_key(ENCRYPTION) {
            self.existing_encryption_key().await?;
        }
        if keys.contains_key(LOGIN) {
            self.existing_login_key().await?;
        }
        if keys.contains_key(JOINING) {
            self.existing_joining_token().await?;
        }
        Ok(())
    }

    /// An authority that was brought stays the cluster's, whatever the spec says later.
    async fn check_named(&self, name: AuthorityName) -> Result<(), PkiError> {
        match self.existing(name).await? {
            Some(kept) if kept.key_pem().is_none() && !self.brought.contains_key(&name) => {
                Err(PkiError::NotNamed {
                    authority: name,
                    kept: kept.fingerprint().to_string(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The clock that certificates run on.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// What is found, if the cluster's record does not know of another one.
    async fn vouch<T, F>(
        &self,
        name: &str,
        finding: impl Fn() -> F + Send,
        digest: impl Fn(&T) -> Digest + Send,
    ) -> Result<Option<T>, PkiError>
    where
        T: Send,
        F: Future<Output = Result<Option<T>, PkiError>> + Send,
    {
        let found = finding().await?;
        let known = self.recorded.lock().await.get(name).copied();
        if known.is_some() && known == found.as_ref().map(&digest) {
            return Ok(found);
        }
        // The record first, and then what it tells of: what others make meanwhile is kept before it is recorded.
        let recorded = self.recorded_anew(name).await?;
        let found = finding().await?;
        let problem = match (recorded, found.as_ref().map(&digest)) {
            (None, _) => return Ok(found),
            (Some(recorded), Some(digest)) if recorded == digest => return Ok(found),
            (Some(_), Some(_)) => OTHER_THAN_BEGUN_WITH,
            (Some(_), None) => "it is missing, and what was made with it is on the cluster's machines",
        };
        Err(self.damaged(name, problem))
    }

    /// What the cluster's record says of `name` now.
    async fn recorded_anew(&self, name: &str) -> Result<Option<Digest>, PkiError> {
        let mut recorded = self.recorded.lock().await;
        let record = identity::read(self.store.as_ref(), &self.cluster).await?;
        *recorded = record.map(|record| record.keys).unwrap_or_default();
        Ok(recorded.get(name).copied())
    }

    fn damaged(&self, name: &str, problem: &str) -> PkiError {
        PkiError::Store(StoreError::Damaged {
            path: object_path(&self.cluster, name),
            location: self.store.location(),
            problem: problem.to_owned(),
        })
    }

    /// Writes into the cluster's record that this is what it has.
    async fn record(&self, name: &str, digest: Digest) -> Result<(), PkiError> {
        let mut recorded = self.recorded.lock().await;
        if recorded.get(name) == Some(&digest) {
            return Ok(());
        }
        identity::amend(self.store.as_ref(), &self.cluster, |record| {
            record.keys.entry(name.to_owned()).or_insert(digest);
        })
        .await?;
        let record = identity::read(self.store.as_ref(), &self.cluster).await?;
        *recorded = record.map(|record| record.keys).unwrap_or_default();
        if recorded.get(name) == Some(&digest) {
            return Ok(());
        }
        Err(self.damaged(name, OTHER_THAN_BEGUN_WITH))
    }

    fn pki(&self) -> ClusterPki<'_> {
        ClusterPki::remembering(self.store.as_ref(), &self.cluster, &self.seal, &self.opened)
    }
}

fn digest_of_account_key(key: &ServiceAccountKey) -> Digest {
    Digest::of_bytes(key.public_pem().as_bytes())
}

fn digest_of_login_key(key: &LoginKey) -> Digest {
    Digest::of_bytes(key.authorized_key().as_bytes())
}

/// A digest of all of it could be turned back: 16 characters out of 36 are 82 bits, which nobody guesses, yet no digest of them needs
/// to lie about. The id tells one token from another.
fn digest_of_token(token: &BootstrapToken) -> Digest {
    Digest::of_bytes(token.id().as_bytes())
}

/// Nothing of such a key is public; out of 256 random bits a digest gives nothing away.
fn digest_of_random_key(key: &Secret<String>) -> Digest {
    Digest::of_bytes(key.expose().as_bytes())
}
