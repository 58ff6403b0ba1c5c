//! Taking a member out of its cluster, and its data off its machine
//! (<https://etcd.io/docs/v3.6/op-guide/runtime-configuration/#remove-a-member>).
//!
//! The list comes first and the machine after it: a member that is stopped before it is off the list would count as
//! one that has failed. A machine that does not answer keeps its data; it is known by its mark when it comes back.

use std::time::Duration;

use keelson_provider_api::kinds::EtcdMember;
use keelson_provider_api::{Existing, Owner, ProviderError};

use super::answers::{Id, Member};
use super::refusal::Why;
use super::step::{Step, permanent, transient};
use super::survey::Survey;

/// How long etcd may take to agree.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// What to do next about a member that goes.
#[derive(Debug, PartialEq)]
enum Next {
    /// Let another one lead.
    HandOver(Id),
    /// Take it off the list.
    Unlist(Id),
    /// Stop it, and move its data aside.
    End,
    /// Nothing of it is left within reach.
    Done,
}

/// Takes `member` out of its cluster.
pub(super) async fn remove(
    step: &Step<'_>,
    member: &EtcdMember,
    existing: &Existing,
) -> Result<(), ProviderError> {
    if existing.owner != Owner::ThisCluster {
        return Err(permanent(format!(
            "etcd {} on {} is not this cluster's",
            member.cluster, member.machine
        )));
    }
    let machine = member.machine.as_str();
    let patience = step.patience(PATIENCE);
    let mut may_hand_over = true;
    loop {
        let survey = step.survey().await?;
        let problem = match next(&survey, member, existing, may_hand_over)? {
            Next::Done => return Ok(()),
            Next::End => {
                step.end(machine, None).await?;
                return Ok(());
            }
            Next::HandOver(to) => {
                may_hand_over = false;
                step.tell("let another member lead");
                let words = ["move-leader", &to.to_string()];
                // Without this the others would elect one: it only takes longer.
                step.etcdctl(machine, "move the leader", &words)
                    .await
                    .err()
                    .map(|refusal| refusal.error)
            }
            Next::Unlist(id) => {
                let through = survey.other_voters(machine).into_iter().next();
                let through = through.ok_or_else(|| no_quorum(&survey))?;
                step.tell("leave the list of members");
                let words = ["member", "remove", &id.to_string()];
                match step.etcdctl(&through, "remove the member", &words).await {
                    Ok(_) => None,
                    Err(refusal) if refusal.why == Why::NotFound => None,
                    Err(refusal) if refusal.may_pass() => Some(refusal.error),
                    Err(refusal) => return Err(refusal.error),
                }
            }
        };
        let pause = problem.as_ref().map_or(Duration::ZERO, |_| PAUSE);
        if !patience.wait(pause).await {
            let late = || transient(format!("{machine} did not leave etcd {}", member.cluster));
            return Err(problem.unwrap_or_else(late));
        }
    }
}

fn next(
    survey: &Survey,
    member: &EtcdMember,
    existing: &Existing,
    may_hand_over: bool,
) -> Result<Next, ProviderError> {
    let machine = member.machine.as_str();
    if survey.list.is_none() && survey.has_formed() {
        return Err(no_quorum(survey));
    }
    if let Some(entry) = doomed(survey, machine, existing) {
        if !entry.is_learner {
            check_quorum_without(survey, entry.id)?;
        }
        let successor = survey.other_voters(machine).into_iter().next();
        let successor = successor.and_then(|other| survey.entry(&other).map(|entry| entry.id));
        return Ok(match successor {
            Some(to) if may_hand_over && survey.leads(machine) => Next::HandOver(to),
            _ => Next::Unlist(entry.id),
        });
    }
    // A member that was made since is another one.
    let is_listed = survey.entry(machine).is_some();
    Ok(match survey.mark(machine) {
        Some(_) if !is_listed => Next::End,
        _ => Next::Done,
    })
}

/// The entry of what is to go. An id that is etcd's tells it from a member that was made since.
fn doomed<'a>(survey: &'a Survey, machine: &str, existing: &Existing) -> Option<&'a Member> {
    match Id::from_hex(&existing.id) {
        Some(id) => survey
            .list
            .as_ref()?
            .members
            .iter()
            .find(|member| member.id == id),
        None => survey.entry(machine),
    }
}

/// Refuses the removal of the voter `id` when fewer than a quorum of the others answer. etcd refuses it too
/// (`mayRemoveMember` in `server/etcdserver/server.go`), but counts those as well that have just died.
pub(super) fn check_quorum_without(survey: &Survey, id: Id) -> Result<(), ProviderError> {
    let (voters, answering) = survey.voters_without(Some(id));
    let cluster = survey.instance.cluster;
    if voters == 0 {
        return Err(permanent(format!(
            "member {id} is the only voter of etcd {cluster}: its data would be lost"
        ))
        .with_help("add another member first, or destroy the cluster"));
    }
    if answering > voters / 2 {
        return Ok(());
    }
    Err(permanent(format!(
        "etcd {cluster} would lose its quorum without member {id}: {answering} of the {voters} other voters answer"
    ))
    .with_help("bring the others back first"))
}

fn no_quorum(survey: &Survey) -> ProviderError {
    let cluster = survey.instance.cluster;
    if survey.machines.values().any(Result::is_err) {
        let message = format!(
            "no member of etcd {cluster} answers with a quorum, and some machines do not answer at all"
        );
        return transient(message).with_help("bring the missing machines back, or restore a snapshot");
    }
    permanent(format!(
        "no member of etcd {cluster} answers with a quorum, and without one no member can leave"
    ))
    .with_help(format!(
        "bring the missing members back, or restore etcd {cluster} from a snapshot"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::survey::tests::picture;
    use jiff::Timestamp;
    use keelson_provider_api::kinds::{MemberPhase, MemberStart};
    use keelson_provider_api::{ErrorClass, Health};

    fn decide(text: &str, machine: &str, id: &str) -> Result<Next, ProviderError> {
        let member = EtcdMember {
            cluster: "main".to_owned(),
            machine: machine.to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Initial,
            initial_members: Vec::new(),
            running: true,
        };
        let existing = Existing {
            resource: member.clone().into(),
            id: id.to_owned(),
            owner: Owner::ThisCluster,
            health: Health::Healthy,
            created_at: Timestamp::UNIX_EPOCH,
            generation: 0,
            host_id: None,
            facts: std::collections::BTreeMap::new(),
        };
        next(&picture(text), &member, &existing, true)
    }

    #[test]
    fn first_the_leadership_then_the_list_then_the_machine() {
        assert_eq!(decide("a:v b:v c:v", "a", "1"), Ok(Next::HandOver(Id(2))));
        assert_eq!(decide("a:v b:v c:v", "c", "3"), Ok(Next::Unlist(Id(3))));
        assert_eq!(decide("a:v b:v c:x", "c", "3"), Ok(Next::End));
        assert_eq!(decide("a:v b:v c:n", "c", "3"), Ok(Next::Done));
        assert_eq!(
            decide("a:v b:v c:!", "c", "3"),
            Ok(Next::Done),
            "what is there stays until it comes back"
        );
    }

    #[test]
    fn a_member_that_never_was_in_a_quorum_just_goes() {
        assert_eq!(decide("a:w b:w", "a", "main:a:0"), Ok(Next::End));
        assert_eq!(decide("a:v b:u", "b", "2"), Ok(Next::Unlist(Id(2))));
        assert_eq!(decide("a:v b:l", "b", "2"), Ok(Next::Unlist(Id(2))));
    }

    #[test]
    fn the_dead_go_and_the_quorum_stays() {
        assert_eq!(decide("a:v b:v c:?", "c", "3"), Ok(Next::Unlist(Id(3))));
        for (text, machine, id) in [
            ("a:v b:v c:?", "b", "2"),
            ("a:v b:d c:d", "b", "2"),
            ("a:v", "a", "1"),
        ] {
            let error = decide(text, machine, id).expect_err(text);
            assert_eq!(error.class, ErrorClass::Permanent, "{text}: {error}");
        }
        assert!(decide("a:d b:d c:v", "a", "1").is_err());
    }

    #[test]
    fn a_member_that_was_made_since_stays() {
        assert_eq!(decide("a:v b:v c:v", "c", "77"), Ok(Next::Done));
    }
}
