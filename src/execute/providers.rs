//! Which provider looks after which kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use keelson_provider_api::{Change, ClusterIdentity, Finding, Kind, Provider};

/// The providers of one cluster, by the kinds that they look after.
#[derive(Clone)]
pub struct ProviderSet {
    providers: Vec<Arc<dyn Provider>>,
    by_kind: BTreeMap<Kind, usize>,
}

/// Two providers want the same kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("both `{first}` and `{second}` look after the kind {kind}")]
pub struct ProviderSetError {
    kind: Kind,
    first: String,
    second: String,
}

impl ProviderSet {
    /// A set of these providers.
    ///
    /// # Errors
    /// [`ProviderSetError`] when two of them look after the same kind.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Result<Self, ProviderSetError> {
        let mut by_kind = BTreeMap::new();
        for (index, provider) in providers.iter().enumerate() {
            for &kind in provider.kinds() {
                if let Some(first) = by_kind.insert(kind, index) {
                    let first: &Arc<dyn Provider> = &providers[first];
                    return Err(ProviderSetError {
                        kind,
                        first: first.name().to_owned(),
                        second: provider.name().to_owned(),
                    });
                }
            }
        }
        Ok(Self { providers, by_kind })
    }

    /// The provider that looks after `kind`, with its position in the set.
    pub fn of_kind(&self, kind: Kind) -> Option<(usize, &dyn Provider)> {
        let index = *self.by_kind.get(&kind)?;
        Some((index, self.providers[index].as_ref()))
    }

    /// How many changes each provider can take at once, by its position.
    pub fn concurrency_limits(&self) -> Vec<usize> {
        self.providers
            .iter()
            .map(|provider| provider.concurrency_limit().max(1))
            .collect()
    }

    /// What stands in the way of `changes`, as the providers of their kinds see it; in order of machines and names.
    pub async fn preflight(&self, cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        let of = |index: usize| {
            let own: Vec<&Change> = changes
                .iter()
                .copied()
                .filter(|change| self.by_kind.get(&change.key.kind()) == Some(&index))
                .collect();
            async move { self.providers[index].preflight(cluster, &own).await }
        };
        let mut findings = join_all((0..self.providers.len()).map(of)).await.concat();
        findings.sort_by(|left, right| (&left.machine, &left.name).cmp(&(&right.machine, &right.name)));
        findings
    }

    /// How long `change` typically takes.
    pub fn typical_duration(&self, change: &Change) -> Duration {
        self.of_kind(change.key.kind())
            .map_or(Duration::ZERO, |(_, provider)| provider.typical_duration(change))
    }
}
