//! Large objects, and what killed writers left.

use async_trait::async_trait;
use aws_sdk_s3::types::MultipartUpload;
use jiff::SignedDuration;
use keelson_provider_api::{BulkReader, BulkStore, BulkWriter, StoreError};

use super::failure::Failure;
use super::reader::Reading;
use super::requests::new_mark;
use super::store::S3Store;
use super::writer::{Parts, Writing};

/// An upload that was begun longer ago is nobody's any more: no snapshot takes a day.
const UPLOAD_LIFETIME: SignedDuration = SignedDuration::from_hours(24);
/// More uploads that were left below one prefix are not ours.
const UPLOAD_LIMIT: usize = 100_000;

impl S3Store {
    /// Takes an upload back; false when there is none any more.
    pub(super) async fn abort_upload(&self, key: &str, upload: &str) -> Result<bool, Failure> {
        let shared = &self.shared;
        let asked = shared
            .clients
            .small
            .abort_multipart_upload()
            .bucket(&shared.bucket)
            .key(key);
        match asked.upload_id(upload).send().await.map_err(Failure::from) {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_absent() => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<MultipartUpload>, Failure> {
        let shared = &self.shared;
        let mut uploads = Vec::new();
        let (mut key, mut upload) = (None, None);
        loop {
            let asked = shared
                .clients
                .small
                .list_multipart_uploads()
                .bucket(&shared.bucket)
                .prefix(prefix);
            let asked = asked
                .set_key_marker(key.clone())
                .set_upload_id_marker(upload.clone());
            let page = asked.send().await?;
            uploads.extend(page.uploads.unwrap_or_default());
            if uploads.len() > UPLOAD_LIMIT {
                let problem = format!("there are more than {UPLOAD_LIMIT} uploads below {prefix}");
                return Err(Failure::strange(problem));
            }
            if page.is_truncated != Some(true) {
                return Ok(uploads);
            }
            let next = (page.next_key_marker, page.next_upload_id_marker);
            if next.0.is_none() || next == (key, upload) {
                return Err(Failure::strange("its list of uploads has no end"));
            }
            (key, upload) = next;
        }
    }

    async fn sweep_uploads(&self, prefix: &str) -> Result<usize, Failure> {
        let oldest = self.shared.clock.now() - UPLOAD_LIFETIME;
        let mut swept = 0;
        for found in self.uploads(prefix).await? {
            let is_left = found
                .initiated()
                .is_some_and(|begun| begun.secs() < oldest.as_second());
            if let (Some(key), Some(upload)) = (found.key(), found.upload_id())
                && is_left
                && key.starts_with(prefix)
                && self.abort_upload(key, upload).await?
            {
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// A writer holds up to 64 MiB. One that is dropped has its upload taken back by a task of the runtime; where the
/// runtime ends first, [`sweep`](BulkStore::sweep) finds the upload a day after it was begun. MinIO lists uploads only
/// by an object's whole key (minio/minio#20989), and takes old ones away by itself.
#[async_trait]
impl BulkStore for S3Store {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        let key = self.key("write", path)?;
        let failed = |failure| self.unavailable("write", path, failure);
        // Whoever cannot get at the bucket learns it before a snapshot is taken.
        self.head(&key).await.map_err(failed)?;
        Ok(Box::new(Writing {
            store: self.clone(),
            path: path.to_owned(),
            key,
            mark: new_mark().map_err(failed)?,
            filled: Vec::new(),
            parts: Parts::default(),
        }))
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        let key = self.key("read", path)?;
        let reading = Reading::open(self.clone(), path, key).await?;
        Ok(reading.map(|reading| Box::new(reading) as Box<dyn BulkReader>))
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        let key = self.key("read", path)?;
        let failed = |failure| self.unavailable("read", path, failure);
        let found = match self.head(&key).await {
            Err(failure) if self.is_nothing(&failure) => None,
            found => found.map_err(failed)?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        let size = found
            .size
            .ok_or_else(|| Failure::strange("it does not say how long the object is"));
        size.map(Some).map_err(failed)
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError> {
        let beginning = self.key_prefix("delete", prefix)?;
        let swept = self.sweep_uploads(&beginning).await;
        swept.map_err(|failure| self.unavailable("delete", prefix, failure))
    }
}
