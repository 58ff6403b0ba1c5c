//! What is next about a founder, decided from a look at the machines.

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::{EtcdMember, MemberStart};

use crate::etcd::mark::MarkSeen;
use crate::etcd::meaning::data_of_nobody;
use crate::etcd::step::{permanent, transient, unreachable_machine};
use crate::etcd::survey::Survey;

/// What to do next about a founder.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Take away what an earlier forming with other founders left, which never had a quorum.
    StartOver,
    /// Write down who it is, and start it.
    Begin,
    /// It was begun and does not run: start it.
    Start,
    /// Wait, for this reason.
    Wait(String),
    /// It votes and answers.
    Done,
}

/// What to do next about `member`.
pub(super) fn next(survey: &Survey, member: &EtcdMember) -> Result<Next, ProviderError> {
    let (cluster, machine) = (member.cluster.as_str(), member.machine.as_str());
    if !member.initial_members.iter().any(|name| name == machine) {
        return Err(permanent(format!(
            "{machine} is not among the founders of etcd {cluster}"
        )));
    }
    let own = match survey.machines.get(machine) {
        Some(Ok(seen)) => seen,
        Some(Err(why)) => return Err(unreachable_machine(format!("{machine} does not answer: {why}"))),
        None => return Err(transient(format!("{machine} was not looked at"))),
    };
    check_empty(survey, machine)?;
    let Some(mark) = own.mark.ours() else {
        check_founders(survey, member)?;
        return Ok(Next::Begin);
    };
    if survey.votes_and_answers(machine) {
        return Ok(Next::Done);
    }
    if survey.list.is_some() && survey.entry(machine).is_none() {
        return Err(would_split(member));
    }
    if !mark.has_founders(&member.initial_members) {
        if survey.has_formed() {
            return Err(would_split(member));
        }
        check_founders(survey, member)?;
        return Ok(Next::StartOver);
    }
    if own.is_stopped() {
        return Ok(Next::Start);
    }
    let others = member
        .initial_members
        .iter()
        .filter(|founder| *founder != machine);
    let others: Vec<&str> = others.map(String::as_str).collect();
    check_fellows_answer(survey, cluster, &others)?;
    let folder = survey.instance.data_folder;
    Ok(Next::Wait(match (own.disk_is_full(), &own.status) {
        (true, _) => format!("the disk of {folder} on {machine} is full"),
        (false, None) if !others.is_empty() => {
            format!("wait for the other initial members: {}", others.join(", "))
        }
        (false, _) => format!("wait for {} on {machine}", survey.instance.unit),
    }))
}

/// Refuses to wait for founders that are looked at and do not answer: how long that goes on is for others to decide.
fn check_fellows_answer(survey: &Survey, cluster: &str, others: &[&str]) -> Result<(), ProviderError> {
    for founder in others {
        if let Some(Err(why)) = survey.machines.get(*founder) {
            return Err(unreachable_machine(format!(
                "{founder}, a founder of etcd {cluster} that is waited for, does not answer: {why}"
            ))
            .with_help(bring_back(founder)));
        }
    }
    Ok(())
}

/// What to do about a founder that does not answer. No spec has two or four of them.
fn bring_back(founder: &str) -> String {
    format!(
        "bring {founder} back, or put another machine in its place in the spec: etcd takes 1, 3 or 5 members"
    )
}

/// Refuses a machine that holds what is not this cluster's.
fn check_empty(survey: &Survey, machine: &str) -> Result<(), ProviderError> {
    let Some(seen) = survey.seen(machine) else {
        return Ok(());
    };
    match &seen.mark {
        MarkSeen::Other(owner) => {
            let cluster = survey.instance.cluster;
            Err(
                permanent(format!("{machine} has a member of etcd {cluster} of {owner}"))
                    .with_help("remove it with the cluster that it belongs to, or choose another machine"),
            )
        }
        MarkSeen::None if seen.has_data => Err(data_of_nobody(survey.instance, machine)),
        MarkSeen::None | MarkSeen::Ours(_) => Ok(()),
    }
}

/// Refuses to begin `member` unless every founder is seen to be empty or to wait with it, or the cluster has formed
/// with it and waits for nobody else.
fn check_founders(survey: &Survey, member: &EtcdMember) -> Result<(), ProviderError> {
    let cluster = member.cluster.as_str();
    for founder in &member.initial_members {
        let unseen = match survey.machines.get(founder) {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(why.why()),
            None => Some("it was not looked at"),
        };
        if let Some(why) = unseen {
            return Err(unreachable_machine(format!(
                "{founder}, a founder of etcd {cluster}, does not answer, and may have its data: {why}"
            ))
            .with_help(bring_back(founder)));
        }
        check_empty(survey, founder)?;
    }
    if !survey.has_formed() {
        return Ok(());
    }
    let same_founders = survey
        .marks()
        .filter(|(_, mark)| mark.start == MemberStart::Initial)
        .all(|(_, mark)| mark.has_founders(&member.initial_members));
    match survey.entry(&member.machine) {
        // A founder that comes late: it is a member already, and has never been there.
        Some(entry) if !entry.has_started() && !entry.is_learner && same_founders => Ok(()),
        None if survey.list.is_none() => Err(transient(format!(
            "etcd {cluster} has formed, and no member answers with a quorum: {} is not begun",
            member.machine
        ))
        .with_help("bring the other members back first")),
        Some(_) | None => Err(would_split(member)),
    }
}

fn would_split(member: &EtcdMember) -> ProviderError {
    let EtcdMember { cluster, machine, .. } = member;
    permanent(format!(
        "etcd {cluster} has formed already: {machine} as an initial member would split it"
    ))
    .with_help("run the command again: the member joins the living cluster")
}

#[cfg(test)]
mod tests;
