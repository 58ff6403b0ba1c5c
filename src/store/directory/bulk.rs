//! Large objects in a directory: written to a file beside their place, which is renamed when it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::{BulkReader, BulkStore, BulkWriter, Store, StoreError, whole_file};

use super::{DEPTH_LIMIT, DirectoryStore, LOCK_FILE, TEMPORARY_SUFFIX};

#[async_trait]
impl BulkStore for DirectoryStore {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        // Whoever writes has a draft of its own, also in the same process.
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let file = self.file("write", path)?;
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{number}{TEMPORARY_SUFFIX}", std::process::id()));
        let draft = file.with_file_name(name);
        // Whoever sweeps holds the lock too, so that no draft is seen before its own lock is held.
        let _lock = self.lock("write", path).await?;
        let open = || -> std::io::Result<File> {
            Self::make_directory(draft.parent().unwrap_or(&draft))?;
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            opened.try_lock().map_err(std::io::Error::from)?;
            Ok(opened)
        };
        let opened = open().map_err(|error| self.unavailable("write", path, error))?;
        Ok(Box::new(Draft {
            store: self.clone(),
            path: path.to_owned(),
            file,
            part: draft,
            opened,
            is_done: false,
        }))
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        let file = self.file("read", path)?;
        let open = || -> std::io::Result<Option<File>> {
            whole_file::check_kind(&file)?;
            match File::open(&file) {
                Ok(opened) if opened.metadata()?.is_dir() => Err(ErrorKind::IsADirectory.into()),
                Ok(opened) => Ok(Some(opened)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        };
        let opened = open().map_err(|error| self.unavailable("read", path, error))?;
        Ok(opened.map(|opened| {
            Box::new(Opened {
                store: self.clone(),
                path: path.to_owned(),
                content: opened,
            }) as Box<dyn BulkReader>
        }))
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        let file = self.file("read", path)?;
        match fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Err(self.unavailable("read", path, "it is not a file")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unavailable("read", path, error)),
        }
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError> {
        let failed = |error: std::io::Error| self.unavailable("delete", prefix, error);
        if !self.root.is_dir() {
            return Ok(0);
        }
        let _lock = self.lock("delete", prefix).await?;
        let mut drafts = Vec::new();
        let directory = prefix.rsplit_once('/').map_or("", |(directory, _)| directory);
        let start = if directory.is_empty() {
            self.root.clone()
        } else {
            self.file("delete", directory)?
        };
        self.find_drafts(&start, 0, prefix, &mut drafts).map_err(failed)?;
        let mut swept = 0;
        for draft in drafts {
            if is_left(&draft).map_err(failed)? {
                whole_file::remove(&draft).map_err(failed)?;
                self.remove_empty_folders(&draft);
                swept += 1;
            }
        }
        Ok(swept)
    }
}

impl DirectoryStore {
    fn find_drafts(
        &self,
        directory: &Path,
        depth: usize,
        prefix: &str,
        drafts: &mut Vec<PathBuf>,
    ) -> std::io::Result<()> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) if depth <= DEPTH_LIMIT => entries,
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let text = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
            let Some(text) = text else { continue };
            if entry.file_type()?.is_dir() {
                self.find_drafts(&path, depth + 1, prefix, drafts)?;
            } else if text.starts_with(prefix) && text.ends_with(TEMPORARY_SUFFIX) {
                drafts.push(path);
            }
        }
        Ok(())
    }

    /// Removes the folder of `file` when nothing else is in it, and those that this leaves empty.
    pub(super) fn remove_empty_folders(&self, file: &Path) {
        let folders = file.ancestors().skip(1).take_while(|folder| *folder != self.root);
        for folder in folders.filter(|folder| folder.starts_with(&self.root)) {
            // One that is not empty stays, and so does all above it.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// True when nobody holds the lock of a draft: whoever wrote it has ended.
fn is_left(draft: &Path) -> std::io::Result<bool> {
    let file = match File::open(draft) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

struct Draft {
    store: DirectoryStore,
    path: String,
    file: PathBuf,
    part: PathBuf,
    opened: File,
    is_done: bool,
}

#[async_trait]
impl BulkWriter for Draft {
    async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let written = self.opened.write_all(piece);
        written.map_err(|error| self.store.unavailable("write", &self.path, error))
    }

    async fn finish(mut self: Box<Self>) -> Result<(), StoreError> {
        let failed = |store: &DirectoryStore, path: &str, error| store.unavailable("write", path, error);
        let synced = self.opened.sync_all();
        synced.map_err(|error| failed(&self.store, &self.path, error))?;
        let _lock = self.store.lock("write", &self.path).await?;
        if self.store.size(&self.path).await?.is_some() {
            return Err(StoreError::Conflict {
                path: self.path.clone(),
                location: self.store.location(),
            });
        }
        let moved = whole_file::put_in_place(&self.part, &self.file);
        moved.map_err(|error| failed(&self.store, &self.path, error))?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_done {
            let _ = fs::remove_file(&self.part);
            // Where somebody else holds the store's lock, an empty folder may stay: it may be theirs in a moment.
            if let Ok(lock) = File::open(self.store.root.join(LOCK_FILE))
                && lock.try_lock().is_ok()
            {
                self.store.remove_empty_folders(&self.part);
            }
        }
    }
}

struct Opened {
    store: DirectoryStore,
    path: String,
    content: File,
}

#[async_trait]
impl BulkReader for Opened {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        // The disk never makes anybody wait here, and whoever listens for signals on the same thread is to be heard.
        tokio::task::yield_now().await;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            return match self.content.read(&mut piece) {
                Ok(0) => Ok(None),
                Ok(count) => {
                    piece.truncate(count);
                    Ok(Some(piece))
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(self.store.unavailable("read", &self.path, error)),
            };
        }
    }
}
