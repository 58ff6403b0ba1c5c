//! Firewalls.

use std::collections::{BTreeMap, BTreeSet};

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

impl FirewallRule {
    /// What `rules` let in, each service once, in order, with its sources in order: what two firewalls let in is equal when it is
    /// the same. Clouds keep no order of rules, and a rule for each source.
    pub fn in_order(rules: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut sources: BTreeMap<(String, Protocol, (u16, u16)), BTreeSet<String>> = BTreeMap::new();
        for rule in rules {
            let service = (rule.purpose, rule.protocol, rule.ports);
            sources.entry(service).or_default().extend(rule.sources);
        }
        let ordered = sources
            .into_iter()
            .map(|((purpose, protocol, ports), sources)| Self {
                purpose,
                protocol,
                ports,
                sources: sources.into_iter().collect(),
            });
        ordered.collect()
    }
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

    /// What is let in, [in order](FirewallRule::in_order).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_rules_and_sources_makes_no_difference() {
        let rule = |purpose: &str, port, sources: &[&str]| FirewallRule {
            purpose: purpose.to_owned(),
            protocol: Protocol::Tcp,
            ports: (port, port),
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
        };
        let one = [rule("b", 2, &["y", "x"]), rule("a", 1, &["x"])];
        let other = [
            rule("a", 1, &["x"]),
            rule("b", 2, &["x"]),
            rule("b", 2, &["y", "x"]),
        ];
        assert_eq!(FirewallRule::in_order(one), FirewallRule::in_order(other.clone()));
        assert_eq!(
            FirewallRule::in_order(other),
            [rule("a", 1, &["x"]), rule("b", 2, &["x", "y"])]
        );
        let ports = [rule("a", 1, &["x"]), rule("a", 2, &["x"])];
        assert_eq!(FirewallRule::in_order(ports.clone()), ports);
    }
}
