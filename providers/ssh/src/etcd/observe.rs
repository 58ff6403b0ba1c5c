//! What the planner is told of members.
//!
//! What is decided here, and why:
//!
//! - A member that the list names is there, whatever its machine says: a machine that does not answer leaves a voter
//!   that does not answer, and the quorum is counted with it. Only where no list is to be had is it unknown.
//! - A member that was listed and never started is not there, unless its machine carries its mark: it is made by a
//!   create, which finds it in the list and goes on from there.
//! - What is left on a machine of a member that was removed waits ([`MemberPhase::Waiting`]): wanted, it is updated,
//!   which makes it join anew; not wanted, it is deleted.
//! - A member whose machine has nothing of it lives on another machine of the same name, one that is gone: the planner
//!   replaces it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keelson_provider_api::etcd::restore_command;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
use keelson_provider_api::{
    EtcdAnswer, EtcdMemberFacts, Existing, Health, Kind, KindObservation, Observed, Owner, ResourceKey,
};

use super::answers::{Member, Status};
use super::look::Seen;
use super::mark::{Mark, MarkSeen};
use super::survey::Survey;

/// The machine of a member that is listed and of which its machine has nothing: none that exists.
const NO_MACHINE: &str = "gone";

/// How many entries a learner may be behind and count as in sync; etcd promotes from nine tenths on.
const LAG: u64 = 10;

/// What `survey` shows of its etcd cluster's members. Of those that are neither `wanted` nor this cluster's nothing is
/// said.
pub(super) fn observe(survey: &Survey, wanted: &BTreeSet<ResourceKey>, now: Timestamp) -> KindObservation {
    let cluster = survey.instance.cluster;
    let prefix = format!("{cluster}:");
    let wanted: BTreeSet<&str> = wanted
        .iter()
        .filter_map(|key| key.name().strip_prefix(&prefix))
        .collect();
    let mut candidates: BTreeSet<String> = wanted.iter().map(|&machine| machine.to_owned()).collect();
    candidates.extend(survey.listed_machines());
    candidates.extend(survey.machines.keys().cloned());
    let mut seen = KindObservation::default();
    for machine in candidates {
        let is_wanted = wanted.contains(machine.as_str());
        if let Some(observed) = observe_one(survey, &machine, is_wanted, now) {
            let key = ResourceKey::new(Kind::EtcdMember, EtcdMember::name(cluster, &machine));
            seen.found.insert(key, observed);
        }
    }
    seen
}

fn observe_one(
    survey: &Survey,
    machine: &str,
    is_wanted: bool,
    now: Timestamp,
) -> Option<Observed<Existing>> {
    let entry = survey.entry(machine);
    let concerned = is_wanted
        || survey
            .marks()
            .any(|(_, mark)| mark.initial_members.iter().any(|name| name == machine));
    if let Some(why) = &survey.split {
        return concerned.then(|| Observed::Unknown(why.clone()));
    }
    let gone = |why: &str| entry.map(|entry| Observed::Present(listed(survey, machine, entry, why, now)));
    match survey.machines.get(machine) {
        None => gone("it is not among the cluster's machines").or_else(|| {
            is_wanted.then(|| Observed::Unknown(format!("{machine} is not among the cluster's machines")))
        }),
        Some(Err(why)) => match entry {
            Some(entry) if entry.has_started() || !is_wanted => {
                gone(&format!("{machine} does not answer: {why}"))
            }
            _ if is_wanted || (concerned && survey.list.is_none()) => {
                Some(Observed::Unknown(format!("{machine} does not answer: {why}")))
            }
            _ => None,
        },
        Some(Ok(seen)) => match &seen.mark {
            MarkSeen::Ours(mark) => Some(Observed::Present(marked(survey, machine, seen, mark))),
            MarkSeen::Other(owner) if is_wanted => {
                Some(Observed::Present(foreign(survey, machine, owner, now)))
            }
            MarkSeen::None if seen.has_data && is_wanted => {
                let owner = format!(
                    "whoever left data in {} on {machine}",
                    survey.instance.data_folder
                );
                Some(Observed::Present(foreign(survey, machine, &owner, now)))
            }
            _ if entry.is_some_and(|entry| entry.has_started() || !is_wanted) => {
                gone("its machine has nothing of it")
            }
            _ => None,
        },
    }
}

/// A member that carries this cluster's mark.
fn marked(survey: &Survey, machine: &str, seen: &Seen, mark: &Mark) -> Existing {
    let entry = survey.entry(machine);
    let listed_id = entry.map(|entry| entry.id.to_string());
    let fallback = || format!("{}:{machine}:{}", mark.etcd_cluster, mark.generation);
    let health = match troubles(survey, machine, seen, entry) {
        None => Health::Healthy,
        Some(reason) if survey.has_lost_what_it_had() => Health::Lost(reason),
        Some(reason) if survey.runs_without_quorum(machine) => Health::Stalled(reason),
        Some(reason) if votes_soundly(survey, machine, seen) => Health::Impaired(reason),
        Some(reason) => Health::Unhealthy(reason),
    };
    let member = EtcdMember {
        // What has lost its data must not be started again as if it had them.
        running: !(seen.is_stopped() && seen.has_log),
        ..mark.member(survey.phase(machine))
    };
    Existing {
        resource: member.into(),
        id: listed_id
            .or_else(|| mark.member_id.clone())
            .unwrap_or_else(fallback),
        owner: Owner::ThisCluster,
        health,
        created_at: mark.created_at,
        generation: mark.generation,
        host_id: mark.host_id.clone(),
        facts: facts(survey, machine, Some(seen), entry),
    }
}

/// A member of which only the list tells.
fn listed(survey: &Survey, machine: &str, entry: &Member, why: &str, now: Timestamp) -> Existing {
    let phase = if entry.is_learner {
        MemberPhase::Learner
    } else {
        MemberPhase::Voter
    };
    let is_known_to_be_elsewhere = survey.seen(machine).is_some_and(Seen::is_empty);
    Existing {
        resource: bare(survey, machine, phase).into(),
        id: entry.id.to_string(),
        owner: Owner::ThisCluster,
        health: Health::Unhealthy(why.to_owned()),
        created_at: now,
        generation: 0,
        host_id: is_known_to_be_elsewhere.then(|| NO_MACHINE.to_owned()),
        facts: facts(survey, machine, None, Some(entry)),
    }
}

/// What stands in a member's place and is not this cluster's.
fn foreign(survey: &Survey, machine: &str, owner: &str, now: Timestamp) -> Existing {
    Existing {
        resource: bare(survey, machine, MemberPhase::Waiting).into(),
        id: format!("{}:{machine}", survey.instance.cluster),
        owner: Owner::Other(owner.to_owned()),
        health: Health::Unhealthy("it is not this cluster's".to_owned()),
        created_at: now,
        generation: 0,
        host_id: None,
        facts: BTreeMap::new(),
    }
}

fn bare(survey: &Survey, machine: &str, phase: MemberPhase) -> EtcdMember {
    EtcdMember {
        cluster: survey.instance.cluster.to_owned(),
        machine: machine.to_owned(),
        phase,
        start: MemberStart::Join,
        initial_members: Vec::new(),
        running: true,
    }
}

/// Why the member on `machine` does not do its work, if so.
fn troubles(survey: &Survey, machine: &str, seen: &Seen, entry: Option<&Member>) -> Option<String> {
    let (cluster, unit) = (survey.instance.cluster, survey.instance.unit);
    if survey.list.is_some() && entry.is_none() {
        return Some(format!(
            "etcd {cluster} does not list it any more; what is left of it is still on {machine}"
        ));
    }
    if seen.disk_is_full() {
        let folder = survey.instance.data_folder;
        let words = seen
            .words
            .as_deref()
            .map(|words| format!("; its last words: {words}"))
            .unwrap_or_default();
        return Some(format!(
            "no space is left on the disk of {folder} on {machine}{words}"
        ));
    }
    if !seen.has_log && survey.mark(machine).is_some_and(|mark| mark.voted) {
        let folder = survey.instance.data_folder;
        if survey.has_lost_what_it_had() {
            let restore = restore_command(cluster);
            return Some(format!(
                "it has no data in {folder}: its disk came back empty, or is not mounted; no other machine has data of etcd {cluster}: \
                 where it is gone for good, `{restore}` gives it that of a snapshot"
            ));
        }
        return Some(format!(
            "it has no data in {folder}: its disk came back empty, or is not mounted; where the data is gone for good, take \
             {machine} out of the spec, apply, and put it back"
        ));
    }
    if survey.phase(machine) == MemberPhase::Waiting {
        return Some("it waits for the other initial members".to_owned());
    }
    let Some(status) = &seen.status else {
        let words = [&seen.problem, &seen.words].into_iter().flatten().next();
        let words = words.map(|words| format!(": {words}")).unwrap_or_default();
        return Some(format!(
            "{unit} is {} on {machine} and its member does not answer{words}",
            seen.unit
        ));
    };
    if entry.is_some_and(|entry| entry.id != status.header.member_id) {
        return Some(format!(
            "its data are those of member {}, which is not the one in the list",
            status.header.member_id
        ));
    }
    if status.leader.0 == 0 {
        return Some(format!(
            "it has no leader: etcd {cluster} has no quorum, or this member has no connection to it"
        ));
    }
    if status.is_learner {
        return Some(learning(survey, status));
    }
    if seen.list.is_none() {
        let problem = seen.problem.as_deref().unwrap_or("it gives no reason");
        return Some(format!("it does not answer with a quorum: {problem}"));
    }
    alarms(status)
}

/// True for a member that votes with data of which nothing is known to be wrong, whatever else troubles it.
fn votes_soundly(survey: &Survey, machine: &str, seen: &Seen) -> bool {
    survey.votes_and_answers(machine) && seen.has_log && !survey.is_corrupt(machine)
}

fn alarms(status: &Status) -> Option<String> {
    let told = status
        .alarms_of(status.header.member_id)
        .into_iter()
        .map(|alarm| match alarm {
            "NOSPACE" => {
                "alarm NOSPACE: its database has reached its quota, and etcd takes no more writes; raise etcd.quota, or \
                 compact and defragment it, then: etcdctl alarm disarm"
                    .to_owned()
            }
            "CORRUPT" => "alarm CORRUPT: its data differs from that of the other members".to_owned(),
            other => format!("alarm {other}"),
        });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn learning(survey: &Survey, learner: &Status) -> String {
    let newest = survey
        .machines
        .values()
        .filter_map(|seen| seen.as_ref().ok()?.status.as_ref())
        .map(|status| status.raft_index)
        .max();
    match newest.unwrap_or(0).saturating_sub(learner.raft_index) {
        0..LAG => "it is a learner".to_owned(),
        behind => format!("it is a learner, {behind} entries behind"),
    }
}

fn facts(
    survey: &Survey,
    machine: &str,
    seen: Option<&Seen>,
    entry: Option<&Member>,
) -> BTreeMap<String, String> {
    let answer = |seen: &Seen| {
        let status = seen.status.as_ref()?;
        let alarms = status.alarms_of(status.header.member_id).into_iter();
        Some(EtcdAnswer {
            version: status.version.clone(),
            is_leader: survey.leads(machine),
            database_bytes: status.db_size,
            database_in_use_bytes: status.db_size_in_use,
            revision: status.header.revision,
            raft_term: status.header.raft_term,
            raft_index: status.raft_index,
            raft_applied_index: status.raft_applied_index,
            alarms: alarms.map(str::to_owned).collect(),
            latency_ms: seen.latency_ms,
        })
    };
    let facts = EtcdMemberFacts {
        id: entry.map(|entry| entry.id.to_string()),
        client_url: entry.and_then(|entry| entry.client_urls.first().cloned()),
        answer: seen.and_then(answer),
    };
    facts.to_facts()
}

#[cfg(test)]
mod tests;
