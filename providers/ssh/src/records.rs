//! What the state store remembers of hosts, so that one that has left the spec can still be released.

use std::sync::Arc;

use keelson_provider_api::values::ClusterName;
use keelson_provider_api::{
    ClusterUid, ErrorClass, Precondition, ProviderError, Store, StoreError, advice, with_causes,
};
use serde::{Deserialize, Serialize};

use crate::target::Target;

/// How often a change of a record is tried when others write it at the same time.
const ATTEMPTS: u32 = 8;

/// What is remembered of a host, in `<cluster>/hosts/<name>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostRecord {
    /// How it was reached last.
    pub target: Target,
    /// Host keys that were seen when the user allowed it, as in a `known_hosts` file: `ssh-ed25519 AAAA…`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_keys: Vec<String>,
    /// Its `/etc/machine-id`, once it was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The life of the cluster that claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<ClusterUid>,
}

impl HostRecord {
    fn of(target: Target) -> Self {
        Self {
            target,
            host_keys: Vec::new(),
            machine_id: None,
            claimed_by: None,
        }
    }
}

/// The records of one cluster's hosts.
#[derive(Clone)]
pub(crate) struct Records {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Records {
    pub(crate) fn new(store: Arc<dyn Store>, cluster: &ClusterName) -> Self {
        let prefix = format!("{cluster}/hosts/");
        Self { store, prefix }
    }

    /// Where the record of a host is, for messages.
    pub(crate) fn location(&self, name: &str) -> String {
        format!("{} in {}", self.path(name), self.store.location())
    }

    pub(crate) async fn all(&self) -> Result<Vec<(String, HostRecord)>, ProviderError> {
        let paths = self
            .store
            .list(&self.prefix)
            .await
            .map_err(|error| of_store(&error))?;
        let mut records = Vec::new();
        for path in paths {
            let name = path
                .strip_prefix(&self.prefix)
                .and_then(|file| file.strip_suffix(".json"));
            if let Some(name) = name
                && let Some(record) = self.read(name).await?
            {
                records.push((name.to_owned(), record));
            }
        }
        Ok(records)
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<HostRecord>, ProviderError> {
        let path = self.path(name);
        let found = self.store.read(&path).await.map_err(|error| of_store(&error))?;
        found.map(|found| self.parse(name, &found.content)).transpose()
    }

    /// Changes the record of `target`; it is made when there is none.
    pub(crate) async fn change(
        &self,
        target: &Target,
        change: impl Fn(&mut HostRecord) + Send + Sync,
    ) -> Result<(), ProviderError> {
        let path = self.path(&target.name);
        for _ in 0..ATTEMPTS {
            let found = self.store.read(&path).await.map_err(|error| of_store(&error))?;
            let (before, precondition) = match found {
                Some(found) => (
                    Some(self.parse(&target.name, &found.content)?),
                    Precondition::Version(found.version),
                ),
                None => (None, Precondition::Absent),
            };
            let mut record = before.clone().unwrap_or_else(|| HostRecord::of(target.clone()));
            change(&mut record);
            if before.as_ref() == Some(&record) {
                return Ok(());
            }
            let text = serde_json::to_vec_pretty(&record)
                .map_err(|error| ProviderError::new(ErrorClass::Permanent, error.to_string()))?;
            match self.store.write(&path, &text, precondition).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(of_store(&error)),
            }
        }
        Err(ProviderError::new(
            ErrorClass::Transient,
            format!("{} changes all the time", self.location(&target.name)),
        ))
    }

    /// Forgets that a host was claimed. Its keys stay, so that another key in their place is noticed also by the next cluster.
    pub(crate) async fn release(&self, target: &Target) -> Result<(), ProviderError> {
        let Some(record) = self.read(&target.name).await? else {
            return Ok(());
        };
        if record.host_keys.is_empty() {
            return self.remove(&target.name).await;
        }
        let change = |record: &mut HostRecord| {
            record.machine_id = None;
            record.claimed_by = None;
        };
        self.change(target, change).await
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), ProviderError> {
        let removed = self.store.delete(&self.path(name), Precondition::None).await;
        removed.map_err(|error| of_store(&error))
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}.json", self.prefix)
    }

    fn parse(&self, name: &str, content: &[u8]) -> Result<HostRecord, ProviderError> {
        serde_json::from_slice(content).map_err(|error| {
            ProviderError::new(
                ErrorClass::Permanent,
                format!("{} is damaged: {error}", self.location(name)),
            )
            .with_help("repair it, or remove it when the host does not belong to the cluster any more")
        })
    }
}

fn of_store(error: &StoreError) -> ProviderError {
    let class = match error {
        StoreError::Damaged { .. } => ErrorClass::Permanent,
        _ => ErrorClass::Transient,
    };
    let told = with_causes(error);
    match advice(error) {
        // What the file system refuses for good is refused to every other host as well.
        Some(advice) => ProviderError::new(ErrorClass::Unusable, told).with_help(advice),
        None => ProviderError::new(class, told),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_store_that_is_full_stays_so_and_one_that_is_slow_does_not() {
        let refused = |kind: io::ErrorKind| {
            of_store(&StoreError::Unavailable {
                verb: "write",
                path: "demo/hosts/a.json".to_owned(),
                location: "./state".to_owned(),
                source: Box::new(io::Error::from(kind)),
            })
        };
        let full = refused(io::ErrorKind::StorageFull);
        assert_eq!(full.class, ErrorClass::Unusable);
        assert!(full.help.is_some_and(|help| help.contains("make room")));
        assert_eq!(refused(io::ErrorKind::TimedOut).class, ErrorClass::Transient);
    }
}
