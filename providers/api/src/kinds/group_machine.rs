//! Machines of node groups.

use crate::values::Digest;
use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// One machine of a [`NodeGroup`](super::NodeGroup), under the name that the cloud has for it, such as `i-0a1b2c3d4e5f60718`.
///
/// It is only ever seen, let go and removed: its group makes it, and another one when it is gone. One that was started from
/// something else than what its group starts machines from now is removed: its node is drained, the machine ends, and with it
/// its Node object. Where the group has a [surge](super::NodeGroup::max_surge), the machine is let go before that: an update
/// to [`detached`](Self::detached), which makes the group start another. Either has come to its end when the group holds as many
/// machines as it is to, and the nodes of those are Ready that are up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupMachine {
    /// The group's name.
    pub group: String,

    /// What it was started from: the [`template`](super::NodeGroup::template) of its group at that time.
    pub template: Digest,

    /// The name of its node.
    pub node: String,

    /// True for one that its group has let go, and that is to be removed: another is in its place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
}

impl Catalogued for GroupMachine {
    const SUMMARY: &'static str = "A machine that a node group has made, and replaces by itself.";
    const LIFETIME: Lifetime = Lifetime::Group;
    // Nobody wants one of its kind, so only a plan's own steps change one.
    const FIELDS: &'static [Field] = &[
        Field::new("group", Effect::Immutable),
        Field::new("template", Effect::Immutable),
        Field::new("node", Effect::Immutable),
        Field::new("detached", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::NodeGroup, &*self.group)]
    }

    fn machine(&self) -> Option<&str> {
        Some(&self.node)
    }
}

#[cfg(test)]
impl GroupMachine {
    pub(super) fn sample() -> Self {
        Self {
            group: "workers".to_owned(),
            template: Digest::of_bytes(b""),
            node: "i-0a1b2c3d4e5f60718".to_owned(),
            detached: true,
        }
    }
}
