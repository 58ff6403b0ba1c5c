use super::*;
use crate::etcd::survey::tests::{picture, raise};

/// One line a machine: what it is to the planner.
fn told(text: &str, wanted: &str) -> Vec<String> {
    let key = |machine: &str| ResourceKey::new(Kind::EtcdMember, EtcdMember::name("main", machine));
    let wanted = wanted.split_whitespace().map(key).collect();
    let seen = observe(&picture(text), &wanted, Timestamp::UNIX_EPOCH);
    let line = |(key, observed): (&ResourceKey, &Observed<Existing>)| match observed {
        Observed::Absent => format!("{} absent", key.name()),
        Observed::Unknown(why) => format!("{} unknown: {why}", key.name()),
        Observed::Present(existing) => {
            let keelson_provider_api::Resource::EtcdMember(member) = &existing.resource else {
                panic!("{key} is no member")
            };
            let owner = match &existing.owner {
                Owner::ThisCluster => String::new(),
                Owner::Other(owner) => format!(" of {owner}"),
            };
            let health = match &existing.health {
                Health::Healthy => "healthy".to_owned(),
                Health::Unhealthy(reason) => reason.clone(),
                Health::Stalled(reason) => format!("stalled: {reason}"),
                Health::Impaired(reason) => format!("impaired: {reason}"),
                Health::Lost(reason) => format!("lost: {reason}"),
            };
            format!("{} {:?}{owner}: {health}", key.name(), member.phase)
        }
    };
    seen.found.iter().map(line).collect()
}

#[test]
fn a_well_cluster_is_well() {
    assert_eq!(
        told("a:v b:v c:v d:n", "a b c d"),
        [
            "main:a Voter: healthy",
            "main:b Voter: healthy",
            "main:c Voter: healthy"
        ]
    );
}

#[test]
fn founders_wait_until_there_is_a_quorum() {
    let waits = "Waiting: it waits for the other initial members";
    assert_eq!(
        told("a:w b:w c:n", "a b c"),
        [format!("main:a {waits}"), format!("main:b {waits}")]
    );
}

#[test]
fn an_etcd_of_which_no_machine_has_data_is_lost_and_one_that_another_has_is_not() {
    let of = |text: &str, empty: &[&str]| {
        let mut survey = picture(text);
        for machine in empty {
            let seen = survey.machines.get_mut(*machine).unwrap().as_mut().unwrap();
            seen.has_log = false;
        }
        observe_one(&survey, "a", true, Timestamp::UNIX_EPOCH)
    };
    let reason = |observed| match observed {
        Some(Observed::Present(Existing { health, .. })) => health,
        other => panic!("{other:?}"),
    };
    let Health::Lost(why) = reason(of("a:d b:d c:d", &["a", "b", "c"])) else {
        panic!("nobody has any")
    };
    assert!(
        why.ends_with("`keelson etcd restore` gives it that of a snapshot"),
        "{why}"
    );
    assert!(!why.contains("take a out of the spec"), "{why}");
    for (text, empty) in [("a:d b:d c:d", vec!["a", "b"]), ("a:d b:d c:?", vec!["a", "b"])] {
        let Health::Unhealthy(why) = reason(of(text, &empty)) else {
            panic!("c has it, or may have it: {text}")
        };
        assert!(why.contains("take a out of the spec"), "{why}");
    }
    // What was begun and has not started yet has had none.
    let founders = reason(of("a:w b:w c:w", &["a", "b", "c"]));
    assert!(matches!(founders, Health::Unhealthy(_)), "{founders:?}");
}

#[test]
fn a_voter_on_a_machine_that_does_not_answer_still_counts() {
    assert_eq!(
        told("a:v b:v c:?", "a b c")[2],
        "main:c Voter: c does not answer: connection timed out"
    );
}

#[test]
fn a_machine_that_does_not_answer_may_have_anything() {
    let unknown = "unknown: c does not answer: connection timed out";
    assert_eq!(told("a:v b:v c:!", "a b c")[2], format!("main:c {unknown}"));
    assert_eq!(
        told("a:d b:d c:!", "")[2],
        format!("main:c {unknown}"),
        "a founder, and no list"
    );
    assert_eq!(
        told("a:v b:v c:!", "").len(),
        2,
        "nobody asked, and it is no member"
    );
}

#[test]
fn what_is_left_of_a_member_that_was_removed_waits() {
    assert!(told("a:v b:v c:x", "")[2].starts_with("main:c Waiting: etcd main does not list it any more"));
}

#[test]
fn a_member_that_never_started_is_to_be_made() {
    assert_eq!(told("a:v b:v c:u", "a b c").len(), 2, "wanted: it is absent");
    assert_eq!(
        told("a:v b:v c:u", "a b")[2],
        "main:c Voter: its machine has nothing of it",
        "not wanted: it is to be removed"
    );
}

#[test]
fn what_is_someone_elses_is_shown_only_where_it_is_in_the_way() {
    assert_eq!(
        told("a:f b:o", "a b"),
        [
            "main:a Waiting of the cluster other: it is not this cluster's",
            "main:b Waiting of whoever left data in /var/lib/etcd on b: it is not this cluster's",
        ]
    );
    assert!(told("a:f b:o", "").is_empty());
}

#[test]
fn without_a_quorum_voters_stay_voters() {
    let lines = told("a:d b:d c:!", "a b c");
    assert!(
        lines[0].starts_with("main:a Voter: etcd.service is activating on a"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("main:c unknown"), "{lines:?}");
}

#[test]
fn a_stopped_member_with_its_data_is_to_be_started() {
    let running = |has_log: bool| {
        let mut survey = picture("a:v b:v c:d");
        let seen = survey.machines.get_mut("c").unwrap().as_mut().unwrap();
        (seen.unit, seen.has_log) = ("inactive".to_owned(), has_log);
        let seen = observe(&survey, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
        let Some(Observed::Present(existing)) = seen.found.get(&ResourceKey::new(Kind::EtcdMember, "main:c"))
        else {
            panic!("{seen:?}")
        };
        let keelson_provider_api::Resource::EtcdMember(member) = &existing.resource else {
            panic!("{existing:?}")
        };
        member.running
    };
    assert!(!running(true));
    assert!(running(false), "to start it without its data would mend nothing");
}

#[test]
fn a_member_that_runs_without_a_quorum_is_stalled() {
    let mut survey = picture("a:v b:d c:d");
    let seen = survey.machines.get_mut("a").unwrap().as_mut().unwrap();
    seen.status.as_mut().unwrap().leader = crate::etcd::answers::Id(0);
    seen.list = None;
    let survey = Survey::of(survey.instance, survey.machines, survey.addresses);
    let seen = observe(&survey, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let stalled = |name: &str| match seen.found.get(&ResourceKey::new(Kind::EtcdMember, name)) {
        Some(Observed::Present(existing)) => matches!(existing.health, Health::Stalled(_)),
        other => panic!("{other:?}"),
    };
    assert!(stalled("main:a") && !stalled("main:b"));
}

#[test]
fn a_learner_is_not_well_and_says_how_far_it_is() {
    assert_eq!(told("a:v b:l", "")[1], "main:b Learner: it is a learner");
}

#[test]
fn a_member_whose_machine_was_made_anew_lives_on_none() {
    let mut survey = picture("a:v b:v c:?");
    survey.machines.insert("c".to_owned(), Ok(Seen::nothing()));
    let seen = observe(&survey, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let key = ResourceKey::new(Kind::EtcdMember, "main:c");
    let Some(Observed::Present(existing)) = seen.found.get(&key) else {
        panic!("{seen:?}")
    };
    assert_eq!(existing.host_id.as_deref(), Some(NO_MACHINE));
}

#[test]
fn an_alarm_is_named_at_the_member_that_raised_it() {
    let mut survey = picture("a:v b:v");
    for seen in survey.machines.values_mut().flatten() {
        seen.status.as_mut().unwrap().errors = vec!["memberID:2 alarm:NOSPACE ".to_owned()];
    }
    let health = |machine: &str| {
        let seen = observe_one(&survey, machine, true, Timestamp::UNIX_EPOCH);
        match seen {
            Some(Observed::Present(existing)) => existing.health,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(health("a"), Health::Healthy);
    let Health::Impaired(why) = health("b") else {
        panic!("it votes, and its fellows count on it: {:?}", health("b"));
    };
    assert!(
        why.starts_with("alarm NOSPACE: its database has reached its quota"),
        "{why}"
    );
    raise(&mut survey, "b", "CORRUPT");
    let seen = observe_one(&survey, "b", true, Timestamp::UNIX_EPOCH);
    let Some(Observed::Present(existing)) = seen else {
        panic!("{seen:?}")
    };
    assert!(matches!(existing.health, Health::Unhealthy(_)), "{existing:?}");
}

#[test]
fn a_full_disk_is_told_in_words() {
    let mut survey = picture("a:v b:d");
    let seen = survey.machines.get_mut("b").unwrap().as_mut().unwrap();
    seen.free_kib = Some(0);
    seen.words = Some("write: no space left on device".to_owned());
    let told = troubles(&survey, "b", survey.seen("b").unwrap(), survey.entry("b")).unwrap();
    assert_eq!(
        told,
        "no space is left on the disk of /var/lib/etcd on b; its last words: write: no space left on device"
    );
}

#[test]
fn what_a_member_says_of_itself_stands_among_its_facts() {
    let mut survey = picture("a:v b:?");
    let seen = survey.machines.get_mut("a").unwrap().as_mut().unwrap();
    seen.latency_ms = Some(12);
    let observation = observe(&survey, &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let facts = |name: &str| match &observation.found[&ResourceKey::new(Kind::EtcdMember, name)] {
        Observed::Present(existing) => EtcdMemberFacts::from_facts(&existing.facts),
        other => panic!("{other:?}"),
    };
    let answer = facts("main:a").answer.unwrap();
    assert!(answer.is_leader && answer.alarms.is_empty());
    assert_eq!((answer.revision, answer.raft_term, answer.raft_index), (7, 2, 99));
    assert_eq!(
        (answer.database_bytes, answer.database_in_use_bytes),
        (4096, 2048)
    );
    assert_eq!(answer.latency_ms, Some(12));
    assert_eq!(facts("main:b").answer, None, "it did not answer");
    assert_eq!(facts("main:b").id.as_deref(), Some("2"), "it is listed");
}

#[test]
fn a_new_name_for_a_host_with_a_member_is_no_member_before_it_is_seen() {
    let mut survey = picture("a:v b:v c:v d:!");
    let address = survey.addresses["a"];
    survey.addresses.insert("d".to_owned(), address);
    assert_eq!(
        survey.machine_of(&survey.list.as_ref().unwrap().members[0].clone()),
        "a"
    );
    let seen = observe_one(&survey, "d", true, Timestamp::UNIX_EPOCH);
    assert!(matches!(&seen, Some(Observed::Unknown(_))), "{seen:?}");
    // The same name in order of the alphabet before the old one.
    let mut survey = picture("b:v c:v d:v a:!");
    let address = survey.addresses["b"];
    survey.addresses.insert("a".to_owned(), address);
    assert_eq!(
        survey.listed_machines(),
        ["b", "c", "d"].map(str::to_owned).into()
    );
}
