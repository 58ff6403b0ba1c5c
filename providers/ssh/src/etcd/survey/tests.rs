//! Pictures of machines, and what is read off them.

use super::*;
use crate::etcd::answers::{Header, Status};
use crate::etcd::mark::MarkSeen;
use crate::etcd::mark::tests::mark;
use crate::shell::{HostError, HostErrorKind};
use MemberPhase::{Learner, Voter, Waiting};
use keelson_provider_api::etcd::MAIN;

/// Surveys as tests write them: a machine a word, with what is on it after a colon.
///
/// `v` a voter that answers, `l` a learner, `d` a voter that does not answer, `w` one that waits, `u` in the list
/// and never started, `x` not in the list with a mark and data, `n` nothing, `f` someone else's, `o` data without
/// a mark, `?` not seen and in the list, `!` not seen and not in the list.
pub(in crate::etcd) fn picture(text: &str) -> Survey {
    let (mut machines, mut addresses, mut members) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (index, word) in text.split(' ').enumerate() {
        let (name, what) = word.split_once(':').unwrap();
        let number = u8::try_from(index + 1).unwrap();
        let address = IpAddr::from([10, 0, 0, number]);
        addresses.insert(name.to_owned(), address);
        let url = MAIN.peer_url(address);
        if "vld?u".contains(what) {
            members.push(Member {
                id: Id(u64::from(number)),
                name: if what == "u" {
                    String::new()
                } else {
                    name.to_owned()
                },
                peer_urls: vec![url],
                client_urls: if what == "u" {
                    Vec::new()
                } else {
                    vec!["https://x".to_owned()]
                },
                is_learner: what == "l",
            });
        }
        machines.insert(name.to_owned(), machine(name, what, number));
    }
    let header = Header {
        cluster_id: Id(99),
        member_id: Id(1),
        revision: 7,
        raft_term: 2,
    };
    let list = MemberList { header, members };
    for seen in machines.values_mut().flatten() {
        let answers = seen.status.as_ref().is_some_and(|status| !status.is_learner);
        seen.list = (answers && seen.mark.ours().is_some()).then(|| list.clone());
    }
    Survey::of(&MAIN, machines, addresses)
}

/// Has the member on `machine` raise an alarm.
pub(in crate::etcd) fn raise(survey: &mut Survey, machine: &str, alarm: &str) {
    let seen = survey.machines.get_mut(machine).unwrap().as_mut().unwrap();
    let status = seen.status.as_mut().unwrap();
    let id = status.header.member_id.0;
    status.errors.push(format!("memberID:{id} alarm:{alarm} "));
}

/// What is said of a machine that makes trouble of `kind`.
pub(in crate::etcd) fn host_error(kind: HostErrorKind, problem: &str) -> HostError {
    HostError {
        host: "a".to_owned(),
        address: "10.0.0.1".to_owned(),
        kind,
        problem: problem.to_owned(),
        help: Some(format!("see to it that not: {problem}")),
    }
}

fn machine(name: &str, what: &str, number: u8) -> Result<Seen, Unseen> {
    let status = |is_learner| Status {
        header: Header {
            cluster_id: Id(99),
            member_id: Id(u64::from(number)),
            revision: 7,
            raft_term: 2,
        },
        version: "3.6.8".to_owned(),
        db_size: 4096,
        db_size_in_use: 2048,
        leader: Id(1),
        raft_index: 100 - u64::from(number),
        raft_applied_index: 100 - u64::from(number),
        is_learner,
        errors: Vec::new(),
    };
    let marked = |voted| Seen {
        mark: MarkSeen::Ours(Box::new(Mark { voted, ..mark(name) })),
        has_data: true,
        has_log: true,
        unit: "active".to_owned(),
        free_kib: Some(1 << 20),
        ..Seen::nothing()
    };
    Ok(match what {
        "v" => Seen {
            status: Some(status(false)),
            ..marked(true)
        },
        "l" => Seen {
            status: Some(status(true)),
            ..marked(false)
        },
        "d" | "x" => Seen {
            unit: "activating".to_owned(),
            ..marked(true)
        },
        "w" => Seen {
            unit: "activating".to_owned(),
            ..marked(false)
        },
        "f" => Seen {
            mark: MarkSeen::Other("the cluster other".to_owned()),
            has_data: true,
            ..Seen::nothing()
        },
        "o" => Seen {
            has_data: true,
            ..Seen::nothing()
        },
        "?" | "!" => return Err(host_error(HostErrorKind::Unreachable, "connection timed out").into()),
        _ => Seen::nothing(),
    })
}

#[test]
fn voters_are_counted_by_the_list_and_by_who_answers() {
    let survey = picture("a:v b:v c:d d:l e:u");
    assert_eq!(survey.voters_without(None), (4, 2));
    assert_eq!(survey.voters_without(Some(Id(3))), (3, 2));
    assert_eq!(survey.other_voters("a"), ["b"]);
    assert_eq!(survey.other_voters("c"), ["b", "a"], "the leader comes last");
    assert_eq!(survey.listed_machines().len(), 5);
}

#[test]
fn the_phase_comes_from_the_list_and_without_one_from_the_marks() {
    let phases = |text: &str| -> Vec<MemberPhase> {
        let survey = picture(text);
        survey
            .machines
            .keys()
            .map(|machine| survey.phase(machine))
            .collect()
    };
    assert_eq!(phases("a:v b:l c:x"), [Voter, Learner, Waiting]);
    assert_eq!(phases("a:w b:w"), [Waiting, Waiting]);
    assert_eq!(
        phases("a:d b:w"),
        [Voter, Voter],
        "a founder votes from when the cluster has formed"
    );
}

#[test]
fn data_is_lost_where_marks_are_and_no_machine_has_a_log() {
    let of = |text: &str, empty: &[&str]| {
        let mut survey = picture(text);
        for machine in empty {
            survey
                .machines
                .get_mut(*machine)
                .unwrap()
                .as_mut()
                .unwrap()
                .has_log = false;
        }
        (survey.has_lost_its_data(), survey.phase("a"))
    };
    // To the planner they are voters that are not well all the same: nobody founds them anew.
    assert_eq!(of("a:d b:d c:d", &["a", "b", "c"]), (true, Voter));
    assert_eq!(of("a:d b:n c:n", &["a"]), (true, Voter));
    assert_eq!(of("a:d b:d c:d", &["a", "b"]), (false, Voter));
    assert_eq!(of("a:d b:d c:?", &["a", "b"]), (false, Voter), "c may have it");
    assert_eq!(of("a:n b:n", &[]), (false, Waiting), "it has had none");
}

#[test]
fn someone_elses_members_are_not_believed() {
    let mut survey = picture("a:v b:v");
    let list = survey.list.clone().unwrap();
    let mut other = list.clone();
    other.header.cluster_id = Id(1);
    survey.machines.get_mut("b").unwrap().as_mut().unwrap().list = Some(other);
    let split = Survey::of(survey.instance, survey.machines.clone(), survey.addresses.clone());
    assert!(split.split.is_some() && split.list.is_none());
    survey.machines.get_mut("b").unwrap().as_mut().unwrap().mark = MarkSeen::Other("x".to_owned());
    let survey = Survey::of(survey.instance, survey.machines, survey.addresses);
    assert_eq!((survey.split, survey.list), (None, Some(list)));
}
