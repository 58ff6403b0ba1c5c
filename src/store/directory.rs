//! State in a directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Precondition, Store, StoreError, Versioned, whole_file};

/// State in a directory: one file an object, directories 0700, files 0600.
///
/// A write goes to a temporary file that is renamed into place, so a reader sees the old content or the new one,
/// also after a power cut. Conditional writes hold a lock on a file of their own, so processes on one machine (and
/// on file systems that share locks) see each other. An object's version is the digest of its content.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    root: PathBuf,
}

mod bulk;

const LOCK_FILE: &str = ".lock";
const TEMPORARY_SUFFIX: &str = ".keelson-new";
/// No object of keelson comes near this; what is larger is not ours to load.
const OBJECT_LIMIT_BYTES: u64 = 64 << 20;
const DEPTH_LIMIT: usize = 16;
/// How often to look whether another process has let go of the lock, which it needs for one write, and after how long to
/// look again.
const LOCK_POLLS: u32 = 2000;
const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(5);

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl DirectoryStore {
    /// The store in the directory `root`, which is made with the first write.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn unavailable(&self, verb: &'static str, path: &str, source: impl Into<Cause>) -> StoreError {
        StoreError::Unavailable {
            verb,
            path: path.to_owned(),
            location: self.location(),
            source: source.into(),
        }
    }

    /// The file of an object; a path that would lead out of the store has none.
    fn file(&self, verb: &'static str, path: &str) -> Result<PathBuf, StoreError> {
        let relative = Path::new(path);
        let inside = !path.is_empty()
            && relative
                .components()
                .all(|component| matches!(component, Component::Normal(_)));
        if inside {
            Ok(self.root.join(relative))
        } else {
            Err(self.unavailable(verb, path, "the path leads out of the store"))
        }
    }

    fn read_file(&self, file: &Path, path: &str) -> Result<Option<Versioned>, StoreError> {
        let length = match fs::metadata(file) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(metadata) if metadata.is_dir() => {
                let error = std::io::Error::from(ErrorKind::IsADirectory);
                return Err(self.unavailable("read", path, error));
            }
            Ok(_) => {
                let special = whole_file::check_kind(file).err();
                let error = special.unwrap_or_else(|| std::io::Error::other("it is not a file"));
                return Err(self.unavailable("read", path, error));
            }
            // A link that leads nowhere is there: what it led to was lost.
            Err(error) if error.kind() == ErrorKind::NotFound && file.is_symlink() => {
                return Err(StoreError::Damaged {
                    path: path.to_owned(),
                    location: self.location(),
                    problem: "it is a link to a file that is not there".to_owned(),
                });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.unavailable("read", path, error)),
        };
        if length > OBJECT_LIMIT_BYTES {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                location: self.location(),
                problem: format!("it has {length} bytes, {OBJECT_LIMIT_BYTES} is the limit"),
            });
        }
        match fs::read(file) {
            Ok(content) => Ok(Some(Versioned {
                version: version_of(&content),
                content,
            })),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unavailable("read", path, error)),
        }
    }

    fn make_directory(directory: &Path) -> std::io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| match error.kind() {
                // Whatever has the name is no directory: one would do.
                ErrorKind::AlreadyExists => ErrorKind::NotADirectory.into(),
                _ => error,
            })
    }

    /// Holds the store's lock until the file is dropped.
    ///
    /// Waiting for another process goes on on another thread: everything else of this one goes on meanwhile. The work
    /// itself, which takes milliseconds, does not: a virtual clock takes whoever waits for another thread for idle, and
    /// lets time pass.
    async fn lock(&self, verb: &'static str, path: &str) -> Result<File, StoreError> {
        let failed = |error: std::io::Error| self.unavailable(verb, path, error);
        let open = || -> std::io::Result<File> {
            Self::make_directory(&self.root)?;
            let lock = self.root.join(LOCK_FILE);
            whole_file::check_kind(&lock).map_err(|error| {
                let problem = format!("the store's lock is {}: {error}", lock.display());
                std::io::Error::new(error.kind(), problem)
            })?;
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(lock)
        };
        let file = open().map_err(failed)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(problem)) => return Err(failed(problem)),
        }
        let waiting = tokio::task::spawn_blocking(move || wait_for_lock(file));
        waiting
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(failed)
    }

    fn check(&self, file: &Path, path: &str, precondition: &Precondition) -> Result<(), StoreError> {
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => self.read_file(file, path)?.is_none(),
            Precondition::Version(version) => self
                .read_file(file, path)?
                .is_some_and(|object| object.version == *version),
        };
        if holds {
            Ok(())
        } else {
            Err(StoreError::Conflict {
                path: path.to_owned(),
                location: self.location(),
            })
        }
    }

    /// Adds the objects in and below `directory`, `depth` folders below the root, that begin with `prefix`. Folders that
    /// can hold none of them are not opened.
    fn list_into(
        &self,
        directory: &Path,
        depth: usize,
        prefix: &str,
        paths: &mut Vec<String>,
    ) -> std::io::Result<()> {
        if depth > DEPTH_LIMIT {
            let problem = format!("{} is more than {DEPTH_LIMIT} folders deep", directory.display());
            return Err(std::io::Error::other(problem));
        }
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let Some(text) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else {
                continue;
            };
            if !text.starts_with(prefix) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                self.list_into(&path, depth + 1, prefix, paths)?;
            } else if !text.ends_with(TEMPORARY_SUFFIX) && text != LOCK_FILE {
                paths.push(text.to_owned());
            }
        }
        Ok(())
    }
}

fn wait_for_lock(file: File) -> std::io::Result<File> {
    for _ in 0..LOCK_POLLS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => sleep(LOCK_POLL_INTERVAL),
            Err(TryLockError::Error(problem)) => return Err(problem),
        }
    }
    let problem = "another process holds the store's lock and does not let go";
    Err(std::io::Error::new(ErrorKind::TimedOut, problem))
}

fn version_of(content: &[u8]) -> ObjectVersion {
    ObjectVersion(Digest::of_bytes(content).to_string())
}

fn replace_file(file: &Path, content: &[u8]) -> std::io::Result<()> {
    DirectoryStore::make_directory(file.parent().unwrap_or(file))?;
    whole_file::put_by_draft(file, TEMPORARY_SUFFIX, content, 0o600)
}

#[async_trait]
impl Store for DirectoryStore {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        let file = self.file("read", path)?;
        self.read_file(&file, path)
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        let file = self.file("write", path)?;
        let _lock = self.lock("write", path).await?;
        self.check(&file, path, &precondition)?;
        replace_file(&file, content).map_err(|error| self.unavailable("write", path, error))?;
        Ok(version_of(content))
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        let file = self.file("delete", path)?;
        let _lock = self.lock("delete", path).await?;
        self.check(&file, path, &precondition)?;
        whole_file::remove(&file).map_err(|error| self.unavailable("delete", path, error))?;
        self.remove_empty_folders(&file);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let (directory, depth) = match prefix.rsplit_once('/') {
            Some((directory, _)) => (self.file("list", directory)?, directory.split('/').count()),
            None => (self.root.clone(), 0),
        };
        let mut paths = Vec::new();
        self.list_into(&directory, depth, prefix, &mut paths)
            .map_err(|error| self.unavailable("list", prefix, error))?;
        paths.sort();
        Ok(paths)
    }
}

#[cfg(test)]
mod tests;
