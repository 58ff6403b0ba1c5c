//! What is told of an address.

use std::collections::BTreeSet;

use super::observe::observed;
use super::*;
use crate::control_plane::look::{read, tests::text};
use crate::shell::{HostError, HostErrorKind};
use keelson_provider_api::{ClusterIdentity, ClusterUid, Existing, Health, Kind, Observed, ResourceKey};

const ADDRESS_OF_ALL: &str = "10.0.0.100";

fn cluster() -> ClusterIdentity {
    ClusterIdentity {
        name: "prod.example.com".parse().unwrap(),
        uid: Some(ClusterUid::new("u1")),
    }
}

fn key() -> ResourceKey {
    ResourceKey::new(Kind::VirtualAddress, "api")
}

fn mark(uid: &str, has_answered: bool) -> String {
    let mark = Mark {
        uid: ClusterUid::new(uid),
        cluster: "prod.example.com".parse().unwrap(),
        name: "api".to_owned(),
        generation: 0,
        resource: VirtualAddress {
            address: ADDRESS_OF_ALL.to_owned(),
            machines: ["a", "b", "c"].map(str::to_owned).to_vec(),
        },
        created_at: Timestamp::UNIX_EPOCH,
        answered_at: has_answered.then_some(Timestamp::UNIX_EPOCH),
    };
    mark.line().unwrap()
}

fn gone() -> Result<Look<VirtualAddress>, LookError> {
    Err(LookError::Host(HostError {
        host: "x".to_owned(),
        address: "10.0.0.1".to_owned(),
        kind: HostErrorKind::Unreachable,
        problem: "nothing answers".to_owned(),
        help: None,
    }))
}

/// A letter for each machine, a, b, c: `h` holds it and answers, `s` holds it and does not, `m` is marked, `n` is marked and
/// nobody has ever held it, `-` has nothing, `o` is someone else's, `?` does not answer.
fn picture(letters: &str) -> Seen {
    let rest = |letter: char| match letter {
        'h' => format!("holds\t{ADDRESS_OF_ALL}\nhealth\taddress ok\n"),
        's' => format!("holds\t{ADDRESS_OF_ALL}\nhealth\taddress timed out\n"),
        _ => "unit\tkeelson-keepalived active\n".to_owned(),
    };
    let look = |letter: char| match letter {
        '?' => gone(),
        '-' => Ok(read("machine-id\t1\nend\tend\n").unwrap()),
        'o' => Ok(read(&text(&mark("u2", true), "")).unwrap()),
        letter => Ok(read(&text(&mark("u1", letter != 'n'), &rest(letter))).unwrap()),
    };
    let names = ["a", "b", "c"].map(str::to_owned);
    names
        .into_iter()
        .zip(letters.chars())
        .map(|(name, letter)| (name, look(letter)))
        .collect()
}

fn of(letters: &str, is_wanted: bool) -> Option<Observed<Existing>> {
    let wanted = if is_wanted {
        [key()].into()
    } else {
        BTreeSet::new()
    };
    observed(&picture(letters), &cluster(), &wanted).map(|(seen_key, observed)| {
        assert_eq!(seen_key, key());
        observed
    })
}

fn present(letters: &str) -> (Vec<String>, Health, Option<String>) {
    match of(letters, true) {
        Some(Observed::Present(existing)) => {
            let keelson_provider_api::Resource::VirtualAddress(address) = existing.resource else {
                panic!("it is something else");
            };
            (
                address.machines,
                existing.health,
                existing.facts.get("holder").cloned(),
            )
        }
        other => panic!("{letters}: {other:?}"),
    }
}

#[test]
fn one_holder_that_answers_is_well() {
    let all = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(
        present("mhm"),
        (all.clone(), Health::Healthy, Some("b".to_owned()))
    );
    // A machine that is off keeps its place.
    assert_eq!(present("?hm"), (all, Health::Healthy, Some("b".to_owned())));
}

#[test]
fn a_machine_without_a_mark_is_seen_to_lack_it() {
    let (machines, health, _) = present("h-m");
    assert_eq!(machines, ["a", "c"]);
    assert_eq!(health, Health::Healthy);
}

#[test]
fn what_is_wrong_is_told() {
    let told = |letters: &str| match present(letters).1 {
        Health::Unhealthy(why) => why,
        other => panic!("{letters}: {other:?}"),
    };
    assert!(told("hhm").starts_with("a and b hold 10.0.0.100 at the same time"));
    assert!(told("smm").contains("does not answer there: timed out"));
    let nobody = told("m-?");
    assert!(
        nobody.contains("keepalived is active on a; b was not given it; c does not answer"),
        "{nobody}"
    );
}

#[test]
fn absent_is_what_is_surely_not_there() {
    assert_eq!(of("---", true), None);
    assert_eq!(of("---", false), None);
    assert_eq!(
        of("n--", true),
        None,
        "the create that is planned goes on with it"
    );
    assert!(matches!(of("n--", false), Some(Observed::Present(_))));
    assert!(matches!(of("-?-", true), Some(Observed::Unknown(_))));
    assert_eq!(of("-?-", false), None);
    assert_eq!(
        of("o--", true),
        None,
        "what another cluster does there is told by the machine"
    );
}
