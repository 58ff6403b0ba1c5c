//! A crash of keelson at every write to the state store: between the record, the spec, the list of release files, keys and the
//! life that the lease tells of, and between what the end of a cluster takes away.
//!
//! The journal is written all the time, and read by nobody: it does not count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use async_trait::async_trait;
use keelson::execute::Silent;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError, Versioned};
use keelson_provider_simulated::MemoryStore;
use tokio::sync::Notify;

use super::life::{Life, Operation, block_on, operations};
use super::sharded;
use super::specs::Shape;

/// A way to a store on which keelson dies at one of its writes.
struct Deadly {
    store: Arc<MemoryStore>,
    writes: AtomicU64,
    /// At which write.
    dies_at: u64,
    /// Whether that write still has its effect.
    has_effect: bool,
    died: Notify,
}

impl Deadly {
    fn new(store: Arc<MemoryStore>, deadly: u64, has_effect: bool) -> Self {
        Self {
            store,
            writes: AtomicU64::new(0),
            dies_at: deadly,
            has_effect,
            died: Notify::new(),
        }
    }

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
        self.change(path, self.store.write(path, content, precondition))
            .await
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.change(path, self.store.delete(path, precondition)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.store.list(prefix).await
    }
}

async fn dies_at_every_write(life: &mut Life, operation: &Operation, end: &Operation) -> Result<(), String> {
    let before = life.fork();
    let counting = Arc::new(Deadly::new(life.store.clone(), u64::MAX, false));
    life.run_on(counting.clone(), operation, &Silent).await;
    life.check(operation).await?;
    let writes = counting.writes.load(Relaxed);
    for deadly in 0..writes {
        let mut fork = before.fork();
        let has_effect = (deadly + life.seed / SPARED).is_multiple_of(2);
        let store = Arc::new(Deadly::new(fork.store.clone(), deadly, has_effect));
        let died = tokio::select! {
            biased;
            _ = fork.run_on(store.clone(), operation, &Silent) => false,
            () = store.died.notified() => true,
        };
        let told = |problem: String| format!("death at write {deadly} of {writes} to the store: {problem}");
        if !died {
            return Err(told("it did not come".to_owned()));
        }
        fork.converge(operation, |_, _| {}).await.map_err(told)?;
        fork.check(operation).await.map_err(told)?;
        fork.converge(end, |_, _| {}).await.map_err(told)?;
        fork.check_gone().map_err(told)?;
    }
    Ok(())
}

/// One seed of so many, which has nothing in common with the number of parts: each takes as many lives as there are writes.
const SPARED: u64 = 9;

fn every_write(seed: u64) -> Result<(), String> {
    if !seed.is_multiple_of(SPARED) {
        return Ok(());
    }
    block_on(async {
        let mut life = Life::new(seed, &Shape::of_seed(seed));
        let [create, edit, _, destroy] = operations(seed);
        for operation in [&create, &edit, &destroy] {
            dies_at_every_write(&mut life, operation, &destroy).await?;
        }
        life.check_gone()
    })
}

sharded!(
    every_write,
    "store_crashes",
    store_crashes_0 = 0,
    store_crashes_1 = 1,
    store_crashes_2 = 2,
    store_crashes_3 = 3,
    store_crashes_4 = 4,
    store_crashes_5 = 5,
    store_crashes_6 = 6,
    store_crashes_7 = 7,
);
