//! Joining a living etcd cluster: as a learner, then as a voter
//! (<https://etcd.io/docs/v3.6/learning/design-learner/>; kubeadm does the same since 1.29).
//!
//! What is done next is decided from a look at the machines each time, so it does not matter where an earlier attempt
//! ended. A voter is only ever made of a learner that etcd says is in sync, so a machine without data never counts
//! for a quorum that it once was part of.

use std::time::Duration;

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::EtcdMember;

use super::answers::Id;
use super::begin;
use super::mark::MarkSeen;
use super::refusal::{Refusal, Why};
use super::remove::check_quorum_without;
use super::step::{Step, data_of_nobody, permanent, transient, unreachable_machine};
use super::survey::Survey;

/// How long a member may take to join, waiting for others that learn included.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long its machine waits by itself for it to start, between two looks.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(300);

/// What to do next about a member that joins.
#[derive(Debug, PartialEq)]
enum Next {
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

/// Makes `member` a voter of its living cluster.
pub(super) async fn join(step: &Step<'_>, member: &EtcdMember, generation: u32) -> Result<(), ProviderError> {
    let machine = member.machine.as_str();
    let patience = step.patience(PATIENCE);
    let mut told = String::new();
    loop {
        let survey = step.survey().await?;
        let next = next(&survey, member)?;
        if next == Next::Done {
            return step.note_vote(&survey, machine).await;
        }
        let waits_for = carry_out(step, &survey, member, generation, next).await?;
        let pause = waits_for.as_ref().map_or(Duration::ZERO, |_| PAUSE);
        if let Some(why) = waits_for.filter(|why| *why != told) {
            step.tell(&format!("{why}, for up to {}m", PATIENCE.as_secs() / 60));
            told = why;
        }
        if !patience.wait(pause).await {
            return Err(transient(format!(
                "{machine} did not become a voter of etcd {} in {}m: {told}",
                member.cluster,
                PATIENCE.as_secs() / 60
            )));
        }
    }
}

/// Does what is next; what comes back is what has to be waited for.
async fn carry_out(
    step: &Step<'_>,
    survey: &Survey,
    member: &EtcdMember,
    generation: u32,
    next: Next,
) -> Result<Option<String>, ProviderError> {
    let machine = member.machine.as_str();
    match next {
        Next::Clear => step.end(machine).await?,
        Next::Begin(id) => {
            begin::as_listed(step, survey, member, generation, id).await?;
            step.survey_of([machine.to_owned()], SETTLING).await?;
        }
        Next::Start => {
            step.start(machine).await?;
            step.survey_of([machine.to_owned()], SETTLING).await?;
        }
        Next::Unlist(id) => {
            check_quorum_without(survey, id)?;
            step.tell(&format!("take the former member {id} off the list"));
            let words = ["member", "remove", &id.to_string()];
            return ask(
                step,
                survey,
                machine,
                ("remove a former member", &words),
                Why::NotFound,
            )
            .await;
        }
        Next::List => {
            let url = survey.peer_url(machine).ok_or_else(|| {
                permanent(format!(
                    "the address of {machine} inside the cluster is not known"
                ))
            })?;
            step.tell("join as a learner");
            let words = [
                "member",
                "add",
                machine,
                "--learner",
                &format!("--peer-urls={url}"),
            ];
            return ask(step, survey, machine, ("add a learner", &words), Why::Exists).await;
        }
        Next::Promote(id) => {
            step.tell("let the learner vote");
            let words = ["member", "promote", &id.to_string()];
            return ask(
                step,
                survey,
                machine,
                ("promote the learner", &words),
                Why::VotesAlready,
            )
            .await;
        }
        Next::Wait(why) => {
            step.survey_of([machine.to_owned()], SETTLING).await?;
            return Ok(Some(why));
        }
        Next::Done => {}
    }
    Ok(None)
}

/// Asks something of the cluster through a voter other than `machine`'s; what comes back is what has to be waited for.
/// A refusal for the reason `done` says that it had been done before.
async fn ask(
    step: &Step<'_>,
    survey: &Survey,
    machine: &str,
    (name, words): (&'static str, &[&str]),
    done: Why,
) -> Result<Option<String>, ProviderError> {
    let others = survey.other_voters(machine);
    let through = others.first().ok_or_else(|| no_quorum(survey.instance.cluster))?;
    match step.etcdctl(through, name, words).await {
        Ok(_) => Ok(None),
        Err(refusal) if refusal.why == done => Ok(None),
        Err(refusal) if refusal.may_pass() => Ok(Some(what_passes(&refusal))),
        Err(refusal) => Err(refusal.error),
    }
}

/// What has to be waited for after a refusal that passes.
fn what_passes(refusal: &Refusal) -> String {
    match refusal.why {
        Why::TooManyLearners => {
            "wait for another member that is learning: etcd takes one at a time".to_owned()
        }
        Why::Unhealthy => "wait until all voters have been connected for 5 s, as etcd asks for".to_owned(),
        Why::NotInSync => "wait for the learner to catch up".to_owned(),
        _ => format!("wait: {}", refusal.error),
    }
}

fn next(survey: &Survey, member: &EtcdMember) -> Result<Next, ProviderError> {
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
    if own.is_stopped() {
        return Ok(Next::Start);
    }
    Ok(match &own.status {
        _ if survey.votes_and_answers(machine) => Next::Done,
        Some(status) if status.header.member_id == entry.id && entry.is_learner => Next::Promote(entry.id),
        _ if own.disk_is_full() => Next::Wait(format!(
            "the disk of {} on {machine} is full",
            survey.instance.data_folder
        )),
        _ => Next::Wait(format!("wait for {} on {machine}", survey.instance.unit)),
    })
}

fn no_quorum(cluster: &str) -> ProviderError {
    transient(format!(
        "no member of etcd {cluster} answers with a quorum, and without one nothing can join"
    ))
    .with_help("bring the missing members back, or restore a snapshot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::look::Seen;
    use crate::etcd::look::tests::nothing;
    use crate::etcd::mark::Mark;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;
    use keelson_provider_api::kinds::{MemberPhase, MemberStart};

    fn decide_in(survey: &Survey, machine: &str) -> Result<Next, ProviderError> {
        let member = EtcdMember {
            cluster: "main".to_owned(),
            machine: machine.to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Join,
            initial_members: Vec::new(),
        };
        next(survey, &member)
    }

    fn decide(text: &str, machine: &str) -> Result<Next, ProviderError> {
        decide_in(&picture(text), machine)
    }

    /// The same with something else on one machine.
    fn decide_with(text: &str, machine: &str, change: impl FnOnce(&mut Seen)) -> Result<Next, ProviderError> {
        let mut survey = picture(text);
        let seen = survey.machines.get_mut(machine).unwrap();
        let mut changed = seen.clone().unwrap_or_else(|_| nothing());
        change(&mut changed);
        *seen = Ok(changed);
        decide_in(&survey, machine)
    }

    #[test]
    fn from_nothing_to_a_vote() {
        assert_eq!(decide("a:v b:v c:v d:n", "d"), Ok(Next::List));
        assert_eq!(decide("a:v b:v c:v d:u", "d"), Ok(Next::Begin(Id(4))));
        assert_eq!(
            decide("a:v b:v c:v d:d", "d"),
            Ok(Next::Wait("wait for etcd.service on d".to_owned()))
        );
        assert_eq!(decide("a:v b:v c:v d:l", "d"), Ok(Next::Promote(Id(4))));
        assert_eq!(decide("a:v b:v c:v d:v", "d"), Ok(Next::Done));
    }

    #[test]
    fn what_an_earlier_member_left_goes_first() {
        assert_eq!(
            decide("a:v b:v c:x", "c"),
            Ok(Next::Clear),
            "removed, and its data is still there"
        );
        assert_eq!(
            decide_with("a:v b:v c:?", "c", |_| ()),
            Ok(Next::Unlist(Id(3))),
            "its machine was made anew"
        );
        let other = |seen: &mut Seen| {
            if let MarkSeen::Ours(mark) = &mut seen.mark {
                **mark = Mark {
                    member_id: Some("77".to_owned()),
                    ..(**mark).clone()
                };
            }
        };
        assert_eq!(
            decide_with("a:v b:v c:d", "c", other),
            Ok(Next::Unlist(Id(3))),
            "another incarnation"
        );
        assert_eq!(
            decide_with("a:v b:v c:d", "c", |seen| seen.has_log = false),
            Ok(Next::Unlist(Id(3)))
        );
    }

    #[test]
    fn what_was_begun_and_stopped_is_started() {
        assert_eq!(
            decide_with("a:v b:v c:d", "c", |seen| seen.unit = "failed".to_owned()),
            Ok(Next::Start)
        );
    }

    #[test]
    fn nothing_joins_without_a_quorum_or_in_anothers_place() {
        let class = |text: &str| decide(text, "c").expect_err(text).class;
        assert_eq!(class("a:w b:w c:n"), ErrorClass::Transient);
        assert_eq!(class("a:d b:d c:n"), ErrorClass::Transient);
        assert_eq!(class("a:v b:v c:!"), ErrorClass::Unreachable);
        assert_eq!(class("a:v b:v c:f"), ErrorClass::Permanent);
        assert_eq!(class("a:v b:v c:o"), ErrorClass::Permanent);
    }
}
