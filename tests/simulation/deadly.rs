//! A way to a store on which keelson dies at one of its writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{BulkReader, BulkStore, BulkWriter, Precondition, Store, StoreError, Versioned};
use keelson_provider_simulated::MemoryStore;
use tokio::sync::Notify;

/// A way to a store on which keelson dies at one of its writes. The journal is written all the time, and read by nobody: it
/// does not count.
#[derive(Clone)]
pub(super) struct Deadly {
    store: Arc<MemoryStore>,
    fate: Arc<Fate>,
}

struct Fate {
    writes: AtomicU64,
    /// At which write.
    dies_at: u64,
    /// Whether that write still has its effect.
    has_effect: bool,
    died: Notify,
}

impl Deadly {
    pub(super) fn new(store: Arc<MemoryStore>, dies_at: u64, has_effect: bool) -> Self {
        let fate = Fate {
            writes: AtomicU64::new(0),
            dies_at,
            has_effect,
            died: Notify::new(),
        };
        Self {
            store,
            fate: Arc::new(fate),
        }
    }

    /// A way on which nobody dies.
    pub(super) fn counting(store: Arc<MemoryStore>) -> Self {
        Self::new(store, u64::MAX, false)
    }

    pub(super) fn writes(&self) -> u64 {
        self.fate.writes.load(Relaxed)
    }

    /// Ends when keelson has died.
    pub(super) async fn died(&self) {
        self.fate.died.notified().await;
    }
}

impl Fate {
    async fn change<T>(&self, path: &str, change: impl Future<Output = T>) -> T {
        if path.contains("/journal/") || self.writes.fetch_add(1, Relaxed) != self.dies_at {
            return change.await;
        }
        if self.has_effect {
            change.await;
        }
        self.died.notify_one();
        std::future::pending().await
    }
}

#[async_trait]
impl Store for Deadly {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        self.store.read(path).await
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        self.fate
            .change(path, self.store.write(path, content, precondition))
            .await
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.fate
            .change(path, self.store.delete(path, precondition))
            .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }
}

#[async_trait]
impl BulkStore for Deadly {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        Ok(Box::new(DeadlyWriter {
            writer: self.store.begin(path).await?,
            path: path.to_owned(),
            fate: self.fate.clone(),
        }))
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        self.store.open(path).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        self.store.size(path).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError> {
        self.store.sweep(prefix).await
    }
}

struct DeadlyWriter {
    writer: Box<dyn BulkWriter>,
    path: String,
    fate: Arc<Fate>,
}

#[async_trait]
impl BulkWriter for DeadlyWriter {
    async fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let Self { writer, path, fate } = self;
        fate.change(path, writer.write(piece)).await
    }

    async fn finish(self: Box<Self>) -> Result<(), StoreError> {
        self.fate.change(&self.path, self.writer.finish()).await
    }
}
