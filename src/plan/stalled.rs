//! Members of etcd that run are left as they are where their restart would take a quorum away, or would not bring it back.
//!
//! A restart that has to wait for a member whose machine does not answer would wait for as long as that does not.
//!
//! What brings a quorum back are the members that are down. To restart one that runs and waits for them changes nothing but
//! that it is down as well, and it would not be ready before they are.

use std::collections::{BTreeMap, BTreeSet};

use keelson_provider_api::kinds::{Difference, Effect, EtcdMember, MemberPhase, NodeBundle};
use keelson_provider_api::{Existing, Health, Kind, Observation, Observed, Resource, ResourceKey};

use super::desired::DesiredState;
use super::etcd;
use super::verdict::{Verdict, Verdicts};

/// Blocks what would restart members that run, in clusters whose quorum nothing of the plan brings back, and in those that
/// would lose it because others are on machines that do not answer.
pub(super) fn review(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    if desired.retires_cluster {
        return;
    }
    review_silent(verdicts, desired, observation);
    for (cluster, health) in etcd::clusters(observation) {
        if health.voters < 2 || health.has_quorum() {
            continue;
        }
        let voters: Vec<(&EtcdMember, &Existing)> = voters(observation, &cluster);
        let is_hopeful = |(member, existing): &&(&EtcdMember, &Existing)| match existing.health {
            Health::Healthy | Health::Impaired(_) | Health::Stalled(_) => true,
            Health::Unhealthy(_) => is_mended(verdicts, member),
            Health::Lost(_) => false,
        };
        let hopeful = voters.iter().filter(is_hopeful).count();
        if hopeful > health.voters / 2 {
            continue;
        }
        let stalled = voters
            .into_iter()
            .filter(|(_, existing)| matches!(existing.health, Health::Stalled(_)));
        for (member, _) in stalled {
            block_restart(
                verdicts,
                member,
                &format!(
                    "etcd cluster `{cluster}` {health}; a restart of the member on {} would not bring it back",
                    member.machine
                ),
                "bring the members back that are down, or restore a snapshot, and run the command again",
            );
        }
    }
}

fn block_restart(verdicts: &mut Verdicts, member: &EtcdMember, reason: &str, help: &str) {
    let bundle = ResourceKey::new(Kind::NodeBundle, &*member.machine);
    if let Some(verdict) = verdicts.get_mut(&bundle).filter(|verdict| restarts(verdict)) {
        *verdict = Verdict::blocked(reason, help);
    }
    // A machine that is made anew is away for longer still.
    let own = ResourceKey::new(
        Kind::EtcdMember,
        EtcdMember::name(&member.cluster, &member.machine),
    );
    if !matches!(verdicts.get(&own), Some(Verdict::Replace { .. })) {
        return;
    }
    let on_machine = |key: &ResourceKey| match key.kind() {
        Kind::Machine => key.name() == member.machine,
        _ => key.host() == Some(&member.machine),
    };
    for (_, verdict) in verdicts.iter_mut().filter(|(key, _)| on_machine(key)) {
        if matches!(verdict, Verdict::Replace { .. }) {
            *verdict = Verdict::blocked(reason, help);
        }
    }
}

/// The members of each etcd cluster on machines that do not answer, by machine. Their fellows may know of them.
fn silent(desired: &DesiredState, observation: &Observation) -> BTreeMap<String, BTreeSet<String>> {
    let mut silent: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for key in desired.resources.keys() {
        let serves = observation
            .present(key)
            .is_some_and(|member| member.health.serves());
        let (Some(cluster), Some(machine), false) = (key.etcd_cluster(), key.host(), serves) else {
            continue;
        };
        if let Observed::Unknown(_) = observation.get(&ResourceKey::new(Kind::Machine, machine)) {
            let of_cluster = silent.entry(cluster.to_owned()).or_default();
            of_cluster.insert(machine.to_owned());
        }
    }
    silent
}

fn review_silent(verdicts: &mut Verdicts, desired: &DesiredState, observation: &Observation) {
    for (cluster, silent) in silent(desired, observation) {
        let mut voters = voters(observation, &cluster);
        voters.retain(|(member, _)| !silent.contains(&member.machine));
        let joining = desired.resources.keys().filter(|key| {
            key.etcd_cluster() == Some(&cluster) && matches!(verdicts.get(*key), Some(Verdict::Create { .. }))
        });
        let there = voters.len() + joining.count();
        // One of those that are there restarts.
        let all = there + silent.len();
        if there.saturating_sub(1) > all / 2 {
            continue;
        }
        let away: Vec<&str> = silent.iter().map(String::as_str).collect();
        let away = away.join(", ");
        let help = format!(
            "bring {away} back, or take it out of the spec if it is gone for good, and run the command again"
        );
        // What is down loses nothing, and may be what the others wait for.
        let running = voters
            .into_iter()
            .filter(|(_, existing)| !matches!(existing.health, Health::Unhealthy(_) | Health::Lost(_)));
        for (member, _) in running {
            let reason = format!(
                "etcd cluster `{cluster}` would lose its quorum while the member on {} restarts: {away} cannot be seen",
                member.machine
            );
            block_restart(verdicts, member, &reason, &help);
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
    keys.iter().any(|key| match verdicts.get(key) {
        // What is started then is not etcd.
        Some(Verdict::Update { differences, .. }) => !NodeBundle::only_starts(differences),
        Some(Verdict::ComesBack { .. }) => true,
        _ => false,
    })
}

fn restarts(verdict: &Verdict) -> bool {
    let is_felt = |difference: &Difference| difference.effect >= Effect::Restart;
    matches!(verdict, Verdict::Update { differences, .. } if differences.iter().any(is_felt))
}
