//! Looks at the world through all providers.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use jiff::Timestamp;
use keelson_provider_api::{
    Clock, ClusterIdentity, Kind, KindObservation, Observation, Provider, ProviderError, ResourceKey,
};

use super::backoff::{Backoff, OBSERVATION_ATTEMPTS};
use super::providers::ProviderSet;

/// Looks at `kinds`: at all that the cluster owns, and at whatever holds one of the names in `wanted`.
///
/// A kind that cannot be looked at, also after trying again, is unknown in the result, with the reason.
pub async fn observe(
    providers: &ProviderSet,
    clock: &dyn Clock,
    cluster: &ClusterIdentity,
    kinds: &[Kind],
    wanted: impl IntoIterator<Item = &ResourceKey>,
) -> Observation {
    let mut wanted_by_kind: BTreeMap<Kind, BTreeSet<ResourceKey>> = BTreeMap::new();
    for key in wanted {
        wanted_by_kind.entry(key.kind()).or_default().insert(key.clone());
    }
    let nothing = BTreeSet::new();
    let looks = kinds.iter().map(|&kind| {
        let wanted = wanted_by_kind.get(&kind).unwrap_or(&nothing);
        async move {
            match providers.of_kind(kind) {
                Some((_, provider)) => (kind, Some(look(provider, clock, cluster, kind, wanted).await)),
                None => (kind, None),
            }
        }
    });
    let seen = join_all(looks).await;
    let mut observation = Observation::new(clock.now());
    for (kind, result) in seen {
        match result {
            Some(Ok(found)) => observation.record(kind, found),
            Some(Err(error)) => observation.record_failure(kind, error.to_string()),
            // A kind that nobody looks after cannot exist in this cluster.
            None => observation.record(kind, KindObservation::default()),
        }
    }
    observation
}

/// Looks at everything that there is of a cluster that lives. What its controllers made is nobody's business yet.
pub async fn observe_living(
    providers: &ProviderSet,
    clock: &dyn Clock,
    cluster: &ClusterIdentity,
    wanted: impl IntoIterator<Item = &ResourceKey>,
) -> Observation {
    let mut kinds = all_kinds();
    kinds.retain(|kind| *kind != Kind::Leftover);
    observe(providers, clock, cluster, &kinds, wanted).await
}

/// Looks at everything there is, also at what goes with the cluster alone.
pub async fn observe_all(
    providers: &ProviderSet,
    clock: &dyn Clock,
    cluster: &ClusterIdentity,
    wanted: impl IntoIterator<Item = &ResourceKey>,
) -> Observation {
    observe(providers, clock, cluster, &all_kinds(), wanted).await
}

fn all_kinds() -> Vec<Kind> {
    let all = keelson_provider_api::kinds::KINDS.iter();
    all.map(|info| info.kind).collect()
}

async fn look(
    provider: &dyn Provider,
    clock: &dyn Clock,
    cluster: &ClusterIdentity,
    kind: Kind,
    wanted: &BTreeSet<ResourceKey>,
) -> Result<KindObservation, ProviderError> {
    let mut backoff = Backoff::new(seed(kind, clock.now()));
    for _ in 1..OBSERVATION_ATTEMPTS {
        match provider.observe(cluster, kind, wanted).await {
            Err(error) if error.class.may_pass() => {
                clock.sleep(backoff.next(error.class)).await;
            }
            result => return result,
        }
    }
    provider.observe(cluster, kind, wanted).await
}

fn seed(kind: Kind, now: Timestamp) -> u64 {
    (kind as u64) ^ now.as_millisecond().unsigned_abs()
}
