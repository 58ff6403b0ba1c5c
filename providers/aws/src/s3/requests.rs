//! What is asked of the server for one object, or for a list of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::operation::delete_object::builders::DeleteObjectFluentBuilder;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, StoreError, Versioned};

use super::failure::Failure;
use super::reader::Reading;
use super::store::S3Store;

/// No object of state comes near this; what is larger is not ours to load.
const OBJECT_LIMIT_BYTES: u64 = 64 << 20;
/// What fits into one segment or two: larger contents get the time that data takes.
const SMALL_BYTES: usize = 64 << 10;
/// More objects below one prefix are not ours.
const LIST_LIMIT: usize = 1_000_000;
/// The name of the mark in the metadata of an object.
pub(super) const MARK: &str = "keelson-write";
/// How often whoever writes at the same moment as another one asks again, and how long it waits first.
const RACES: u32 = 5;
const RACE_PAUSE: Duration = Duration::from_millis(100);
/// How often an object is read from its beginning that is replaced while it is read.
const REPLACED_READS: u32 = 5;

impl S3Store {
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
            Err(failure) if failure.is_bare_absence() => {
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
        let mut race = 0;
        loop {
            race += 1;
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
    }

    pub(super) async fn delete_version(
        &self,
        path: &str,
        key: &str,
        version: &ObjectVersion,
    ) -> Result<(), StoreError> {
        let failed = |failure| self.unavailable("delete", path, failure);
        if !self.is_there(key, version).await.map_err(failed)? {
            return Err(self.conflict(path));
        }
        let attempts = Attempts::default();
        let asked = self
            .deletion(key)
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

    fn deletion(&self, key: &str) -> DeleteObjectFluentBuilder {
        let shared = &self.shared;
        let asked = shared.clients.small.delete_object();
        asked.bucket(&shared.bucket).key(key)
    }

    pub(super) async fn delete_anyway(&self, key: &str) -> Result<(), Failure> {
        match self.deletion(key).send().await.map_err(Failure::from) {
            Err(failure) if !failure.is_absent() => Err(failure),
            _ => Ok(()),
        }
    }

    pub(super) async fn list_keys(&self, prefix: &str) -> Result<Vec<String>, Failure> {
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
    pub(super) async fn read_whole(&self, path: &str, key: &str) -> Result<Option<Versioned>, StoreError> {
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
