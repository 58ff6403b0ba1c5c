//! What is forgotten of hosts: those that are gone, those that were released, and their keys.
//!
//! | call | of which host | what goes | who asks |
//! |---|---|---|---|
//! | `give_up` | one that left the spec and is gone for good | all that is remembered of it | `node forget` |
//! | `check_gone` | one that is called gone | nothing: it must not answer | `destroy --gone`, before and under the lease |
//! | `forget` | the same | all that is remembered of it | `destroy --gone`, when nothing else of the cluster is left |
//! | `forget_claim` | one that was released | that it was claimed; its keys stay pinned | the step that releases it |
//! | `forget_keys` | one that was installed anew | its pinned keys | `node forget-key` |

use keelson_provider_api::{ErrorClass, ProviderError};

use super::Hosts;
use crate::facts::{FactsError, Scope};
use crate::records::HostRecord;
use crate::shell::HostErrorKind;
use crate::target::Target;

impl Hosts {
    /// Forgets a host that is gone for good, so that nothing waits for it any more. Nothing is done on it.
    ///
    /// # Errors
    /// When the spec names it, when nothing is remembered of it, when it answers and bears the cluster's mark or cannot be
    /// asked, or when the store cannot be read or written.
    pub async fn give_up(&self, name: &str) -> Result<(), ProviderError> {
        let refused = |message: String, help: String| {
            Err(ProviderError::new(ErrorClass::Permanent, message).with_help(help))
        };
        if self.is_in_spec(name) {
            let help = format!("take {name} out of spec.provider.ssh.hosts first");
            return refused(format!("the spec has the host {name}"), help);
        }
        let Some(record) = self.records.read(name).await? else {
            let known: Vec<&str> = self.names().filter(|name| !self.is_in_spec(name)).collect();
            let help = match known.as_slice() {
                [] => "the cluster has no hosts besides those of the spec".to_owned(),
                known => format!(
                    "hosts that have left the spec and are not released: {}",
                    known.join(", ")
                ),
            };
            return refused(format!("nothing is remembered of a host {name}"), help);
        };
        if self.is_ours(name, Some(&record)).await? {
            let message = format!(
                "{name} answers at {} and is a host of this cluster",
                record.target.address
            );
            return refused(message, "it is not gone: `keelson apply` releases it".to_owned());
        }
        self.forget(name).await
    }

    /// Makes sure that a host that is called gone does not answer as one of the cluster's.
    ///
    /// # Errors
    /// When nobody knows it, when it answers and bears the cluster's mark or cannot be asked, or when the store cannot be
    /// read.
    pub async fn check_gone(&self, name: &str) -> Result<(), ProviderError> {
        let permanent = |message: String| ProviderError::new(ErrorClass::Permanent, message);
        let Some(target) = self.target(name) else {
            let known: Vec<&str> = self.names().collect();
            return Err(permanent(format!("the cluster has no host {name}"))
                .with_help(format!("its hosts are: {}", known.join(", "))));
        };
        let record = self.records.read(name).await?;
        if self.is_ours(name, record.as_ref()).await? {
            return Err(permanent(format!(
                "{name} answers at {} and is a host of this cluster",
                target.address
            ))
            .with_help(format!(
                "it is not gone, and is released like the others: leave out --gone {name}"
            )));
        }
        Ok(())
    }

    /// True when a host answers and bears the mark of the cluster that claimed it. One that does not answer, or is someone
    /// else's by now, has nothing that could be released. One that answers and cannot be asked, because it does not let this
    /// user in or shows another key, may be the cluster's: that is an error.
    async fn is_ours(&self, name: &str, record: Option<&HostRecord>) -> Result<bool, ProviderError> {
        let facts = match self.facts(name, Scope::Marks).await {
            Ok(facts) => facts,
            Err(FactsError::Host(error)) if error.kind == HostErrorKind::Unreachable => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        match (facts.mark, record.and_then(|record| record.claimed_by.as_ref())) {
            (None, _) => Ok(false),
            (Some(Ok(mark)), Some(claimed_by)) => Ok(mark.uid == *claimed_by),
            (Some(Ok(mark)), None) => Ok(mark.cluster == self.cluster),
            (Some(Err(problem)), _) => {
                let message = format!("{name} answers and bears a mark that cannot be read: {problem}");
                Err(ProviderError::new(ErrorClass::Permanent, message)
                    .with_help("look at /var/lib/keelson on it: it may be a host of this cluster"))
            }
        }
    }

    /// Forgets that a host was claimed, after it was released. Keys that were pinned for it stay.
    pub(crate) async fn forget_claim(&self, name: &str) -> Result<(), ProviderError> {
        match self.target(name) {
            Some(target) => self.records.release(target).await,
            None => Ok(()),
        }
    }

    /// The hosts whose keys are pinned, in the spec or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pinned(&self) -> Result<Vec<String>, ProviderError> {
        let records = self.records.all().await?.into_iter();
        let pinned = records.filter(|(_, record)| !record.host_keys.is_empty());
        Ok(pinned.map(|(name, _)| name).collect())
    }

    /// Forgets a host and the keys that were pinned for it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget(&self, name: &str) -> Result<(), ProviderError> {
        self.records.remove(name).await
    }

    /// Forgets the host keys that were pinned for a host, as after it was installed anew; the next connection goes by the
    /// user's own known hosts again.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn forget_keys(&self, name: &str) -> Result<(), ProviderError> {
        let Some(record) = self.records.read(name).await? else {
            return Ok(());
        };
        let target = Target {
            name: name.to_owned(),
            ..record.target
        };
        self.records
            .change(&target, |record| record.host_keys.clear())
            .await
    }
}
