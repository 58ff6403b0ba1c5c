//! What a provider tells of an etcd member beyond its state: the same names and units, whoever tells it.

use std::collections::BTreeMap;
use std::str::FromStr;

const MEMBER: &str = "member";
const CLIENT_URL: &str = "client URL";
const VERSION: &str = "version";
const LEADER: &str = "leader";
const DATABASE: &str = "database bytes";
const DATABASE_IN_USE: &str = "database in use bytes";
const REVISION: &str = "revision";
const RAFT_TERM: &str = "raft term";
const RAFT_INDEX: &str = "raft index";
const RAFT_APPLIED_INDEX: &str = "raft applied index";
const ALARMS: &str = "alarms";
const LATENCY: &str = "latency ms";

/// Facts about an etcd member, as they stand among the [facts](crate::Existing::facts) of its observation. For people,
/// never for decisions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EtcdMemberFacts {
    /// The member's id in hexadecimal, as `etcdctl member list` shows it.
    pub id: Option<String>,
    /// The first URL under which it serves clients.
    pub client_url: Option<String>,
    /// What it said of itself, if it answered.
    pub answer: Option<EtcdAnswer>,
}

/// What an etcd member says of itself: `etcdctl endpoint status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EtcdAnswer {
    /// Its release, for example `3.6.8`.
    pub version: String,
    /// True for the leader.
    pub is_leader: bool,
    /// The size of its database's file.
    pub database_bytes: u64,
    /// How much of that holds data; the rest is given back by a defragmentation.
    pub database_in_use_bytes: u64,
    /// The revision of the keys.
    pub revision: u64,
    /// The term of the election.
    pub raft_term: u64,
    /// The last entry of the log that it knows to be committed.
    pub raft_index: u64,
    /// The last entry that its database holds.
    pub raft_applied_index: u64,
    /// The alarms that it has raised: `NOSPACE`, `CORRUPT`.
    pub alarms: Vec<String>,
    /// How long it took to answer, asked on its own machine; `None` where that could not be measured.
    pub latency_ms: Option<u64>,
}

impl EtcdMemberFacts {
    /// The facts by their names.
    pub fn to_facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        let mut tell = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                facts.insert(name.to_owned(), value);
            }
        };
        tell(MEMBER, self.id.clone());
        tell(CLIENT_URL, self.client_url.clone());
        let Some(answer) = &self.answer else {
            return facts;
        };
        let yes_or_no = if answer.is_leader { "yes" } else { "no" };
        tell(VERSION, Some(answer.version.clone()));
        tell(LEADER, Some(yes_or_no.to_owned()));
        for (name, number) in [
            (DATABASE, answer.database_bytes),
            (DATABASE_IN_USE, answer.database_in_use_bytes),
            (REVISION, answer.revision),
            (RAFT_TERM, answer.raft_term),
            (RAFT_INDEX, answer.raft_index),
            (RAFT_APPLIED_INDEX, answer.raft_applied_index),
        ] {
            tell(name, Some(number.to_string()));
        }
        tell(
            ALARMS,
            (!answer.alarms.is_empty()).then(|| answer.alarms.join(" ")),
        );
        tell(LATENCY, answer.latency_ms.map(|latency| latency.to_string()));
        facts
    }

    /// Reads them back. A number that is not there, as from an older provider, is 0.
    pub fn from_facts(facts: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| facts.get(name).cloned();
        let number = |name: &str| parsed(facts, name).unwrap_or(0);
        let answer = facts.contains_key(RAFT_INDEX).then(|| EtcdAnswer {
            version: text(VERSION).unwrap_or_default(),
            is_leader: facts.get(LEADER).is_some_and(|leader| leader == "yes"),
            database_bytes: number(DATABASE),
            database_in_use_bytes: number(DATABASE_IN_USE),
            revision: number(REVISION),
            raft_term: number(RAFT_TERM),
            raft_index: number(RAFT_INDEX),
            raft_applied_index: number(RAFT_APPLIED_INDEX),
            alarms: facts.get(ALARMS).map_or_else(Vec::new, |alarms| {
                alarms.split_whitespace().map(str::to_owned).collect()
            }),
            latency_ms: parsed(facts, LATENCY),
        });
        Self {
            id: text(MEMBER),
            client_url: text(CLIENT_URL),
            answer,
        }
    }
}

fn parsed<T: FromStr>(facts: &BTreeMap<String, String>, name: &str) -> Option<T> {
    facts.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_their_text_form() {
        let answer = EtcdAnswer {
            version: "3.6.8".to_owned(),
            is_leader: true,
            database_bytes: 1,
            database_in_use_bytes: 2,
            revision: 3,
            raft_term: 4,
            raft_index: 5,
            raft_applied_index: 6,
            alarms: vec!["NOSPACE".to_owned(), "CORRUPT".to_owned()],
            latency_ms: Some(7),
        };
        let whole = EtcdMemberFacts {
            id: Some("1f".to_owned()),
            client_url: Some("https://10.0.0.1:2379".to_owned()),
            answer: Some(answer.clone()),
        };
        let quiet = EtcdMemberFacts {
            answer: Some(EtcdAnswer {
                alarms: Vec::new(),
                latency_ms: None,
                ..answer
            }),
            ..EtcdMemberFacts::default()
        };
        for facts in [whole, quiet, EtcdMemberFacts::default()] {
            assert_eq!(EtcdMemberFacts::from_facts(&facts.to_facts()), facts);
        }
    }

    #[test]
    fn rubbish_is_no_number() {
        let facts = [(RAFT_INDEX, "-1"), (LATENCY, "soon"), (LEADER, "maybe")];
        let facts = facts
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let answer = EtcdMemberFacts::from_facts(&facts).answer.unwrap();
        assert_eq!(
            (answer.raft_index, answer.latency_ms, answer.is_leader),
            (0, None, false)
        );
    }
}
