//! Large objects: written and read piece by piece, so that nobody ever has to hold one as a whole.

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};

use crate::store::{Store, StoreError};

/// A piece of a large object is at most so long.
pub const PIECE_BYTES: usize = 1 << 20;

/// So many objects are looked at at once.
const LOOKS_AT_ONCE: usize = 16;

/// A [`Store`] that takes objects of any size besides.
#[async_trait]
pub trait BulkStore: Store {
    /// Begins to write the object at `path`. It is there once it is [finished](BulkWriter::finish), and not before.
    ///
    /// # Errors
    /// When nothing can be written there.
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError>;

    /// Opens the object at `path`; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError>;

    /// The size of the object at `path` in bytes; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError>;

    /// Looks at all objects that begin with `prefix`, in the order of their paths: at those that end with `read` for what is in
    /// them, which is small, at all others for their size. One that cannot be looked at keeps nobody from seeing the others.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn look(&self, prefix: &str, read: &str) -> Result<Vec<Seen>, StoreError> {
        let looks = self.list(prefix).await?.into_iter().map(|path| async move {
            let is = if path.ends_with(read) {
                let object = self.read(&path).await;
                object.map(|object| object.map(|object| Look::Content(object.content)))
            } else {
                self.size(&path).await.map(|size| size.map(Look::Size))
            };
            is.transpose().map(|is| Seen { path, is })
        });
        let seen: Vec<Option<Seen>> = stream::iter(looks).buffered(LOOKS_AT_ONCE).collect().await;
        Ok(seen.into_iter().flatten().collect())
    }

    /// Takes away what writers below `prefix` have left that were killed, and tells how many those were. What somebody still
    /// writes stays.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError>;
}

/// An object that was looked at.
#[derive(Debug)]
pub struct Seen {
    /// Its path.
    pub path: String,
    /// What was seen, or why nothing was.
    pub is: Result<Look, StoreError>,
}

/// What was seen of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// What is in it.
    Content(Vec<u8>),
    /// Its size in bytes.
    Size(u64),
}

/// An object that is being written. Dropping it unfinished leaves nothing.
#[async_trait]
pub trait BulkWriter: Send {
    /// Appends `piece`.
    ///
    /// # Errors
    /// When the store cannot be written; nothing more can be appended then.
    async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError>;

    /// Puts the object in its place, where a power cut does not reach it any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one already, which stays as it is.
    async fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// An object that is being read, from its beginning to its end.
#[async_trait]
pub trait BulkReader: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the store cannot be read any more.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError>;
}
