//! The mark of a member: the file on its machine that says whose it is.
//!
//! It is written before the member has data and removed after its data has gone, so data without a mark is never ours.

use jiff::Timestamp;
use keelson_provider_api::ClusterUid;
use keelson_provider_api::kinds::{EtcdMember, MemberPhase, MemberStart};
use serde::{Deserialize, Serialize};

/// What is written down about a member, at `/var/lib/keelson/etcd-<cluster>.json`; and beside its data where that lies on a volume
/// which outlives the machine. There the next machine takes it from at its first boot, with its own `hostId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    /// The cluster that the member was made for.
    pub cluster_uid: ClusterUid,
    /// Its name, for people.
    pub cluster_name: String,
    /// The etcd cluster.
    pub etcd_cluster: String,
    /// The machine, which is the member's name too.
    pub machine: String,
    /// How it came into its cluster.
    pub start: MemberStart,
    /// The machines that the cluster was formed of.
    pub initial_members: Vec<String>,
    /// Which incarnation of the member it is.
    pub generation: u32,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The id of the machine, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// etcd's id of the member, in hexadecimal, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// True once the member has been seen to vote: the cluster has had a quorum and has data.
    #[serde(default)]
    pub voted: bool,
    /// The id of the restore that gave it its data, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<String>,
}

/// Whose mark a machine carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkSeen {
    /// There is none.
    None,
    /// This cluster's.
    Ours(Box<Mark>),
    /// Someone else's; the text says whose.
    Other(String),
}

impl Mark {
    pub(super) fn as_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The member as this mark alone describes it.
    pub(super) fn member(&self, phase: MemberPhase) -> EtcdMember {
        EtcdMember {
            cluster: self.etcd_cluster.clone(),
            machine: self.machine.clone(),
            phase,
            start: self.start,
            initial_members: self.initial_members.clone(),
            running: true,
        }
    }

    /// True when this member was begun with the same founders.
    pub(super) fn has_founders(&self, founders: &[String]) -> bool {
        let sorted = |names: &[String]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        sorted(&self.initial_members) == sorted(founders)
    }
}

impl MarkSeen {
    /// Reads the mark that a machine carries in the eyes of the cluster `uid`.
    pub(super) fn read(text: &str, uid: Option<&ClusterUid>) -> Self {
        match serde_json::from_str::<Mark>(text) {
            Ok(mark) if Some(&mark.cluster_uid) == uid => Self::Ours(Box::new(mark)),
            Ok(mark) => Self::Other(format!(
                "the cluster {} with the uid {}",
                mark.cluster_name, mark.cluster_uid
            )),
            Err(_) => Self::Other("someone whose mark cannot be read".to_owned()),
        }
    }

    pub(super) fn ours(&self) -> Option<&Mark> {
        match self {
            Self::Ours(mark) => Some(mark),
            Self::None | Self::Other(_) => None,
        }
    }
}

/// What stands in every mark and manifest of the cluster `uid`, and in none of another's, for scripts to look for.
pub(super) fn fragment(uid: &ClusterUid) -> String {
    let uid = serde_json::to_string(uid.as_str()).unwrap_or_default();
    format!("\"clusterUid\":{uid}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::etcd) fn mark(machine: &str) -> Mark {
        Mark {
            cluster_uid: ClusterUid::new("uid"),
            cluster_name: "prod".to_owned(),
            etcd_cluster: "main".to_owned(),
            machine: machine.to_owned(),
            start: MemberStart::Initial,
            initial_members: ["a", "b", "c"].map(str::to_owned).to_vec(),
            generation: 0,
            created_at: Timestamp::UNIX_EPOCH,
            host_id: None,
            member_id: None,
            voted: false,
            restored: None,
        }
    }

    #[test]
    fn a_mark_is_ours_by_its_uid_alone_and_scripts_find_it() {
        let text = mark("a").as_json();
        let uid = ClusterUid::new("uid");
        assert!(MarkSeen::read(&text, Some(&uid)).ours().is_some());
        assert!(text.contains(&fragment(&uid)));
        for other in ["ui", "uid2", "\"uid\"", ""] {
            let other = ClusterUid::new(other);
            assert!(
                matches!(MarkSeen::read(&text, Some(&other)), MarkSeen::Other(_)),
                "{other}"
            );
            assert!(!text.contains(&fragment(&other)), "{other}");
        }
        assert!(matches!(MarkSeen::read(&text, None), MarkSeen::Other(_)));
    }

    #[test]
    fn what_is_no_mark_belongs_to_someone_else() {
        for rubbish in [
            "",
            "{}",
            "null",
            "[1]",
            "{\"clusterUid\":\"uid\"}",
            "\u{0}",
            "{\"clusterUid\":3",
        ] {
            let seen = MarkSeen::read(rubbish, Some(&ClusterUid::new("uid")));
            assert!(matches!(seen, MarkSeen::Other(_)), "{rubbish}");
        }
    }

    #[test]
    fn founders_are_a_set() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(mark("a").has_founders(&names("c a b")));
        assert!(!mark("a").has_founders(&names("a b")));
        assert!(!mark("a").has_founders(&names("a b d")));
    }
}
