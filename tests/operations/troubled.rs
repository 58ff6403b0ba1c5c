//! A way to a store on which not everything can be read.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{BulkReader, BulkStore, BulkWriter, Precondition, Store, StoreError, Versioned};
use keelson_provider_simulated::MemoryStore;

/// What is said of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The store does not give it just now.
    Busy,
    /// It has its size, and cannot be read to its end.
    Torn,
}

/// A way to a store on which not everything can be read.
pub(super) struct Troubled {
    store: Arc<MemoryStore>,
    /// How paths end that cannot be read, and why not.
    trouble: Mutex<Option<(String, Trouble)>>,
    /// The large objects that were opened.
    opened: Mutex<Vec<String>>,
}

impl Troubled {
    pub(super) fn to(store: Arc<MemoryStore>) -> Self {
        Self {
            store,
            trouble: Mutex::default(),
            opened: Mutex::default(),
        }
    }

    /// From now on what ends with `end` cannot be read.
    pub(super) fn trouble(&self, end: &str, trouble: Trouble) {
        *self.trouble.lock().unwrap() = Some((end.to_owned(), trouble));
    }

    /// From now on everything can be read.
    pub(super) fn mend(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    /// The large objects that were opened since the last time.
    pub(super) fn opened(&self) -> Vec<String> {
        std::mem::take(&mut *self.opened.lock().unwrap())
    }

    fn trouble_of(&self, path: &str) -> Option<Trouble> {
        let trouble = self.trouble.lock().unwrap();
        let (end, trouble) = trouble.as_ref()?;
        path.ends_with(end).then_some(*trouble)
    }

    /// What is shown without reading it whole.
    fn check(&self, path: &str) -> Result<(), StoreError> {
        if self.trouble_of(path) != Some(Trouble::Busy) {
            return Ok(());
        }
        Err(StoreError::Unavailable {
            verb: "read",
            path: path.to_owned(),
            location: self.location(),
            source: "it is busy".into(),
        })
    }
}

#[async_trait]
impl Store for Troubled {
    fn location(&self) -> String {
        self.store.location()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        self.check(path)?;
        self.store.read(path).await
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        self.store.write(path, content, precondition).await
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.store.delete(path, precondition).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }
}

#[async_trait]
impl BulkStore for Troubled {
    async fn begin(&self, path: &str) -> Result<Box<dyn BulkWriter>, StoreError> {
        self.store.begin(path).await
    }

    async fn open(&self, path: &str) -> Result<Option<Box<dyn BulkReader>>, StoreError> {
        self.check(path)?;
        if self.trouble_of(path) == Some(Trouble::Torn) {
            return Err(StoreError::Damaged {
                path: path.to_owned(),
                location: self.location(),
                problem: "it ends before its end".to_owned(),
            });
        }
        self.opened.lock().unwrap().push(path.to_owned());
        self.store.open(path).await
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        self.check(path)?;
        self.store.size(path).await
    }

    async fn sweep(&self, prefix: &str) -> Result<usize, StoreError> {
        self.store.sweep(prefix).await
    }
}
