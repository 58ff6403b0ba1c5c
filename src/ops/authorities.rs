//! The cluster's certificate authorities: those that keelson made and keeps in the state store, and those that the
//! user brought.

use std::collections::BTreeMap;
use std::sync::Arc;

use keelson_provider_api::values::{ClusterName, Secret};
use keelson_provider_api::{Clock, Store};

use crate::pki::{Authority, AuthorityName, ClusterPki, Opened, PkiError, Seal, ServiceAccountKey, Terms};

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
        }
    }

    /// The authority, made or adopted when the cluster has none yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read, opened, made or kept.
    pub async fn establish(&self, name: AuthorityName) -> Result<Authority, PkiError> {
        let now = self.clock.now();
        match self.brought.get(&name) {
            Some(brought) => self.pki().adopt(brought.clone(), now).await,
            None => self.pki().establish(name, self.terms, now).await,
        }
    }

    /// The authority, if the cluster has one yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read or opened.
    pub async fn find(&self, name: AuthorityName) -> Result<Option<Authority>, PkiError> {
        self.pki().authority(name).await
    }

    /// The key that tokens of service accounts are signed with, made when the cluster has none yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read, opened, made or kept.
    pub async fn service_account_key(&self) -> Result<ServiceAccountKey, PkiError> {
        self.pki()
            .establish_service_account_key(self.terms.algorithm)
            .await
    }

    /// The key that Secrets are encrypted with in etcd, made when the cluster has none yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read, opened, made or kept.
    pub async fn encryption_key(&self) -> Result<Secret<String>, PkiError> {
        self.pki().establish_encryption_key().await
    }

    /// The authority with its key, where keelson or the user has that, if the cluster has one yet. Nothing is made.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read or opened, or is another one than the user brought.
    pub async fn existing(&self, name: AuthorityName) -> Result<Option<Authority>, PkiError> {
        match self.find(name).await? {
            None => Ok(None),
            Some(_) => self.establish(name).await.map(Some),
        }
    }

    /// The key of service accounts, if the cluster has one yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read or opened.
    pub async fn existing_service_account_key(&self) -> Result<Option<ServiceAccountKey>, PkiError> {
        self.pki().service_account_key().await
    }

    /// The key that Secrets are encrypted with in etcd, if the cluster has one yet.
    ///
    /// # Errors
    /// [`PkiError`], when it cannot be read or opened.
    pub async fn existing_encryption_key(&self) -> Result<Option<Secret<String>>, PkiError> {
        self.pki().encryption_key().await
    }

    /// The clock that certificates run on.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    fn pki(&self) -> ClusterPki<'_> {
        ClusterPki::remembering(self.store.as_ref(), &self.cluster, &self.seal, &self.opened)
    }
}
