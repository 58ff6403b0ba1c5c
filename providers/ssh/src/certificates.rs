//! The certificates that lie on a host.

use keelson_provider_api::{ClusterIdentity, ErrorClass, FoundOnMachine, Owner, ProviderError};

use crate::facts::Scope;
use crate::hosts::Hosts;

impl Hosts {
    /// The certificates that the bundle in force on a host names and that are there, and the keys that are not; `None` for
    /// a host that bears no mark: nobody has claimed it.
    ///
    /// # Errors
    /// When it cannot be reached, or does not belong to `cluster`.
    pub async fn certificates(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
    ) -> Result<Option<FoundOnMachine>, ProviderError> {
        let facts = self.facts(name, Scope::Marks).await?;
        let refused = |problem: String| ProviderError::new(ErrorClass::Permanent, problem);
        match &facts.mark {
            None => Ok(None),
            Some(Err(problem)) => Err(refused(format!(
                "the mark on {name}, /var/lib/keelson/host.json, is damaged: {problem}"
            ))),
            Some(Ok(mark)) => match mark.owner(cluster, name) {
                Owner::ThisCluster => Ok(Some(facts.found())),
                Owner::Other(owner) => Err(refused(format!("{name} belongs to {owner}"))
                    .with_help(format!("name another host in the place of {name}"))),
            },
        }
    }
}
