//! Members of etcd that run without a quorum are left as they are, unless it comes back.
//!
//! What brings a quorum back are the members that are down. To restart one that runs and waits for them changes nothing but
//! that it is down as well, and it would not be ready before they are.

use keelson_provider_api::kinds::{Difference, Effect, EtcdMember, MemberPhase};
use keelson_provider_api::{Existing, Health, Kind, Observation, Resource, ResourceKey};

use super::desired::DesiredState;
use super::etcd;
use super::verdict::{Verdict, Verdicts};

/// Blocks what would restart members that run, in clusters whose quorum nothing of the plan brings back.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    if desired.retires_cluster {
        return;
    }
    for (cluster, health) in etcd::clusters(observation) {
        if health.voters < 2 || health.has_quorum() {
            continue;
        }
        let voters: Vec<(&EtcdMember, &Existing)> = voters(observation, &cluster);
        let is_hopeful = |(member, existing): &&(&EtcdMember, &Existing)| match existing.health {
            Health::Healthy | Health::Stalled(_) => true,
            Health::Unhealthy(_) => is_mended(verdicts, member),
        };
        let hopeful = voters.iter().filter(is_hopeful).count();
        if hopeful > health.voters / 2 {
            continue;
        }
        for (member, existing) in voters {
            let bundle = ResourceKey::new(Kind::NodeBundle, &*member.machine);
            if matches!(existing.health, Health::Stalled(_))
                && let Some(verdict) = verdicts.get_mut(&bundle).filter(|verdict| restarts(verdict))
            {
                *verdict = Verdict::blocked(
                    format!(
                        "etcd cluster `{cluster}` {health}; a restart of the member on {} would not bring it back",
                        member.machine
                    ),
                    "bring the members back that are down, or restore a snapshot, and run the command again",
                );
            }
        }
    }
}

fn voters<'a>(observation: &'a Observation, cluster: &str) -> Vec<(&'a EtcdMember, &'a Existing)> {
    let voter = |existing: &'a Existing| match &existing.resource {
        Resource::EtcdMember(member) if member.cluster == cluster && member.phase == MemberPhase::Voter => {
            Some((member, existing))
        }
        _ => None,
    };
    let members = observation.owned_of(Kind::EtcdMember);
    members.filter_map(|(_, existing)| voter(existing)).collect()
}

/// True when something is done to a member that is down, or to what it runs with.
fn is_mended(verdicts: &Verdicts, member: &EtcdMember) -> bool {
    let EtcdMember { cluster, machine, .. } = member;
    let keys = [
        ResourceKey::new(Kind::EtcdMember, EtcdMember::name(cluster, machine)),
        ResourceKey::new(Kind::NodeBundle, &**machine),
    ];
    keys.iter()
        .any(|key| matches!(verdicts.get(key), Some(Verdict::Update { .. })))
}

fn restarts(verdict: &Verdict) -> bool {
    let is_felt = |difference: &Difference| difference.effect >= Effect::Restart;
    matches!(verdict, Verdict::Update { differences, .. } if differences.iter().any(is_felt))
}
