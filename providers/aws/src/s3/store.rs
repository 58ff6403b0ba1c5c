//! Small objects, with compare-and-swap.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Clock, Finding, Precondition, Store, StoreError, Versioned};

use super::client::{Clients, clients};
use super::failure::{Asked, Failure, tell};
use super::keys;
use super::requests::{Put, new_mark};
use super::settings::{S3Credentials, S3Settings, SettingsError, check};

/// State and backups in a bucket; the module says what the bucket's server has to keep.
///
/// An object's version is its `ETag`. Clones share their connections.
#[derive(Clone)]
pub struct S3Store {
    pub(super) shared: Arc<Shared>,
    /// Whether the bucket itself is looked after.
    looks_after_bucket: bool,
}

pub(super) struct Shared {
    pub(super) clients: Clients,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) bucket: String,
    /// Ends with a slash, unless it is empty.
    prefix: String,
    /// For people.
    server: String,
    region: String,
    credentials: S3Credentials,
}

impl S3Store {
    /// The objects below a prefix of a bucket. Nothing is asked yet.
    ///
    /// # Errors
    /// When a setting cannot be right.
    pub fn new(settings: &S3Settings, clock: Arc<dyn Clock>) -> Result<Self, SettingsError> {
        check(settings)?;
        let aws = || format!("AWS S3 in {}", settings.region);
        let prefix = match settings.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let shared = Shared {
            clients: clients(settings)?,
            clock,
            bucket: settings.bucket.clone(),
            prefix,
            server: settings.endpoint.clone().unwrap_or_else(aws),
            region: settings.region.clone(),
            credentials: settings.credentials.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            looks_after_bucket: false,
        })
    }

    /// The same in a bucket of AWS that is looked after: [`prepare`](Store::prepare) makes it where it is not there, and until
    /// then it is empty; [`preflight`](Store::preflight) says what someone should know of it.
    #[must_use]
    pub fn looking_after_bucket(self) -> Self {
        Self {
            looks_after_bucket: true,
            ..self
        }
    }

    /// Whether an object or a list is not there, be it for want of a bucket that is yet to be made.
    pub(super) fn is_nothing(&self, failure: &Failure) -> bool {
        failure.is_absent() || self.looks_after_bucket && failure.is_no_bucket()
    }

    /// For requests that carry next to nothing.
    pub(super) fn small(&self) -> &Client {
        &self.shared.clients.small
    }

    pub(super) fn bucket_name(&self) -> &str {
        &self.shared.bucket
    }

    pub(super) fn region(&self) -> &str {
        &self.shared.region
    }

    pub(super) fn unavailable(&self, verb: &'static str, path: &str, failure: Failure) -> StoreError {
        let shared = &self.shared;
        let asked = Asked {
            bucket: &shared.bucket,
            server: &shared.server,
            region: &shared.region,
            access_key_id: &shared.credentials.key_id(),
        };
        self.problem(verb, path, tell(failure, &asked))
    }

    pub(super) fn problem(
        &self,
        verb: &'static str,
        path: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Unavailable {
            verb,
            path: path.to_owned(),
            location: self.location(),
            source: source.into(),
        }
    }

    pub(super) fn conflict(&self, path: &str) -> StoreError {
        StoreError::Conflict {
            path: path.to_owned(),
            location: self.location(),
        }
    }

    pub(super) fn damaged(&self, path: &str, problem: String) -> StoreError {
        StoreError::Damaged {
            path: path.to_owned(),
            location: self.location(),
            problem,
        }
    }

    /// The key of an object; a path that would lead out of the store has none.
    pub(super) fn key(&self, verb: &'static str, path: &str) -> Result<String, StoreError> {
        let key = format!("{}{path}", self.shared.prefix);
        match keys::problem_of(path).or_else(|| keys::problem_of(&key)) {
            Some(problem) => Err(self.problem(verb, path, problem)),
            None => Ok(key),
        }
    }

    /// How the keys begin of objects whose paths begin with `prefix`.
    pub(super) fn key_prefix(&self, verb: &'static str, prefix: &str) -> Result<String, StoreError> {
        match keys::problem_of_beginning(prefix) {
            Some(problem) => Err(self.problem(verb, prefix, problem)),
            None => Ok(format!("{}{prefix}", self.shared.prefix)),
        }
    }
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        let shared = &self.shared;
        format!("s3://{}/{}", shared.bucket, shared.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        let key = self.key("read", path)?;
        self.read_whole(path, &key).await
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        let key = self.key("write", path)?;
        let failed = |failure| self.unavailable("write", path, failure);
        let mark = new_mark().map_err(failed)?;
        match self
            .put(&key, content, &precondition, &mark)
            .await
            .map_err(failed)?
        {
            Put::Written(version) => Ok(version),
            Put::Unmet => Err(self.conflict(path)),
        }
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        let key = self.key("delete", path)?;
        let failed = |failure| self.unavailable("delete", path, failure);
        match precondition {
            Precondition::None => self.delete_anyway(&key).await.map_err(failed),
            Precondition::Absent => match self.head(&key).await.map_err(failed)? {
                Some(_) => Err(self.conflict(path)),
                None => Ok(()),
            },
            Precondition::Version(version) => self.delete_version(path, &key, &version).await,
        }
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        if self.looks_after_bucket {
            Box::pin(self.prepare_bucket()).await?;
        }
        Ok(())
    }

    async fn preflight(&self) -> Vec<Finding> {
        if self.looks_after_bucket {
            return Box::pin(self.bucket_findings()).await;
        }
        Vec::new()
    }

    async fn check_conditions(&self) -> Result<(), StoreError> {
        self.prove_conditions().await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let beginning = self.key_prefix("list", prefix)?;
        let keys = match self.list_keys(&beginning).await {
            Err(failure) if self.is_nothing(&failure) => return Ok(Vec::new()),
            keys => keys,
        };
        let keys = keys.map_err(|failure| self.unavailable("list", prefix, failure))?;
        let ours = keys
            .iter()
            .filter_map(|key| key.strip_prefix(&self.shared.prefix));
        // What ends with a slash is the folder that a console has shown somebody.
        let mut paths: Vec<String> = ours
            .filter(|path| path.starts_with(prefix) && !path.ends_with('/'))
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }
}
