//! What is decided for each picture of the machines.

use super::*;
use crate::etcd::mark::Mark;
use crate::etcd::survey::tests::picture;
use keelson_provider_api::ErrorClass;
use keelson_provider_api::kinds::{MemberPhase, MemberStart};

/// A member that is to join on `machine`.
pub(in crate::etcd::join) fn joins(machine: &str) -> EtcdMember {
    EtcdMember {
        cluster: "main".to_owned(),
        machine: machine.to_owned(),
        phase: MemberPhase::Voter,
        start: MemberStart::Join,
        initial_members: Vec::new(),
        running: true,
    }
}

fn decide_in(survey: &Survey, machine: &str) -> Result<Next, ProviderError> {
    next(survey, &joins(machine))
}

fn decide(text: &str, machine: &str) -> Result<Next, ProviderError> {
    decide_in(&picture(text), machine)
}

/// The same with something else on one machine.
fn decide_with(text: &str, machine: &str, change: impl FnOnce(&mut Seen)) -> Result<Next, ProviderError> {
    let mut survey = picture(text);
    let seen = survey.machines.get_mut(machine).unwrap();
    let mut changed = seen.clone().unwrap_or_else(|_| Seen::nothing());
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
fn a_member_with_its_data_goes_on_without_a_quorum() {
    assert_eq!(
        decide_with("a:d b:d c:d", "c", |seen| seen.unit = "inactive".to_owned()),
        Ok(Next::Start)
    );
    assert_eq!(
        decide("a:d b:d c:d", "c"),
        Ok(Next::Wait("wait for etcd.service on c".to_owned()))
    );
    let ends = decide_with("a:v b:v c:d", "c", |seen| {
        seen.restarts = 5;
        seen.words = Some("failed to open WAL: permission denied".to_owned());
    });
    let ends = ends.unwrap_err();
    assert_eq!(ends.class, ErrorClass::Permanent);
    assert_eq!(
        ends.message,
        "etcd.service on c ends each time that it is started: failed to open WAL: permission denied"
    );
    let lost = decide_with("a:d b:d c:d", "c", |seen| {
        seen.unit = "inactive".to_owned();
        seen.has_log = false;
    });
    assert_eq!(lost.unwrap_err().class, ErrorClass::Transient, "its data is gone");
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
