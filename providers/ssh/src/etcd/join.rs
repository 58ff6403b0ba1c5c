//! Joining a living etcd cluster: as a learner, then as a voter
//! (<https://etcd.io/docs/v3.6/learning/design-learner/>; kubeadm does the same since 1.29).
//!
//! What is done next is decided from a look at the machines each time, so it does not matter where an earlier attempt
//! ended. A voter is only ever made of a learner that etcd says is in sync, so a machine without data never counts
//! for a quorum that it once was part of.

mod next;

use std::time::Duration;

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::EtcdMember;

use super::begin;
use super::refusal::{Refusal, Why};
use super::remove::check_quorum_without;
use super::step::{Step, permanent, transient};
use super::survey::Survey;
use next::{Next, next, no_quorum};

/// How long a member may take to join, waiting for others that learn included.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long its machine waits by itself for it to start, between two looks.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(300);

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
            return Err(did_not_join(&survey, member, &told));
        }
    }
}

fn did_not_join(survey: &Survey, member: &EtcdMember, told: &str) -> ProviderError {
    let EtcdMember { cluster, machine, .. } = member;
    let minutes = PATIENCE.as_secs() / 60;
    let message = format!("{machine} did not become a voter of etcd {cluster} in {minutes}m: {told}");
    let down = survey.voters_down(machine);
    if survey.mark(machine).is_some_and(|mark| mark.voted) {
        // It was only to be started: there is nothing else that another attempt would do.
        permanent(message).with_help(format!(
            "see what it says: keelson node ssh {machine} -- journalctl -u {}",
            survey.instance.unit
        ))
    } else if down.is_empty() {
        transient(message)
    } else {
        let down = down.join(", ");
        permanent(format!("{message}; voting members that do not answer: {down}")).with_help(format!(
            "etcd takes no new member while one that votes is away: bring {down} back, or take it out of the spec, with another \
             machine in its place where members would be 2 or 4"
        ))
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
        Next::Clear => step.end(machine, None).await?,
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

#[cfg(test)]
mod tests {
    use super::next::tests::joins;
    use super::*;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;

    #[test]
    fn a_join_that_a_fellow_keeps_from_ending_names_it_and_is_not_tried_for_an_hour() {
        let member = joins("d");
        // Its machine is silent; its machine answers and it does not.
        for others in ["c:?", "c:d"] {
            let survey = picture(&format!("a:v b:v {others} d:n"));
            let error = did_not_join(&survey, &member, "wait");
            assert_eq!(error.class, ErrorClass::Permanent, "{error}");
            assert!(
                error.message.ends_with("voting members that do not answer: c"),
                "{error}"
            );
        }
        let survey = picture("a:v b:v c:v d:n");
        assert_eq!(
            did_not_join(&survey, &member, "wait").class,
            ErrorClass::Transient
        );
    }
}
