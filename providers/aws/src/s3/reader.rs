//! An object read piece by piece, over connections that break.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{BulkReader, StoreError};

use super::failure::Failure;
use super::requests::version_of;
use super::store::S3Store;

/// How often in a row a connection may break without a byte having come.
const FRUITLESS_LIMIT: u32 = 5;
/// How long to wait after the first of those; after the next ones twice as long each.
const PAUSE: Duration = Duration::from_millis(300);

/// One object, from its beginning to its end: it is asked for by its `ETag`, so that what is put in its place meanwhile
/// is not taken for its rest.
pub(super) struct Reading {
    store: S3Store,
    path: String,
    key: String,
    version: ObjectVersion,
    size: u64,
    position: u64,
    body: Option<ByteStream>,
    /// What came and was more than a piece.
    left: Vec<u8>,
    fruitless: u32,
}

impl Reading {
    /// Begins to read; `None` when there is no such object.
    pub(super) async fn open(store: S3Store, path: &str, key: String) -> Result<Option<Self>, StoreError> {
        let failed = |failure| store.unavailable("read", path, failure);
        let shared = &store.shared;
        let asked = shared.clients.small.get_object().bucket(&shared.bucket).key(&key);
        let found = match asked.send().await.map_err(Failure::from) {
            Ok(found) => found,
            Err(failure) if store.is_nothing(&failure) => return Ok(None),
            Err(failure) => return Err(failed(failure)),
        };
        let size = size_of(&found).map_err(failed)?;
        let version = version_of(found.e_tag).map_err(failed)?;
        Ok(Some(Self {
            path: path.to_owned(),
            key,
            version,
            size,
            position: 0,
            body: Some(found.body),
            left: Vec::new(),
            fruitless: 0,
            store,
        }))
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Its version.
    pub(super) fn version(&self) -> &ObjectVersion {
        &self.version
    }

    /// The next piece; `None` at the end. [`Failure::is_unmet`] when it has been replaced, [`Failure::is_absent`] when
    /// it was deleted.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            if !self.left.is_empty() {
                let rest = self.left.split_off(self.left.len().min(PIECE_BYTES));
                return Ok(Some(std::mem::replace(&mut self.left, rest)));
            }
            if self.position == self.size {
                return Ok(None);
            }
            if self.body.is_none() {
                self.body = Some(self.rest().await?);
            }
            let came = match &mut self.body {
                Some(body) => body.next().await,
                None => None,
            };
            match came {
                Some(Ok(bytes)) => self.take(&bytes)?,
                Some(Err(error)) => self.broken(Box::new(error)).await?,
                None => {
                    self.broken("the connection ended before the object".into())
                        .await?;
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.fruitless = 0;
        self.position += bytes.len() as u64;
        if self.position > self.size {
            return Err(Failure::strange("more came than the object has"));
        }
        self.left.extend_from_slice(bytes);
        Ok(())
    }

    async fn broken(&mut self, cause: Box<dyn std::error::Error + Send + Sync>) -> Result<(), Failure> {
        self.body = None;
        self.fruitless += 1;
        if self.fruitless > FRUITLESS_LIMIT {
            return Err(Failure::Unreached(cause));
        }
        let pause = PAUSE * (1 << (self.fruitless - 1));
        self.store.shared.clock.sleep(pause).await;
        Ok(())
    }

    /// What has not come yet, on another connection.
    async fn rest(&self) -> Result<ByteStream, Failure> {
        let shared = &self.store.shared;
        let asked = shared
            .clients
            .small
            .get_object()
            .bucket(&shared.bucket)
            .key(&self.key);
        let asked = asked
            .if_match(&self.version.0)
            .range(format!("bytes={}-", self.position));
        let found = asked.send().await?;
        // A server that does not know ranges begins from the beginning.
        let begins = format!("bytes {}-", self.position);
        let begins_there = found
            .content_range()
            .is_some_and(|range| range.starts_with(&begins));
        if !begins_there && self.position > 0 {
            return Err(Failure::strange(
                "it does not answer with the part of the object that was asked for",
            ));
        }
        if found.e_tag() != Some(self.version.0.as_str()) || size_of(&found)? != self.size - self.position {
            return Err(Failure::strange("it answers with a part of another object"));
        }
        Ok(found.body)
    }
}

fn size_of(found: &GetObjectOutput) -> Result<u64, Failure> {
    let length = found
        .content_length()
        .and_then(|length| u64::try_from(length).ok());
    length.ok_or_else(|| Failure::strange("it does not say how long the object is"))
}

#[async_trait]
impl BulkReader for Reading {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.next().await {
            Ok(piece) => Ok(piece),
            Err(failure) if failure.is_unmet() || failure.is_absent() => {
                let problem = "it was replaced or deleted while it was read; begin again";
                Err(self.store.problem("read", &self.path, problem))
            }
            Err(failure) => Err(self.store.unavailable("read", &self.path, failure)),
        }
    }
}
