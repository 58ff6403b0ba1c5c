//! Small objects, with compare-and-swap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Clock, Precondition, Store, StoreError, Versioned};

use super::client::{Clients, clients};
use super::failure::{Asked, Failure, tell};
use super::keys;
use super::reader::Reading;
use super::settings::{S3Settings, SettingsError, check};

/// State and backups in a bucket; the module says what the bucket's server has to keep.
///
/// An object's version is its `ETag`. Clones share their connections.
#[derive(Clone)]
pub struct S3Store {
    pub(super) shared: Arc<Shared>,
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
    access_key_id: String,
}

/// No object of state comes near this; what is larger is not ours to load.
const OBJECT_LIMIT_BYTES: u64 = 64 << 20;
/// What fits into one segment or two: larger contents get the time that data takes.
const SMALL_BYTES: usize = 64 << 10;
/// More objects below one prefix are not ours.
const LIST_LIMIT: usize = 1_000_000;
/// The name of the mark in the metadata of an object.
const MARK: &str = "keelson-write";
/// How often whoever writes at the same moment as another one asks again, and how long it waits first.
const RACES: u32 = 5;
const RACE_PAUSE: Duration = Duration::from_millis(100);
/// How often an object is read from its beginning that is replaced while it is read.
const REPLACED_READS: u32 = 5;

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
            access_key_id: settings.credentials.access_key_id.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    pub(super) fn unavailable(&self, verb: &'static str, path: &str, failure: Failure) -> StoreError {
        let shared = &self.shared;
        let asked = Asked {
            bucket: &shared.bucket,
            server: &shared.server,
            region: &shared.region,
            access_key_id: &shared.access_key_id,
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

    /// What is known of an object without its content; `None` when there is none.
    pub(super) async fn head(&self, key: &str) -> Result<Option<Head>, Failure> {
        let shared = &self.shared;
        let asked = shared.clients.small.head_object().bucket(&shared.bucket).key(key);
        match asked.send().await.map_err(Failure::from) {
            Ok(found) => Ok(Some(Head {
                mark: found.metadata().and_then(|metadata| metadata.get(MARK)).cloned(),
                size: found
                    .content_length()
                    .and_then(|length| u64::try_from(length).ok()),
                version: version_of(found.e_tag)?,
            })),
            // This answer has no body: it does not tell a bucket that is missing from an object that is.
            Err(failure) if failure.is_absent() => {
                let bucket = shared.clients.small.head_bucket().bucket(&shared.bucket);
                match bucket.send().await.map_err(Failure::from) {
                    Ok(_) => Ok(None),
                    Err(Failure::Refused(mut refusal)) if refusal.status == 404 => {
                        "NoSuchBucket".clone_into(&mut refusal.code);
                        Err(Failure::Refused(refusal))
                    }
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Writes a whole object. Whether the condition was not met, or was met by this very write, whose answer was lost,
    /// is told by its mark.
    pub(super) async fn put(
        &self,
        key: &str,
        content: &[u8],
        precondition: &Precondition,
        mark: &str,
    ) -> Result<Put, Failure> {
        let shared = &self.shared;
        let clients = &shared.clients;
        let client = if content.len() > SMALL_BYTES {
            &clients.large
        } else {
            &clients.small
        };
        for race in 1.. {
            let asked = client
                .put_object()
                .bucket(&shared.bucket)
                .key(key)
                .metadata(MARK, mark);
            let asked = match precondition {
                Precondition::Absent => asked.if_none_match("*"),
                Precondition::Version(version) => asked.if_match(&version.0),
                Precondition::None => asked,
            };
            let failure = match asked.body(content.to_vec().into()).send().await {
                Ok(written) => return Ok(Put::Written(version_of(written.e_tag)?)),
                Err(error) => Failure::from(error),
            };
            let is_condition = !matches!(precondition, Precondition::None);
            let is_race = is_condition && failure.is_race();
            if is_race && race < RACES {
                shared.clock.sleep(RACE_PAUSE * race).await;
                continue;
            }
            // An object that is to have a version and is not there is told as one that is not there.
            if !(is_race || is_condition && (failure.is_unmet() || failure.is_absent())) {
                return Err(failure);
            }
            return Ok(match self.head(key).await? {
                Some(there) if there.mark.as_deref() == Some(mark) => Put::Written(there.version),
                _ => Put::Unmet,
            });
        }
        Ok(Put::Unmet)
    }

    async fn delete_version(&self, path: &str, key: &str, version: &ObjectVersion) -> Result<(), StoreError> {
        let failed = |failure| self.unavailable("delete", path, failure);
        if !self.is_there(key, version).await.map_err(failed)? {
            return Err(self.conflict(path));
        }
        let shared = &self.shared;
        let attempts = Attempts::default();
        let asked = shared
            .clients
            .small
            .delete_object()
            .bucket(&shared.bucket)
            .key(key);
        let asked = asked
            .if_match(&version.0)
            .customize()
            .interceptor(attempts.clone());
        let failure = match asked.send().await {
            Ok(_) => return Ok(()),
            Err(error) => Failure::from(error),
        };
        // It was there before: either the answer of an attempt was lost, or somebody else has deleted it since.
        if failure.is_absent() && attempts.count() > 1 {
            Ok(())
        } else if failure.is_absent() || failure.is_unmet() || failure.is_race() {
            Err(self.conflict(path))
        } else if failure.is_unknown_there() {
            self.delete_anyway(key).await.map_err(failed)
        } else {
            Err(failed(failure))
        }
    }

    async fn is_there(&self, key: &str, version: &ObjectVersion) -> Result<bool, Failure> {
        let there = self.head(key).await?;
        Ok(there.is_some_and(|there| there.version == *version))
    }

    async fn delete_anyway(&self, key: &str) -> Result<(), Failure> {
        let shared = &self.shared;
        let asked = shared
            .clients
            .small
            .delete_object()
            .bucket(&shared.bucket)
            .key(key);
        match asked.send().await.map_err(Failure::from) {
            Err(failure) if !failure.is_absent() => Err(failure),
            _ => Ok(()),
        }
    }

    async fn list_keys(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let shared = &self.shared;
        let mut keys = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let asked = shared
                .clients
                .small
                .list_objects_v2()
                .bucket(&shared.bucket)
                .prefix(prefix);
            let page = asked.set_continuation_token(token.clone()).send().await?;
            keys.extend(
                page.contents
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|object| object.key),
            );
            if keys.len() > LIST_LIMIT {
                let problem = format!("there are more than {LIST_LIMIT} objects below {prefix}");
                return Err(Failure::strange(problem));
            }
            if page.is_truncated != Some(true) {
                return Ok(keys);
            }
            let next = page.next_continuation_token;
            if next.is_none() || next == token {
                return Err(Failure::strange("its list has no end"));
            }
            token = next;
        }
    }

    /// Reads a whole object; a reading that somebody else writes into begins again.
    async fn read_whole(&self, path: &str, key: &str) -> Result<Option<Versioned>, StoreError> {
        for _ in 0..REPLACED_READS {
            let opened = Reading::open(self.clone(), path, key.to_owned()).await?;
            let Some(mut reading) = opened else {
                return Ok(None);
            };
            if reading.size() > OBJECT_LIMIT_BYTES {
                let size = reading.size();
                let problem = format!("it has {size} bytes, {OBJECT_LIMIT_BYTES} is the limit");
                return Err(self.damaged(path, problem));
            }
            let mut content = Vec::new();
            loop {
                match reading.next().await {
                    Ok(Some(piece)) => content.extend_from_slice(&piece),
                    Ok(None) => {
                        let version = reading.version().clone();
                        return Ok(Some(Versioned { content, version }));
                    }
                    Err(failure) if failure.is_unmet() || failure.is_absent() => break,
                    Err(failure) => return Err(self.unavailable("read", path, failure)),
                }
            }
        }
        Err(self.problem(
            "read",
            path,
            "it is replaced again and again while it is read; try again",
        ))
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

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let beginning = self.key_prefix("list", prefix)?;
        let keys = self.list_keys(&beginning).await;
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

/// How a conditional write has ended.
pub(super) enum Put {
    Written(ObjectVersion),
    Unmet,
}

/// What is known of an object without its content.
pub(super) struct Head {
    pub(super) version: ObjectVersion,
    pub(super) mark: Option<String>,
    pub(super) size: Option<u64>,
}

/// A mark that no other write bears.
pub(super) fn new_mark() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Failure::strange("this machine has no random numbers to give"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Puts a mark on an upload in parts.
pub(super) fn mark_name() -> &'static str {
    MARK
}

pub(super) fn version_of(etag: Option<String>) -> Result<ObjectVersion, Failure> {
    let etag = etag.filter(|etag| !etag.is_empty());
    etag.map(ObjectVersion)
        .ok_or_else(|| Failure::strange("it gives objects no ETag"))
}

/// Counts how often a request is sent.
#[derive(Debug, Clone, Default)]
struct Attempts(Arc<AtomicU32>);

impl Attempts {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
