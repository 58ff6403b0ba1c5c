//! Forming an etcd cluster that has never existed: `--initial-cluster-state=new`
//! (<https://etcd.io/docs/v3.6/op-guide/clustering/#static>).
//!
//! A cluster is formed only where every founder's machine is seen and holds nothing but what belongs to this forming.
//! Each founder is begun by itself and waits for the quorum. What is done next is decided from a look at the machines
//! each time, so it does not matter where an earlier attempt ended.

mod next;

use std::time::Duration;

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::EtcdMember;

use super::begin;
use super::step::{Step, permanent};
use super::survey::Survey;
use next::{Next, next};

/// How long a founder waits for the others.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long its machine waits by itself for it to start, between two looks.
const SETTLING: Duration = Duration::from_secs(2);
/// How often a founder that waits looks whether the others answer at all.
const FELLOWS_INTERVAL: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// Makes `member` one of the founders of its cluster, and waits until it votes.
pub(super) async fn found(
    step: &Step<'_>,
    member: &EtcdMember,
    generation: u32,
) -> Result<(), ProviderError> {
    let machine = member.machine.as_str();
    let patience = step.patience(PATIENCE);
    let mut fellows = step.patience(FELLOWS_INTERVAL);
    let mut told = String::new();
    let mut survey = survey_founders(step, member).await?;
    loop {
        let next = next(&survey, member)?;
        let starts_over = next == Next::StartOver;
        let waits_for = match next {
            Next::Done => return step.note_vote(&survey, machine).await,
            Next::StartOver => step.end(machine, None).await.map(|()| None)?,
            Next::Begin => begin::as_founder(step, &survey, member, generation)
                .await
                .map(|()| None)?,
            Next::Start => step.start(machine).await.map(|()| None)?,
            Next::Wait(why) => Some(why),
        };
        if let Some(why) = waits_for.filter(|why| *why != told) {
            step.tell(&format!("{why}, for up to {}m", PATIENCE.as_secs() / 60));
            told = why;
        }
        if !patience.wait(PAUSE).await {
            let survey = survey_founders(step, member).await?;
            return Err(did_not_form(&survey, member, &told));
        }
        survey = if starts_over || fellows.is_over() {
            // Before it is begun anew, every founder has to be seen again.
            fellows = step.patience(FELLOWS_INTERVAL);
            survey_founders(step, member).await?
        } else {
            // Once it is begun, the member itself says whether there is a quorum.
            step.survey_of([machine.to_owned()], SETTLING).await?
        };
    }
}

/// Nothing that is tried again would change it: a founder begins when the bundles of all are there, so whoever is missing by
/// then has failed.
fn did_not_form(survey: &Survey, member: &EtcdMember, told: &str) -> ProviderError {
    let (cluster, minutes) = (&member.cluster, PATIENCE.as_secs() / 60);
    let is_missing = |founder: &&String| survey.mark(founder).is_none();
    let missing: Vec<&str> = member
        .initial_members
        .iter()
        .filter(is_missing)
        .map(String::as_str)
        .collect();
    let why = if missing.is_empty() {
        told.to_owned()
    } else {
        format!("its founders on {} were not begun", missing.join(", "))
    };
    permanent(format!(
        "etcd {cluster} did not form in {minutes}m as seen from {}: {why}",
        member.machine
    ))
    .with_help(format!(
        "see to what is said of the other founders, and whether they reach each other at port {}; then run the command again",
        survey.instance.peer_port
    ))
}

async fn survey_founders(step: &Step<'_>, member: &EtcdMember) -> Result<Survey, ProviderError> {
    let founders = member.initial_members.iter().cloned();
    step.survey_of(founders.chain([member.machine.clone()]), Duration::ZERO)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;
    use keelson_provider_api::kinds::{MemberPhase, MemberStart};

    #[test]
    fn a_founder_that_never_came_is_named_and_not_waited_for_again() {
        let member = EtcdMember {
            cluster: "main".to_owned(),
            machine: "a".to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Initial,
            initial_members: ["a", "b", "c"].map(str::to_owned).to_vec(),
            running: true,
        };
        let error = did_not_form(&picture("a:w b:n c:w"), &member, "wait");
        assert_eq!(error.class, ErrorClass::Permanent);
        assert_eq!(
            error.message,
            "etcd main did not form in 5m as seen from a: its founders on b were not begun"
        );
    }
}
