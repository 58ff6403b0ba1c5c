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
use super::step::{Step, transient};
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
            Next::StartOver => step.end(machine).await.map(|()| None)?,
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
            return Err(transient(format!(
                "etcd {} did not form in {}m as seen from {machine}: {told}",
                member.cluster,
                PATIENCE.as_secs() / 60
            )));
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

async fn survey_founders(step: &Step<'_>, member: &EtcdMember) -> Result<Survey, ProviderError> {
    let founders = member.initial_members.iter().cloned();
    step.survey_of(founders.chain([member.machine.clone()]), Duration::ZERO)
        .await
}
