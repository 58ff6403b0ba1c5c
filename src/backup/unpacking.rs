//! Unpacking a snapshot again, piece by piece, and judging on the way whether it is what was packed.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::io::AsyncRead;
use futures_util::stream::{self, Stream, TryStreamExt};
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::{BulkReader, StoreError};

use super::decoding::Decoder;
use super::error::BackupError;
use super::manifest::BackupManifest;
use super::sum::{SnapshotSumming, Summing};
use crate::pki::{OpeningReader, PkiError, Seal};

/// How much is read of an object at once.
const INPUT_BYTES: usize = 128 << 10;
/// Unpacks a snapshot, piece by piece. What it holds in memory does not depend on the snapshot's size.
pub struct Unpacker {
    manifest: BackupManifest,
    location: String,
    opening: OpeningReader<Pin<Box<dyn AsyncRead + Send>>>,
    stored: Arc<Mutex<Stored>>,
    decoder: Decoder,
    input: Vec<u8>,
    used: usize,
    ended: bool,
    plain: SnapshotSumming,
}

/// What was read of the object, and why it could not be read on.
#[derive(Default)]
struct Stored {
    summing: Summing,
    error: Option<StoreError>,
}

impl Unpacker {
    /// Unpacks the snapshot of `manifest`, which `object` is read from. `location` and `path` say where that lies.
    ///
    /// # Errors
    /// [`BackupError::Pki`] when what opens it was not given, [`BackupError::Damaged`] when it is none.
    pub async fn open(
        manifest: BackupManifest,
        object: Box<dyn BulkReader>,
        seal: &Seal,
        location: &str,
        path: &str,
    ) -> Result<Self, BackupError> {
        let stored = Arc::new(Mutex::new(Stored::default()));
        let input: Pin<Box<dyn AsyncRead + Send>> =
            Box::pin(pieces(object, stored.clone()).into_async_read());
        let is_sealed = manifest.stored.packing.is_encrypted();
        let opened = seal.reader(input, is_sealed, path, location).await;
        let opening = match (opened, stored_error(&stored)) {
            (_, Some(error)) => return Err(error.into()),
            (Err(PkiError::Store(StoreError::Damaged { problem, .. })), None) => {
                return Err(BackupError::Damaged {
                    name: manifest.name.to_string(),
                    location: location.to_owned(),
                    problem,
                });
            }
            (Err(error), None) => return Err(error.into()),
            (Ok(opening), None) => opening,
        };
        Ok(Self {
            decoder: Decoder::of(manifest.stored.packing).map_err(|source| BackupError::Unpack { source })?,
            manifest,
            location: location.to_owned(),
            opening,
            stored,
            input: vec![0; INPUT_BYTES],
            used: INPUT_BYTES,
            ended: false,
            plain: SnapshotSumming::default(),
        })
    }

    /// The next piece of the snapshot; `None` at the end, when all of it was what had been packed.
    ///
    /// # Errors
    /// [`BackupError::Damaged`] as soon as it is seen that it is not what was packed, [`BackupError::Store`] when the object
    /// cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        // A few bytes of an object may be gigabytes of a snapshot, which nobody could stop otherwise.
        tokio::task::yield_now().await;
        loop {
            let mut output = vec![0; PIECE_BYTES];
            let count = self.decode(&mut output).await?;
            if count > 0 {
                output.truncate(count);
                self.plain.add(&output);
                if self.plain.size_bytes() > self.manifest.size_bytes {
                    return Err(self.damaged("it holds more than was written"));
                }
                return Ok(Some(output));
            }
            if self.ended {
                self.judge()?;
                return Ok(None);
            }
        }
    }

    /// Fills `output` as far as what has been read allows, and reads on when that is used up.
    async fn decode(&mut self, output: &mut [u8]) -> Result<usize, BackupError> {
        if self.used >= self.input.len() && !self.ended {
            self.input.resize(INPUT_BYTES, 0);
            let count = match self.opening.read(&mut self.input).await {
                Ok(count) => count,
                Err(error) => return Err(self.unreadable(&error)),
            };
            self.input.truncate(count);
            self.used = 0;
            self.ended = count == 0;
        }
        let input = self.input.get(self.used..).unwrap_or_default();
        match self.decoder.run(input, output) {
            Ok((read, written)) => {
                self.used += read;
                Ok(written)
            }
            Err(error) => Err(self.damaged(error.to_string())),
        }
    }

    /// Why the object could not be read on: the store's trouble, or what is in it.
    fn unreadable(&self, error: &io::Error) -> BackupError {
        match stored_error(&self.stored) {
            Some(error) => error.into(),
            None => self.damaged(error.to_string()),
        }
    }

    fn judge(&mut self) -> Result<(), BackupError> {
        if !self.decoder.has_ended() {
            return Err(self.damaged("it ends before its end"));
        }
        let stored = {
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut stored.summing).sum()
        };
        let (plain, own_problem) = std::mem::take(&mut self.plain).end();
        let rows = [
            (self.manifest.stored.sum(), stored, "the object"),
            (self.manifest.sum(), plain, "the snapshot"),
        ];
        for (was, is, what) in rows {
            if is != was {
                return Err(self.damaged(was.mismatch(&is, what)));
            }
        }
        match own_problem {
            Some(problem) => Err(self.damaged(problem)),
            None => Ok(()),
        }
    }

    fn damaged(&self, problem: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            name: self.manifest.name.to_string(),
            location: self.location.clone(),
            problem: problem.into(),
        }
    }
}

fn stored_error(stored: &Mutex<Stored>) -> Option<StoreError> {
    stored.lock().unwrap_or_else(PoisonError::into_inner).error.take()
}

/// The object's pieces, added up as they pass by.
fn pieces(
    object: Box<dyn BulkReader>,
    stored: Arc<Mutex<Stored>>,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send {
    stream::try_unfold((object, stored), |(mut object, stored)| async move {
        match object.read().await {
            Ok(Some(piece)) => {
                stored
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .summing
                    .add(&piece);
                Ok(Some((piece, (object, stored))))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                let told = io::Error::other(error.to_string());
                stored.lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
                Err(told)
            }
        }
    })
}
