//! What `etcdctl` answers, as JSON.
//!
//! The forms are those of `etcdctl` 3.5 and 3.6 with `--write-out=json` (the messages of
//! `api/etcdserverpb/rpc.proto` in Go's spelling, without the fields that are zero). Ids are JSON numbers of 64 bits;
//! they are read from text as well, decimal or `0x…`, so that a release that spares other languages the precision is
//! understood too. Fields that are not needed are not looked at.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// The id of a member or of an etcd cluster; shown in hexadecimal, as etcd shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Id(pub u64);

impl Id {
    /// The id that `text` shows in hexadecimal.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:x}", self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let id = match &value {
            serde_json::Value::Number(number) => number.as_u64(),
            serde_json::Value::String(text) => match text.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16).ok(),
                None => text.parse().ok(),
            },
            _ => None,
        };
        id.map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("{value} is not an id")))
    }
}

/// What stands before every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub cluster_id: Id,
    pub member_id: Id,
    pub revision: u64,
    pub raft_term: u64,
}

/// A member, as the list of members has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Member {
    #[serde(rename = "ID")]
    pub id: Id,
    /// Founders have it from the start; one that was added gives it when it starts.
    #[serde(default)]
    pub name: String,
    #[serde(default, rename = "peerURLs")]
    pub peer_urls: Vec<String>,
    #[serde(default, rename = "clientURLs")]
    pub client_urls: Vec<String>,
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
}

impl Member {
    /// True once the member has started and told the others where it serves clients. etcd asks the same before it lets
    /// a founder begin (`isMemberBootstrapped` in `server/etcdserver/cluster_util.go`); names tell nothing of founders.
    pub(super) fn has_started(&self) -> bool {
        !self.client_urls.is_empty()
    }
}

/// `etcdctl member list`, and what adding, promoting and removing a member leaves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct MemberList {
    pub header: Header,
    pub members: Vec<Member>,
}

/// How the member behind one endpoint is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Status {
    pub header: Header,
    #[serde(default)]
    pub version: String,
    #[serde(default, rename = "dbSize")]
    pub db_size: u64,
    #[serde(default, rename = "dbSizeInUse")]
    pub db_size_in_use: u64,
    /// Zero when there is none.
    #[serde(default)]
    pub leader: Id,
    #[serde(default, rename = "raftIndex")]
    pub raft_index: u64,
    #[serde(default, rename = "raftAppliedIndex")]
    pub raft_applied_index: u64,
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
    /// Alarms of every member, and what this one misses: `memberID:1 alarm:NOSPACE `, `etcdserver: no leader`.
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Deserialize)]
struct EndpointStatus {
    #[serde(rename = "Status")]
    status: Status,
}

/// Reads `etcdctl member list`.
pub(super) fn member_list(text: &str) -> Option<MemberList> {
    let list: MemberList = serde_json::from_str(text).ok()?;
    (!list.members.is_empty()).then_some(list)
}

/// Reads `etcdctl endpoint status` of one endpoint.
pub(super) fn endpoint_status(text: &str) -> Option<Status> {
    let mut all: Vec<EndpointStatus> = serde_json::from_str(text).ok()?;
    let status = all.pop()?.status;
    (all.is_empty() && status.header.member_id.0 != 0).then_some(status)
}

/// An alarm that a member has raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Alarm {
    #[serde(rename = "memberID")]
    pub member: Id,
    #[serde(rename = "alarm")]
    pub kind: AlarmKind,
}

/// `AlarmType` in `api/etcdserverpb/rpc.proto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "Id")]
pub(super) enum AlarmKind {
    /// Its database has reached its quota.
    NoSpace,
    /// Its data differs from that of the others.
    Corrupt,
    /// One of which nothing is known here.
    Other(u64),
}

impl From<Id> for AlarmKind {
    fn from(Id(number): Id) -> Self {
        match number {
            1 => Self::NoSpace,
            2 => Self::Corrupt,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSpace => formatter.write_str("NOSPACE"),
            Self::Corrupt => formatter.write_str("CORRUPT"),
            Self::Other(number) => write!(formatter, "of the kind {number}"),
        }
    }
}

/// Reads `etcdctl alarm list`.
pub(super) fn alarm_list(text: &str) -> Option<Vec<Alarm>> {
    #[derive(Deserialize)]
    struct AlarmList {
        /// So that another answer is not taken for one without alarms.
        #[serde(rename = "header")]
        _header: Header,
        #[serde(default)]
        alarms: Vec<Alarm>,
    }
    let list: AlarmList = serde_json::from_str(text).ok()?;
    Some(list.alarms)
}

impl Status {
    /// The alarms that the member `id` has raised: `NOSPACE`, `CORRUPT`.
    pub(super) fn alarms_of(&self, id: Id) -> Vec<&str> {
        let alarm = |error: &'_ str| -> Option<(u64, usize)> {
            let rest = error.strip_prefix("memberID:")?;
            let (member, rest) = rest.split_once(' ')?;
            let name = rest.strip_prefix("alarm:")?;
            Some((member.parse().ok()?, error.len() - name.len()))
        };
        self.errors
            .iter()
            .filter_map(|error| {
                let (member, at) = alarm(error)?;
                (member == id.0).then(|| error.get(at..).unwrap_or_default().trim())
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"header":{"cluster_id":324952591200643719,"member_id":3319814642761637952,"raft_term":2},
        "members":[{"ID":3319814642761637952,"name":"a","peerURLs":["https://10.0.0.1:2380"],"clientURLs":["https://10.0.0.1:2379"]},
        {"ID":13850320731921349233,"peerURLs":["https://10.0.0.2:2380"],"isLearner":true}]}"#;
    const STATUS: &str = r#"[{"Endpoint":"https://127.0.0.1:2379","Status":{"header":{"cluster_id":324952591200643719,
        "member_id":3319814642761637952,"revision":1,"raft_term":2},"version":"3.5.16","dbSize":20480,
        "leader":3319814642761637952,"raftIndex":4,"raftTerm":2,"raftAppliedIndex":4,"dbSizeInUse":16384,
        "errors":["memberID:3319814642761637952 alarm:NOSPACE ","memberID:7 alarm:CORRUPT "]}}]"#;

    #[test]
    fn answers_of_etcd_3_5_are_understood() {
        let list = member_list(LIST).unwrap();
        assert!(list.members[0].has_started() && !list.members[1].has_started());
        assert!(list.members[1].is_learner);
        assert_eq!(list.members[1].id.to_string(), "c0363952d3667a71");
        assert_eq!(Id::from_hex("c0363952d3667a71"), Some(list.members[1].id));
        let status = endpoint_status(STATUS).unwrap();
        assert_eq!(status.leader, list.members[0].id);
        assert_eq!((status.header.revision, status.header.raft_term), (1, 2));
        assert_eq!((status.raft_index, status.raft_applied_index), (4, 4));
        assert_eq!((status.db_size, status.db_size_in_use), (20480, 16384));
        assert_eq!(status.alarms_of(status.leader), ["NOSPACE"]);
        assert_eq!(status.alarms_of(Id(7)), ["CORRUPT"]);
        assert!(status.alarms_of(Id(8)).is_empty());
    }

    #[test]
    fn alarms_are_read_and_what_is_no_list_of_them_is_none() {
        let header = r#"{"header":{"cluster_id":1,"member_id":2,"raft_term":3}"#;
        assert_eq!(alarm_list(&format!("{header}}}")), Some(Vec::new()));
        let text = format!(r#"{header},"alarms":[{{"memberID":7,"alarm":1}},{{"memberID":8,"alarm":2}}]}}"#);
        let alarms = alarm_list(&text).unwrap();
        let words: Vec<_> = alarms
            .iter()
            .map(|alarm| format!("{} {}", alarm.kind, alarm.member))
            .collect();
        assert_eq!(words, ["NOSPACE 7", "CORRUPT 8"]);
        for rubbish in [
            "",
            "{}",
            "null",
            "[]",
            "{\"alarms\":[]}",
            &text.replace(":1}", ":\"x\"}"),
        ] {
            assert_eq!(alarm_list(rubbish), None, "{rubbish}");
        }
    }

    #[test]
    fn ids_come_as_numbers_or_as_text() {
        for text in [
            "18446744073709551615",
            "\"18446744073709551615\"",
            "\"0xffffffffffffffff\"",
        ] {
            assert_eq!(serde_json::from_str::<Id>(text).unwrap(), Id(u64::MAX), "{text}");
        }
        for text in ["-1", "1.5", "\"\"", "\"x\"", "null", "{}", "18446744073709551616"] {
            assert!(serde_json::from_str::<Id>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rubbish_is_no_answer() {
        let cut = [LIST, STATUS].map(|text| &text[..text.len() - 3]);
        let rubbish = [
            "",
            " ",
            "null",
            "[]",
            "{}",
            "[{}]",
            "[null]",
            "Error: context deadline exceeded",
            "\u{fffd}",
            r#"{"header":{},"members":[]}"#,
            r#"{"header":{},"members":[{"name":"a"}]}"#,
            r#"{"header":{},"members":{"ID":1}}"#,
            r#"[{"Status":{"header":{}}}]"#,
            cut[0],
            cut[1],
        ];
        for text in rubbish {
            assert_eq!(member_list(text), None, "{text}");
            assert_eq!(endpoint_status(text), None, "{text}");
        }
        let two = format!("[{0},{0}]", STATUS.trim_start_matches('[').trim_end_matches(']'));
        assert_eq!(endpoint_status(&two), None, "one endpoint was asked");
    }

    #[test]
    fn alarms_in_other_words_are_nobodys() {
        let mut status = endpoint_status(STATUS).unwrap();
        status.errors = [
            "",
            "memberID:",
            "memberID:x alarm:NOSPACE",
            "alarm:NOSPACE",
            "etcdserver: no leader",
        ]
        .map(str::to_owned)
        .to_vec();
        assert!(status.alarms_of(status.leader).is_empty());
    }
}
