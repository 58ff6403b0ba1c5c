//! What is decided for each picture of the machines.

use super::*;
use crate::etcd::look::Seen;
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
        running: true,
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
fn a_founder_does_not_wait_for_one_that_is_seen_to_be_silent() {
    let error = refused("a:w b:w c:!", "a");
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert!(error.message.starts_with("c, a founder of etcd main"), "{error}");
    assert_eq!(decide("a:v b:v c:!", "a"), Ok(Next::Done), "two are a quorum");
}

#[test]
fn a_late_founder_of_a_cluster_that_has_formed_is_begun() {
    assert_eq!(decide("a:v b:v c:u", "c"), Ok(Next::Begin));
}

#[test]
fn nothing_is_begun_beside_a_cluster_that_lives_or_lived() {
    assert!(refused("a:v b:v c:n", "c").message.contains("would split it"));
    let mut replaced = picture("a:v b:v c:?");
    replaced.machines.insert("c".to_owned(), Ok(Seen::nothing()));
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
                running: true,
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
