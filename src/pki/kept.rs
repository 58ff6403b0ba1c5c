//! A cluster's authorities and its other long-lived keys in the state store: of service accounts, and of Secrets in etcd.
//!
//! Each is one object, `<cluster>/pki/<name>`: JSON with certificate and key together, so that no two creators can mix
//! theirs, and half of one is recognised as damaged instead of being taken for an authority without a key. With
//! encryption, the object is an age file around the same JSON.
//!
//! Nothing is ever overwritten.

mod keys;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::values::{ClusterName, Secret};
use keelson_provider_api::{Precondition, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::authority::Authority;
use super::error::PkiError;
use super::facts::Terms;
use super::opened::Opened;
use super::seal::{Object, Seal};
use super::table::AuthorityName;

/// A cluster must not begin with an authority that ends before anyone gets used to it.
const BROUGHT_LEAST: SignedDuration = SignedDuration::from_hours(30 * 24);

pub use keys::{ENCRYPTION, JOINING, LOGIN, SERVICE_ACCOUNT};

/// The paths of all that a cluster may keep here.
pub fn kept_paths(cluster: &ClusterName) -> Vec<String> {
    let names = AuthorityName::ALL.iter().map(ToString::to_string);
    let all = names.chain([SERVICE_ACCOUNT, ENCRYPTION, LOGIN, JOINING].map(str::to_owned));
    all.map(|name| object_path(cluster, &name)).collect()
}

/// Where in the state store what is called `name` is kept.
pub fn object_path(cluster: &ClusterName, name: &str) -> String {
    format!("{cluster}/pki/{name}")
}

/// A cluster's part of the state store that holds its keys.
#[derive(Clone, Copy)]
pub struct ClusterPki<'a> {
    store: &'a dyn Store,
    cluster: &'a ClusterName,
    seal: &'a Seal,
    opened: Option<(&'a Arc<Seal>, &'a Opened)>,
}

/// What an object holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept<'a> {
    /// The object's own name, so that a copy in another's place is noticed.
    name: String,
    /// PEM: an authority's certificate, and those above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    /// PEM; none for an authority whose key its owner keeps.
    key: Option<Cow<'a, str>>,
}

/// The same after reading.
struct Understood {
    certificate: Option<String>,
    key: Option<Secret<String>>,
}

impl<'a> ClusterPki<'a> {
    /// The keys of `cluster` in `store`, encrypted and opened as `seal` says.
    pub fn new(store: &'a dyn Store, cluster: &'a ClusterName, seal: &'a Seal) -> Self {
        Self {
            store,
            cluster,
            seal,
            opened: None,
        }
    }

    /// The same; what is in `opened` is not opened again.
    pub fn remembering(
        store: &'a dyn Store,
        cluster: &'a ClusterName,
        seal: &'a Arc<Seal>,
        opened: &'a Opened,
    ) -> Self {
        Self {
            opened: Some((seal, opened)),
            ..Self::new(store, cluster, seal)
        }
    }

    /// The authority, if there is one yet.
    ///
    /// # Errors
    /// When the store cannot be read, when the object cannot be opened, and when it is damaged; it is left as it is
    /// then.
    pub async fn authority(&self, name: AuthorityName) -> Result<Option<Authority>, PkiError> {
        let label = name.to_string();
        let path = self.path(&label);
        let location = self.store.location();
        let object = Object {
            path: &path,
            location: &location,
        };
        let Some(kept) = self.read(&label).await? else {
            return Ok(None);
        };
        let Some(certificate) = &kept.certificate else {
            return Err(object.damaged("it has no certificate"));
        };
        let authority = Authority::load(name, certificate, kept.key.as_ref())
            .map_err(|problem| object.damaged(problem.to_string()))?;
        // Those that keelson made sign themselves, and only their keys are kept.
        let own = authority.certificate();
        if authority.key().is_some() && !own.is_signed_by(own) {
            return Err(object.damaged("its certificate does not carry its own signature"));
        }
        Ok(Some(authority))
    }

    /// The authority; when there is none yet, a new one, made by `terms`. Of several that are made at the same time,
    /// all creators get the one that was written first.
    ///
    /// # Errors
    /// As [`authority`](Self::authority), and when it cannot be made or written.
    pub async fn establish(
        &self,
        name: AuthorityName,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Authority, PkiError> {
        if let Some(authority) = self.authority(name).await? {
            return Ok(authority);
        }
        let made = Authority::create(name, terms, now)?;
        if self.keep(&made).await? {
            return Ok(made);
        }
        let first = self.authority(name).await?;
        first.ok_or_else(|| self.vanished(&name.to_string()))
    }

    /// Takes an authority that its owner brought, and keeps its certificate, but not its key, so that another one is
    /// noticed later.
    ///
    /// # Errors
    /// [`PkiError::OtherAuthority`] when the cluster has another one already; [`PkiError::Ends`] when it is the
    /// first, and ends within 30 days; and as [`establish`](Self::establish).
    pub async fn adopt(&self, brought: Authority, now: Timestamp) -> Result<Authority, PkiError> {
        let name = brought.name();
        if self.authority(name).await?.is_none() {
            let (_, end) = brought.validity();
            if end.duration_since(now) < BROUGHT_LEAST {
                return Err(PkiError::Ends { authority: name, end });
            }
            if self.keep(&brought.clone().without_key()).await? {
                return Ok(brought);
            }
        }
        let kept = self.authority(name).await?;
        let kept = kept.ok_or_else(|| self.vanished(&name.to_string()))?;
        Self::check_brought(&kept, &brought)?;
        Ok(brought)
    }

    /// Makes sure that the authority that its owner brought is the one that is kept.
    ///
    /// # Errors
    /// [`PkiError::OtherAuthority`] when it is not.
    pub fn check_brought(kept: &Authority, brought: &Authority) -> Result<(), PkiError> {
        if kept.fingerprint() == brought.fingerprint() {
            return Ok(());
        }
        Err(PkiError::OtherAuthority {
            authority: kept.name(),
            kept: kept.fingerprint().to_string(),
            given: brought.fingerprint().to_string(),
        })
    }

    /// Makes sure that nothing is kept encrypted where the spec asks for no encryption. Nothing is opened.
    ///
    /// # Errors
    /// [`PkiError::StaysEncrypted`] when something is, and when the store cannot be read.
    pub async fn check_unencrypted(&self) -> Result<(), PkiError> {
        if self.seal.is_encrypting() {
            return Ok(());
        }
        for path in kept_paths(self.cluster) {
            let kept = self.store.read(&path).await?;
            if kept.is_some_and(|kept| Seal::has_closed(&kept.content)) {
                let location = self.store.location();
                return Err(PkiError::StaysEncrypted { path, location });
            }
        }
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        object_path(self.cluster, name)
    }

    async fn read(&self, name: &str) -> Result<Option<Understood>, PkiError> {
        let path = self.path(name);
        let location = self.store.location();
        let object = Object {
            path: &path,
            location: &location,
        };
        let Some(read) = self.store.read(&path).await? else {
            return Ok(None);
        };
        let opened = match self.opened {
            Some((seal, opened)) => opened.open(seal, &read, object).await?,
            None => self.seal.open(&read.content, object)?,
        };
        let content = Secret::new(read.content);
        let opened = match opened {
            Some(opened) => opened,
            None if self.seal.is_encrypting() => {
                // A damaged object is not called unencrypted.
                understand(name, content.expose(), object)?;
                return Err(PkiError::NotEncrypted { path, location });
            }
            None => content,
        };
        understand(name, opened.expose(), object).map(Some)
    }

    async fn keep(&self, authority: &Authority) -> Result<bool, PkiError> {
        let name = authority.name().to_string();
        self.create(&name, Some(authority.chain_pem()), authority.key_pem())
            .await
    }

    /// Writes an object, unless there is one: tells whether it did.
    async fn create(
        &self,
        name: &str,
        certificate: Option<String>,
        key: Option<&Secret<String>>,
    ) -> Result<bool, PkiError> {
        let kept = Kept {
            name: name.to_owned(),
            certificate,
            key: key.map(|key| Cow::Borrowed(key.expose().as_str())),
        };
        let content = serde_json::to_vec_pretty(&kept).map_err(|problem| PkiError::Encrypt {
            problem: problem.to_string(),
        })?;
        let closed = self.seal.close(Secret::new(content).expose())?;
        let path = self.path(name);
        match self.store.write(&path, &closed, Precondition::Absent).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Someone wrote an object first and then took it away.
    fn vanished(&self, name: &str) -> PkiError {
        PkiError::Store(StoreError::Conflict {
            path: self.path(name),
            location: self.store.location(),
        })
    }
}

/// Reads what an opened object holds.
fn understand(name: &str, content: &[u8], object: Object<'_>) -> Result<Understood, PkiError> {
    let kept: Kept<'_> =
        serde_json::from_slice(content).map_err(|problem| object.damaged(problem.to_string()))?;
    if kept.name != name {
        return Err(object.damaged("it is another object"));
    }
    Ok(Understood {
        certificate: kept.certificate,
        key: kept.key.map(|key| Secret::new(key.into_owned())),
    })
}
