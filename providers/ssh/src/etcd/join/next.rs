//! What is next about a member that joins, decided from a look at the machines.

use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::{EtcdInstance, ProviderError};

use crate::etcd::answers::Id;
use crate::etcd::look::Seen;
use crate::etcd::mark::MarkSeen;
use crate::etcd::meaning::data_of_nobody;
use crate::etcd::step::{permanent, transient, unreachable_machine};
use crate::etcd::survey::Survey;

/// What to do next about a member that joins.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Move aside what an earlier member left.
    Clear,
    /// Take the entry of a member that is gone off the list.
    Unlist(Id),
    /// Put the member on the list, as a learner.
    List,
    /// Write down who it is, and start it.
    Begin(Id),
    /// It was begun and does not run: start it.
    Start,
    /// It learns: let it vote.
    Promote(Id),
    /// Wait, for this reason.
    Wait(String),
    /// It votes and answers.
    Done,
}

/// What to do next about `member`.
pub(super) fn next(survey: &Survey, member: &EtcdMember) -> Result<Next, ProviderError> {
    let (cluster, machine) = (member.cluster.as_str(), member.machine.as_str());
    let own = match survey.machines.get(machine) {
        Some(Ok(seen)) => seen,
        Some(Err(why)) => return Err(unreachable_machine(format!("{machine} does not answer: {why}"))),
        None => {
            return Err(permanent(format!(
                "{machine} is not among the cluster's machines"
            )));
        }
    };
    match &own.mark {
        MarkSeen::Other(owner) => {
            return Err(
                permanent(format!("{machine} has a member of etcd {cluster} of {owner}"))
                    .with_help("remove it with the cluster that it belongs to, or choose another machine"),
            );
        }
        MarkSeen::None if own.has_data => return Err(data_of_nobody(survey.instance, machine)),
        MarkSeen::None | MarkSeen::Ours(_) => {}
    }
    if survey.list.is_none() {
        // What has been a member goes on from its data; it may be what the quorum lacks.
        if own.mark.ours().is_some() && own.has_log && survey.has_formed() {
            return go_on(survey, own, machine);
        }
        return Err(if survey.has_formed() {
            no_quorum(cluster)
        } else {
            transient(format!("etcd {cluster} has not formed, so nothing can join it"))
        });
    }
    let mark = own.mark.ours();
    let Some(entry) = survey.entry(machine) else {
        return Ok(if mark.is_some() { Next::Clear } else { Next::List });
    };
    let Some(mark) = mark else {
        // What has started once had data, and that is gone: it must not vote again under the same id.
        return Ok(if entry.has_started() {
            Next::Unlist(entry.id)
        } else {
            Next::Begin(entry.id)
        });
    };
    let is_same = mark
        .member_id
        .as_ref()
        .is_none_or(|id| *id == entry.id.to_string());
    let lost_data = entry.has_started() && !own.has_log;
    if !is_same || lost_data {
        return Ok(if entry.has_started() {
            Next::Unlist(entry.id)
        } else {
            Next::Clear
        });
    }
    Ok(match &own.status {
        _ if own.is_stopped() => Next::Start,
        _ if survey.votes_and_answers(machine) => Next::Done,
        Some(status) if status.header.member_id == entry.id && entry.is_learner => Next::Promote(entry.id),
        _ => return go_on(survey, own, machine),
    })
}

/// What to do about a member that has its data and only has to run.
fn go_on(survey: &Survey, own: &Seen, machine: &str) -> Result<Next, ProviderError> {
    let EtcdInstance {
        cluster,
        unit,
        data_folder,
        ..
    } = *survey.instance;
    if own.is_stopped() {
        return Ok(Next::Start);
    }
    if own.ends_again_and_again() {
        let words = own.words.as_deref().unwrap_or("it gives no reason");
        return Err(permanent(format!(
            "{unit} on {machine} ends each time that it is started: {words}"
        ))
        .with_help(format!(
            "see what it says: keelson node ssh {machine} -- journalctl -u {unit}"
        )));
    }
    Ok(Next::Wait(if own.disk_is_full() {
        format!("the disk of {data_folder} on {machine} is full")
    } else if own.status.is_some() && survey.list.is_none() {
        format!("wait for the other members of etcd {cluster}: it has no quorum")
    } else {
        format!("wait for {unit} on {machine}")
    }))
}

/// Nothing can join a cluster in which nobody answers with a quorum.
pub(super) fn no_quorum(cluster: &str) -> ProviderError {
    transient(format!(
        "no member of etcd {cluster} answers with a quorum, and without one nothing can join"
    ))
    .with_help("bring the missing members back, or restore a snapshot")
}

#[cfg(test)]
pub(super) mod tests;
