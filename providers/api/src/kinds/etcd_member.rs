//! Members of etcd clusters.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// How far a member is on its way to voting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberPhase {
    /// It has started and waits for the other initial members: the cluster has never had a quorum.
    Waiting,
    /// It follows the log and has no vote.
    Learner,
    /// It votes.
    Voter,
}

/// How a member comes into its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberStart {
    /// It is one of the members that form a cluster which has never existed.
    Initial,
    /// It joins a living cluster as a learner and is promoted.
    Join,
}

impl EtcdMember {
    /// The name of the member of `cluster` on `machine`, as it stands in keys.
    pub fn name(cluster: &str, machine: &str) -> String {
        format!("{cluster}:{machine}")
    }

    /// The cluster and the machine that a member's [name](Self::name) is made of; `None` for a text that is no such name.
    pub fn parse_name(name: &str) -> Option<(&str, &str)> {
        name.split_once(':')
    }
}

/// A member of an etcd cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EtcdMember {
    /// The etcd cluster: `main`, or `events` where events have their own.
    pub cluster: String,

    /// The machine's name.
    pub machine: String,

    /// How far it is on its way to voting.
    pub phase: MemberPhase,

    /// How it comes into the cluster; decided by the planner.
    pub start: MemberStart,

    /// The machines of the cluster's initial members, for a member that starts with them.
    pub initial_members: Vec<String>,

    /// False for a member that has its data and is stopped: all that it needs is to be started.
    #[serde(default = "is_running")]
    pub running: bool,
}

/// What was written down before there was the field says nothing of members that are stopped.
const fn is_running() -> bool {
    true
}

impl Catalogued for EtcdMember {
    const SUMMARY: &'static str = "A member of an etcd cluster.";
    const LIFETIME: Lifetime = Lifetime::Machine;
    const FIELDS: &'static [Field] = &[
        Field::new("cluster", Effect::Immutable),
        Field::new("machine", Effect::Immutable),
        Field::new("phase", Effect::InPlace),
        Field::new("start", Effect::Ignored),
        Field::new("initialMembers", Effect::Ignored),
        Field::new("running", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::NodeBundle, &*self.machine)]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.machine)
    }
}

#[cfg(test)]
impl EtcdMember {
    pub(super) fn sample() -> Self {
        Self {
            cluster: "main".to_owned(),
            machine: "a".to_owned(),
            phase: MemberPhase::Voter,
            start: MemberStart::Initial,
            initial_members: vec!["a".to_owned()],
            running: true,
        }
    }
}
