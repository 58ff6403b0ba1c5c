//! State in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError, Versioned};

use crate::random::{chance, draw};

/// How often in a row a store may be unavailable.
const MOST_IN_A_ROW: u32 = 2;

/// A store that keeps everything in memory, for embedding and for tests.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    seed: u64,
    percent: u8,
}

#[derive(Debug, Default, Clone)]
struct State {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    versions: u64,
    calls: u64,
    in_a_row: u32,
}

/// Where a call stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Before,
    After,
}

impl MemoryStore {
    /// An empty store that always works.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store of which `percent` in a hundred calls fail, before or after they had their effect; never
    /// more than two in a row.
    pub fn with_faults(seed: u64, percent: u8) -> Self {
        Self {
            seed,
            percent,
            ..Self::default()
        }
    }

    /// A store that begins with what this one holds now and goes its own way.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().clone())),
            seed: self.seed,
            percent: self.percent,
        }
    }

    /// A store that begins with what `other` holds now, and of which `percent` in a hundred calls fail.
    pub fn with_faults_from(other: &Self, seed: u64, percent: u8) -> Self {
        Self {
            seed,
            percent,
            ..other.fork()
        }
    }

    /// This store once more, not a copy of it.
    pub(crate) fn same(&self) -> Self {
        Self {
            state: self.state.clone(),
            ..*self
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held, so a poisoned one still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self, state: &mut State) -> Option<Trouble> {
        state.calls += 1;
        let number = draw(self.seed, &["store", &state.calls.to_string()]);
        if !chance(self.percent, number) || state.in_a_row >= MOST_IN_A_ROW {
            state.in_a_row = 0;
            return None;
        }
        state.in_a_row += 1;
        Some(if number & 0x100 == 0 {
            Trouble::Before
        } else {
            Trouble::After
        })
    }

    fn unavailable(&self, verb: &'static str, path: &str) -> StoreError {
        StoreError::Unavailable {
            verb,
            path: path.to_owned(),
            location: self.location(),
            source: "the connection was reset".into(),
        }
    }

    /// Runs `effect` under the precondition, with whatever trouble is due.
    fn change<T>(
        &self,
        verb: &'static str,
        path: &str,
        precondition: &Precondition,
        effect: impl FnOnce(&mut State) -> T,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        let trouble = self.trouble(&mut state);
        if trouble == Some(Trouble::Before) {
            return Err(self.unavailable(verb, path));
        }
        let version = state.objects.get(path).map(|(_, version)| version.to_string());
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => version.is_none(),
            Precondition::Version(wanted) => version.as_ref() == Some(&wanted.0),
        };
        if !holds {
            return Err(StoreError::Conflict {
                path: path.to_owned(),
                location: self.location(),
            });
        }
        let value = effect(&mut state);
        if trouble == Some(Trouble::After) {
            return Err(self.unavailable(verb, path));
        }
        Ok(value)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        let mut state = self.lock();
        if self.trouble(&mut state).is_some() {
            return Err(self.unavailable("read", path));
        }
        Ok(state.objects.get(path).map(|(content, version)| Versioned {
            content: content.clone(),
            version: ObjectVersion(version.to_string()),
        }))
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        self.change("write", path, &precondition, |state| {
            state.versions += 1;
            let version = state.versions;
            state.objects.insert(path.to_owned(), (content.to_vec(), version));
            ObjectVersion(version.to_string())
        })
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        self.change("delete", path, &precondition, |state| {
            state.objects.remove(path);
        })
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let mut state = self.lock();
        if self.trouble(&mut state).is_some() {
            return Err(self.unavailable("list", prefix));
        }
        let paths = state
            .objects
            .range(prefix.to_owned()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(prefix));
        Ok(paths.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_write_happens_only_under_its_precondition() {
        let store = MemoryStore::new();
        let first = store.write("a/lease", b"1", Precondition::Absent).await.unwrap();
        let again = store.write("a/lease", b"2", Precondition::Absent).await;
        assert!(matches!(again, Err(StoreError::Conflict { .. })));
        let second = store
            .write("a/lease", b"2", Precondition::Version(first.clone()))
            .await
            .unwrap();
        assert_ne!(first, second);
        let stale = store.delete("a/lease", Precondition::Version(first)).await;
        assert!(matches!(stale, Err(StoreError::Conflict { .. })));
        assert_eq!(store.read("a/lease").await.unwrap().unwrap().content, b"2");
        store.delete("a/lease", Precondition::None).await.unwrap();
        store.delete("a/lease", Precondition::None).await.unwrap();
        assert_eq!(store.read("a/lease").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_list_has_what_begins_with_the_prefix_in_order() {
        let store = MemoryStore::new();
        for path in ["b/x", "a/2", "a/1", "ab"] {
            store.write(path, b"", Precondition::None).await.unwrap();
        }
        assert_eq!(store.list("a/").await.unwrap(), ["a/1", "a/2"]);
    }

    #[tokio::test]
    async fn faults_come_from_the_seed_and_never_three_in_a_row() {
        let run = async || {
            let store = MemoryStore::with_faults(7, 80);
            let mut failed = Vec::new();
            for _ in 0..60 {
                failed.push(store.read("a").await.is_err());
            }
            failed
        };
        let first = run().await;
        assert_eq!(first, run().await);
        assert!(first.iter().filter(|&&failed| failed).count() > 20);
        assert!(first.windows(3).all(|row| row.contains(&false)));
    }
}
