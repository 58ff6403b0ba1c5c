//! An object written part by part.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use keelson_provider_api::{BulkWriter, Precondition, StoreError};
use tokio::task::JoinSet;

use super::failure::Failure;
use super::requests::{MARK, Put, version_of};
use super::store::S3Store;

/// The length of every part but the last; some servers want them all alike. 10,000 of them are 156 GiB.
pub(super) const PART_BYTES: usize = 16 << 20;
/// S3 takes no more: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PART_LIMIT: i32 = 10_000;
/// So many parts travel at once; one more is being filled: 64 MiB of memory an object.
const PARTS_AT_ONCE: usize = 3;
/// How often an upload is completed while the server says that somebody else writes the same object.
const RACES: u32 = 5;
const RACE_PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

type PartSent = Result<CompletedPart, Failure>;

/// An object that fits into one part is one request; a larger one is an upload in parts, begun with the first full one.
pub(super) struct Writing {
    pub(super) store: S3Store,
    pub(super) path: String,
    pub(super) key: String,
    pub(super) mark: String,
    pub(super) filled: Vec<u8>,
    pub(super) parts: Parts,
}

/// The parts of one upload.
#[derive(Default)]
pub(super) struct Parts {
    upload: Option<String>,
    begun: i32,
    travelling: JoinSet<PartSent>,
    arrived: BTreeMap<i32, CompletedPart>,
    /// A part is missing: the object cannot become whole.
    is_broken: bool,
}

impl Writing {
    async fn append(&mut self, mut piece: &[u8]) -> Result<(), Failure> {
        if self.parts.is_broken {
            return Err(Failure::strange("a part of it was not written before"));
        }
        while !piece.is_empty() {
            if self.filled.len() == PART_BYTES {
                self.send_part().await?;
            }
            let (fits, rest) = piece.split_at(piece.len().min(PART_BYTES - self.filled.len()));
            self.filled.extend_from_slice(fits);
            piece = rest;
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<(), Failure> {
        let sent = self.try_send_part().await;
        self.parts.is_broken |= sent.is_err();
        sent
    }

    async fn try_send_part(&mut self) -> Result<(), Failure> {
        if self.parts.begun == PART_LIMIT {
            let problem = format!("it is longer than {PART_LIMIT} parts of {PART_BYTES} bytes");
            return Err(Failure::strange(problem));
        }
        let upload = match &self.parts.upload {
            Some(upload) => upload.clone(),
            None => self.begin_upload().await?,
        };
        while self.parts.travelling.len() >= PARTS_AT_ONCE {
            self.parts.wait_for_one().await?;
        }
        self.parts.begun += 1;
        let number = self.parts.begun;
        let content = std::mem::take(&mut self.filled);
        let shared = &self.store.shared;
        let asked = shared
            .clients
            .large
            .upload_part()
            .bucket(&shared.bucket)
            .key(&self.key);
        let asked = asked.upload_id(upload).part_number(number).body(content.into());
        self.parts.travelling.spawn(async move {
            let sent = asked.send().await?;
            let version = version_of(sent.e_tag)?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .e_tag(version.0)
                .build())
        });
        Ok(())
    }

    async fn begin_upload(&mut self) -> Result<String, Failure> {
        let shared = &self.store.shared;
        let asked = shared
            .clients
            .small
            .create_multipart_upload()
            .bucket(&shared.bucket)
            .key(&self.key);
        let begun = asked.metadata(MARK, &self.mark).send().await?;
        let upload = begun.upload_id.filter(|upload| !upload.is_empty());
        let upload = upload.ok_or_else(|| Failure::strange("it gives an upload no name"))?;
        self.parts.upload = Some(upload.clone());
        Ok(upload)
    }

    async fn complete(&mut self) -> Result<Put, Failure> {
        if self.parts.is_broken {
            return Err(Failure::strange("a part of it was not written before"));
        }
        // Not every server keeps the condition below.
        if self.store.head(&self.key).await?.is_some() {
            return Ok(Put::Unmet);
        }
        if self.parts.upload.is_none() {
            let content = std::mem::take(&mut self.filled);
            return self
                .store
                .put(&self.key, &content, &Precondition::Absent, &self.mark)
                .await;
        }
        if !self.filled.is_empty() {
            self.send_part().await?;
        }
        while !self.parts.travelling.is_empty() {
            self.parts.wait_for_one().await?;
        }
        let put = self.complete_upload().await?;
        if matches!(put, Put::Written(_)) {
            self.parts.upload = None;
        }
        Ok(put)
    }

    async fn complete_upload(&self) -> Result<Put, Failure> {
        let parts: Vec<CompletedPart> = self.parts.arrived.values().cloned().collect();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let shared = &self.store.shared;
        let mut race = 0;
        loop {
            // Putting many parts together takes a server minutes.
            let asked = shared
                .clients
                .large
                .complete_multipart_upload()
                .bucket(&shared.bucket)
                .key(&self.key);
            let asked = asked
                .set_upload_id(self.parts.upload.clone())
                .multipart_upload(parts.clone());
            let failure = match asked.if_none_match("*").send().await {
                Ok(written) => return Ok(Put::Written(version_of(written.e_tag)?)),
                Err(error) => Failure::from(error),
            };
            race += 1;
            if failure.is_race() && race < RACES {
                shared.clock.sleep(RACE_PAUSE * race).await;
                continue;
            }
            if !(failure.is_race() || failure.is_unmet() || failure.is_absent()) {
                return Err(failure);
            }
            // An upload whose completion was not heard of is gone when it is completed again.
            return match self.store.head(&self.key).await? {
                Some(there) if there.mark.as_deref() == Some(self.mark.as_str()) => {
                    Ok(Put::Written(there.version))
                }
                Some(_) => Ok(Put::Unmet),
                None => Err(failure),
            };
        }
    }
}

impl Parts {
    async fn wait_for_one(&mut self) -> Result<(), Failure> {
        let sent = match self.travelling.join_next().await {
            Some(Ok(sent)) => sent,
            Some(Err(ended)) => Err(Failure::strange(ended)),
            None => return Ok(()),
        };
        match sent {
            Ok(part) => {
                self.arrived.insert(part.part_number().unwrap_or_default(), part);
                Ok(())
            }
            Err(failure) => {
                self.is_broken = true;
                Err(failure)
            }
        }
    }
}

/// Takes an upload back, after the parts that still travel: one that arrives later would stay.
async fn abandon(store: S3Store, key: String, mut parts: Parts) -> Result<(), Failure> {
    let Some(upload) = parts.upload.take() else {
        return Ok(());
    };
    parts.travelling.shutdown().await;
    store.abort_upload(&key, &upload).await.map(drop)
}

#[async_trait]
impl BulkWriter for Writing {
    async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let written = self.append(piece).await;
        written.map_err(|failure| self.store.unavailable("write", &self.path, failure))
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let put = self.complete().await;
        // What cannot be taken back now is swept later.
        let _ = abandon(
            self.store.clone(),
            self.key.clone(),
            std::mem::take(&mut self.parts),
        )
        .await;
        match put {
            Ok(Put::Written(_)) => Ok(()),
            Ok(Put::Unmet) => Err(self.store.conflict(&self.path)),
            Err(failure) => Err(self.store.unavailable("write", &self.path, failure)),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        // Without a runtime nothing can be asked any more; the upload is swept later.
        if parts.upload.is_some()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (store, key) = (self.store.clone(), self.key.clone());
            runtime.spawn(async move {
                let _ = abandon(store, key, parts).await;
            });
        }
    }
}
