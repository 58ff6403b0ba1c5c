//! A snapshot before the first change of version.

use jiff::{Span, Timestamp};
use keelson_provider_api::kinds::EtcdSnapshot;
use keelson_provider_api::{Action, Change, Disruption, Kind, Observation, Observed, Resource, ResourceKey};

use super::link::Link;
use crate::plan::desired::DesiredState;
use crate::plan::draft::Drafts;
use crate::plan::etcd;

/// A snapshot that is younger than this will do for an upgrade that goes on after an interruption.
const SNAPSHOT_LIFE_HOURS: i64 = 24;

/// A verified snapshot comes before the first change of version, unless a young one is there from an upgrade that
/// was interrupted.
pub(super) fn add_snapshot(
    drafts: &mut Drafts,
    chain: &[Link],
    desired: &DesiredState,
    observation: &Observation,
    now: Timestamp,
) -> Option<usize> {
    if !chain.iter().any(|link| link.newer_bundle.is_some()) {
        return None;
    }
    let purpose = purpose(desired)?;
    let mut last = None;
    let formed = etcd::clusters(observation)
        .into_iter()
        .filter(|(_, health)| health.formed);
    for (cluster, _) in formed {
        if has_young_snapshot(observation, &cluster, &purpose, now) {
            continue;
        }
        let name = format!("{cluster}:{}", now.strftime("%Y%m%dT%H%M%SZ"));
        let key = ResourceKey::new(Kind::EtcdSnapshot, name);
        if desired.resources.contains_key(&key) || !matches!(observation.get(&key), Observed::Absent) {
            continue;
        }
        let index = drafts.push_extra(Change {
            action: Action::Create {
                resource: Box::new(
                    EtcdSnapshot {
                        cluster,
                        purpose: purpose.clone(),
                    }
                    .into(),
                ),
                generation: observation.next_generation(&key),
            },
            key,
            reason: format!("before the {purpose}"),
            disruption: Disruption::None,
            replacement: false,
        });
        if let Some(before) = last.replace(index) {
            drafts.order(before, index);
        }
    }
    last
}

/// What all of it leads to, so that an upgrade which goes on after an interruption has the same purpose.
fn purpose(desired: &DesiredState) -> Option<String> {
    let bundles = || {
        desired
            .resources
            .values()
            .filter_map(|wanted| match &wanted.resource {
                Resource::NodeBundle(bundle) => Some(bundle),
                _ => None,
            })
    };
    let kubernetes = bundles().filter_map(|bundle| bundle.kubernetes_version).max();
    let etcd = bundles().filter_map(|bundle| bundle.etcd_version).max();
    match (kubernetes, etcd) {
        (Some(kubernetes), Some(etcd)) => Some(format!("upgrade to Kubernetes {kubernetes}, etcd {etcd}")),
        (Some(kubernetes), None) => Some(format!("upgrade to Kubernetes {kubernetes}")),
        (None, Some(etcd)) => Some(format!("upgrade to etcd {etcd}")),
        (None, None) => None,
    }
}

fn has_young_snapshot(observation: &Observation, cluster: &str, purpose: &str, now: Timestamp) -> bool {
    observation.owned_of(Kind::EtcdSnapshot).any(|(_, existing)| {
        let fits = matches!(&existing.resource, Resource::EtcdSnapshot(snapshot)
            if snapshot.cluster == cluster && snapshot.purpose == purpose);
        let young = existing
            .created_at
            .checked_add(Span::new().hours(SNAPSHOT_LIFE_HOURS))
            .is_ok_and(|until| until > now);
        // One that cannot be restored is no net to fall into.
        fits && young && existing.health.is_healthy()
    })
}
