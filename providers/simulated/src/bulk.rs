//! Large objects in memory: those of simulations are small.

use async_trait::async_trait;
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::{BulkReader, BulkStore, BulkWriter, Precondition, Store, StoreError};

use crate::store::MemoryStore;

#[async_trait]
impl BulkStore for MemoryStore {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        Ok(Box::new(Draft {
            store: self.same(),
            path: path.to_owned(),
            content: Vec::new(),
        }))
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        let object = self.read(path).await?;
        Ok(object.map(|object| Box::new(Opened(object.content)) as Box<dyn BulkReader>))
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.read(path).await?.map(|object| object.content.len() as u64))
    }

    /// Nobody who was killed leaves anything in memory.
    async fn sweep(&self, _prefix: &str) -> Result<usize, StoreError> {
        Ok(0)
    }
}

struct Draft {
    store: MemoryStore,
    path: String,
    content: Vec<u8>,
}

#[async_trait]
impl BulkWriter for Draft {
    async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        self.content.extend_from_slice(piece);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let written = self.store.write(&self.path, &self.content, Precondition::Absent);
        written.await.map(|_| ())
    }
}

struct Opened(Vec<u8>);

#[async_trait]
impl BulkReader for Opened {
    async fn read(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let rest = self.0.split_off(self.0.len().min(PIECE_BYTES));
        let piece = std::mem::replace(&mut self.0, rest);
        Ok((!piece.is_empty()).then_some(piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_there_once_it_is_finished_and_is_never_written_over() {
        let store = MemoryStore::new();
        let mut draft = store.begin("a").await.unwrap();
        let piece = vec![7; PIECE_BYTES];
        draft.write(&piece).await.unwrap();
        draft.write(b"end").await.unwrap();
        assert_eq!(store.size("a").await.unwrap(), None);
        let other = store.begin("a").await.unwrap();
        draft.finish().await.unwrap();
        assert!(matches!(other.finish().await, Err(StoreError::Conflict { .. })));
        let mut opened = store.open("a").await.unwrap().unwrap();
        assert_eq!(opened.read().await.unwrap(), Some(piece));
        assert_eq!(opened.read().await.unwrap(), Some(b"end".to_vec()));
        assert_eq!(opened.read().await.unwrap(), None);
    }
}
