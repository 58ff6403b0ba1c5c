//! Firewalls.

use serde::{Deserialize, Serialize};

use super::{Catalogued, Effect, Field, Kind, Lifetime};
use crate::key::ResourceKey;

/// One thing that a firewall lets in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirewallRule {
    /// What it is for, in a few words.
    pub purpose: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The first and the last port; both 0 where the protocol has none.
    pub ports: (u16, u16),
    /// Who may come: address ranges, or names of other firewalls for the machines behind them.
    pub sources: Vec<String>,
}

/// A protocol that a firewall rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP; has no ports.
    Icmp,
}

/// An allow-list of who may reach a group of machines; everything else is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Firewall {
    /// The network's name.
    pub network: String,

    /// What is let in, in the order of the spec's model.
    pub rules: Vec<FirewallRule>,
}

impl Catalogued for Firewall {
    const SUMMARY: &'static str =
        "An allow-list of who may reach a group of machines; everything else is refused.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("network", Effect::Immutable),
        Field::new("rules", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        vec![ResourceKey::new(Kind::Network, &*self.network)]
    }
}

#[cfg(test)]
impl Firewall {
    pub(super) fn sample() -> Self {
        Self {
            network: "main".to_owned(),
            rules: Vec::new(),
        }
    }
}
