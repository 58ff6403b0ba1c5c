//! Large objects: written and read piece by piece, so that nobody ever has to hold one as a whole.

use async_trait::async_trait;

use crate::store::{Store, StoreError};

/// A piece of a large object is at most so long.
pub const PIECE_BYTES: usize = 1 << 20;

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

    /// Takes away what writers below `prefix` have left that were killed, and tells how many those were. What somebody still
    /// writes stays.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError>;
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
