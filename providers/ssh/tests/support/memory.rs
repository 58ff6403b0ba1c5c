//! A state store in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError, Versioned};

/// Objects by path, with the number of the write that made each.
#[derive(Default)]
pub(crate) struct MemoryStore {
    objects: Mutex<(u64, BTreeMap<String, Versioned>)>,
}

impl MemoryStore {
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        let objects = self.objects.lock().unwrap();
        let found = objects.1.get(path)?;
        Some(String::from_utf8(found.content.clone()).unwrap())
    }

    fn conflict(path: &str) -> StoreError {
        StoreError::Conflict {
            path: path.to_owned(),
            location: "memory".to_owned(),
        }
    }
}

fn holds(precondition: &Precondition, there: Option<&Versioned>) -> bool {
    match precondition {
        Precondition::None => true,
        Precondition::Absent => there.is_none(),
        Precondition::Version(version) => there.is_some_and(|there| there.version == *version),
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    async fn read(&self, path: &str) -> Result<Option<Versioned>, StoreError> {
        Ok(self.objects.lock().unwrap().1.get(path).cloned())
    }

    async fn write(
        &self,
        path: &str,
        content: &[u8],
        precondition: Precondition,
    ) -> Result<ObjectVersion, StoreError> {
        let mut objects = self.objects.lock().unwrap();
        if !holds(&precondition, objects.1.get(path)) {
            return Err(Self::conflict(path));
        }
        objects.0 += 1;
        let version = ObjectVersion(objects.0.to_string());
        let object = Versioned {
            content: content.to_vec(),
            version: version.clone(),
        };
        objects.1.insert(path.to_owned(), object);
        Ok(version)
    }

    async fn delete(&self, path: &str, precondition: Precondition) -> Result<(), StoreError> {
        let mut objects = self.objects.lock().unwrap();
        if !holds(&precondition, objects.1.get(path)) {
            return Err(Self::conflict(path));
        }
        objects.1.remove(path);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let objects = self.objects.lock().unwrap();
        Ok(objects
            .1
            .keys()
            .filter(|path| path.starts_with(prefix))
            .cloned()
            .collect())
    }
}
