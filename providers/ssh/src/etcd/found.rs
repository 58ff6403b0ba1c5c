//! Forming an etcd cluster that has never existed: `--initial-cluster-state=new`
//! (<https://etcd.io/docs/v3.6/op-guide/clustering/#static>).
//!
//! A cluster is formed only where every founder's machine is seen and holds nothing but what belongs to this forming.
//! Each founder is begun by itself and waits for the quorum. What is done next is decided from a look at the machines
//! each time, so it does not matter where an earlier attempt ended.

use std::time::Duration;

use keelson_provider_api::ProviderError;
use keelson_provider_api::kinds::{EtcdMember, MemberStart};

use super::begin;
use super::mark::MarkSeen;
use super::step::{Step, data_of_nobody, permanent, transient, unreachable_machine};
use super::survey::Survey;

/// How long a founder waits for the others.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long its machine waits by itself for it to start, between two looks.
const SETTLING: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

/// What to do next about a founder.
#[derive(Debug, PartialEq)]
enum Next {
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

/// Makes `member` one of the founders of its cluster, and waits until it votes.
pub(super) async fn found(
    step: &Step<'_>,
    member: &EtcdMember,
    generation: u32,
) -> Result<(), ProviderError> {
    let machine = member.machine.as_str();
    let patience = step.patience(PATIENCE);
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
        survey = if starts_over {
            // Before it is begun anew, every founder has to be seen again.
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

fn next(survey: &Survey, member: &EtcdMember) -> Result<Next, ProviderError> {
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
    let folder = survey.instance.data_folder;
    Ok(Next::Wait(match (own.disk_is_full(), &own.status) {
        (true, _) => format!("the disk of {folder} on {machine} is full"),
        (false, None) if !others.is_empty() => {
            format!("wait for the other initial members: {}", others.join(", "))
        }
        (false, _) => format!("wait for {} on {machine}", survey.instance.unit),
    }))
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
            Some(Err(why)) => Some(why.as_str()),
            None => Some("it was not looked at"),
        };
        if let Some(why) = unseen {
            return Err(unreachable_machine(format!(
                "{founder}, a founder of etcd {cluster}, does not answer, and may have its data: {why}"
            ))
            .with_help(format!("bring {founder} back, or take it out of the spec")));
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
mod tests {
    use super::*;
    use crate::etcd::survey::tests::picture;
    use keelson_provider_api::ErrorClass;
    use keelson_provider_api::kinds::MemberPhase;

    fn decide(text: &str, machine: &str) -> Result<Next, ProviderError> {
        let member = EtcdMember {
            cluster: "main".to_owned(),
            machine: machine.to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Initial,
            initial_members: ["a", "b", "c"].map(str::to_owned).to_vec(),
        };
        next(&picture(text), &member)
    }

    fn refused(text: &str, machine: &str) -> ProviderError {
        decide(text, machine).expect_err(text)
    }

    #[test]
    fn a_founder_begins_where_all_are_empty_or_wait() {
        for text in ["a:n b:n c:n", "a:n b:w c:n", "a:n b:w c:w"] {
            assert_eq!(decide(text, "a"), Ok(Next::Begin), "{text}");
        }
    }

    #[test]
    fn a_founder_that_is_begun_waits_for_the_others_and_then_is_done() {
        assert_eq!(
            decide("a:w b:n c:n", "a"),
            Ok(Next::Wait("wait for the other initial members: b, c".to_owned()))
        );
        assert_eq!(decide("a:v b:v c:n", "a"), Ok(Next::Done));
        assert!(
            matches!(decide("a:d b:v c:v", "a"), Ok(Next::Wait(_))),
            "it comes back"
        );
    }

    #[test]
    fn a_late_founder_of_a_cluster_that_has_formed_is_begun() {
        assert_eq!(decide("a:v b:v c:u", "c"), Ok(Next::Begin));
    }

    #[test]
    fn nothing_is_begun_beside_a_cluster_that_lives_or_lived() {
        assert!(refused("a:v b:v c:n", "c").message.contains("would split it"));
        let mut replaced = picture("a:v b:v c:?");
        replaced
            .machines
            .insert("c".to_owned(), Ok(crate::etcd::look::tests::nothing()));
        let member = EtcdMember {
            machine: "c".to_owned(),
            ..replaced.mark("a").unwrap().member(MemberPhase::Voter)
        };
        let error = next(&replaced, &member).unwrap_err();
        assert!(
            error.message.contains("would split it"),
            "it has been there and lost its data: {error}"
        );
        assert_eq!(refused("a:d b:n c:n", "b").class, ErrorClass::Transient);
        assert!(
            refused("a:d b:n c:n", "b")
                .message
                .contains("no member answers with a quorum")
        );
    }

    #[test]
    fn nothing_is_begun_while_a_founder_is_not_seen() {
        let error = refused("a:n b:n c:!", "a");
        assert_eq!(error.class, ErrorClass::Unreachable);
        assert!(
            error
                .message
                .contains("c, a founder of etcd main, does not answer"),
            "{error}"
        );
        assert!(refused("a:! b:n c:n", "a").message.contains("a does not answer"));
    }

    #[test]
    fn what_is_someone_elses_is_in_the_way_on_every_founder() {
        for text in ["a:f b:n c:n", "a:o b:n c:n", "a:n b:f c:n", "a:n b:n c:o"] {
            assert_eq!(refused(text, "a").class, ErrorClass::Permanent, "{text}");
        }
    }

    #[test]
    fn founders_can_change_until_the_cluster_has_formed() {
        let others = |text: &str| {
            let mut survey = picture(text);
            let seen = survey.machines.get_mut("a").unwrap().as_mut().unwrap();
            let MarkSeen::Ours(mark) = &mut seen.mark else {
                panic!("no mark")
            };
            mark.initial_members = vec!["a".to_owned(), "z".to_owned()];
            let founders = ["a", "b", "c"].map(str::to_owned).to_vec();
            let member = mark.member(MemberPhase::Voter);
            next(
                &survey,
                &EtcdMember {
                    initial_members: founders,
                    ..member
                },
            )
        };
        assert_eq!(others("a:w b:n c:n"), Ok(Next::StartOver));
        assert_eq!(others("a:w b:w c:n"), Ok(Next::StartOver));
        assert!(
            others("a:d b:n c:n")
                .unwrap_err()
                .message
                .contains("would split it")
        );
    }

    #[test]
    fn a_member_that_is_no_founder_is_refused() {
        assert!(
            refused("a:n b:n c:n d:n", "d")
                .message
                .contains("not among the founders")
        );
    }
}
