//! One thing to do to the world.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::key::ResourceKey;
use crate::kinds::{Difference, Resource};
use crate::observed::Existing;

/// One thing to do to one resource: complete in itself, so that whoever carries it out chooses nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// The resource that changes.
    pub key: ResourceKey,
    /// What is done.
    pub action: Action,
    /// Why, for a person: a lower-case fragment.
    pub reason: String,
    /// What it takes down while it is done.
    pub disruption: Disruption,
    /// True for the delete and the create that together replace a resource.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replacement: bool,
}

/// What is done to a resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Make what is absent.
    #[serde(rename_all = "camelCase")]
    Create {
        /// What to make.
        resource: Box<Resource>,
        /// Which incarnation of the key it will be; part of the idempotency token.
        generation: u32,
    },
    /// Change what is there, in place.
    #[serde(rename_all = "camelCase")]
    Update {
        /// The provider's id of the thing that changes.
        id: String,
        /// What it is to become.
        resource: Box<Resource>,
        /// In which fields it differs now.
        differences: Vec<Difference>,
    },
    /// Remove what is there and owned.
    Delete {
        /// What is removed.
        existing: Box<Existing>,
    },
}

impl Action {
    /// The action's verb: `create`, `update` or `delete`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        }
    }
}

impl Change {
    /// True when it takes the resource away.
    pub fn is_removal(&self) -> bool {
        matches!(self.action, Action::Delete { .. })
    }

    /// The resource as it is to be, or as it is when it is to be deleted.
    pub fn resource(&self) -> &Resource {
        match &self.action {
            Action::Create { resource, .. } | Action::Update { resource, .. } => resource,
            Action::Delete { existing } => &existing.resource,
        }
    }

    /// The name of the machine that the resource is or lives on, if there is one.
    pub fn machine(&self) -> Option<&str> {
        self.resource().machine(&self.key)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.action.verb(), self.key)
    }
}

/// What a change takes down while it is carried out, from nothing to everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disruption {
    /// Nothing.
    None,
    /// Components on one machine restart; its pods go on running.
    Restart,
    /// One node is drained: its pods move to other nodes.
    Drain,
    /// Something that serves is removed, for good or to be made anew.
    Removal,
}

impl fmt::Display for Disruption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "no disruption",
            Self::Restart => "restarts components",
            Self::Drain => "drains the node",
            Self::Removal => "removes what serves",
        })
    }
}
