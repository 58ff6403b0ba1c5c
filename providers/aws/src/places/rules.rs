//! What a firewall lets in, in the catalogue's terms and in EC2's.
//!
//! A rule of EC2 has one source, one of the catalogue any number of them: rules with the same purpose, protocol and ports are
//! one. The purpose is the description of each (<https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>).

use std::collections::{BTreeMap, BTreeSet};

use keelson_aws_calls::ec2::{DescribedRules, IngressProtocol, IngressRule, IngressSource};
use keelson_provider_api::kinds::{FirewallRule, Protocol};
use keelson_provider_api::values::Cidr;

/// ICMP "destination unreachable, fragmentation needed" (RFC 792): EC2 has type and code in the place of ports.
const FRAGMENTATION_NEEDED: (Option<i32>, Option<i32>) = (Some(3), Some(4));
/// "Packet too big" of ICMP for IPv6 (RFC 4443, 3.2), which has but one code.
const PACKET_TOO_BIG: (Option<i32>, Option<i32>) = (Some(2), Some(0));
/// How descriptions begin of rules that the cluster's own controllers add for load balancers
/// (<https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws_loadbalancer.go>).
const OF_CONTROLLERS: &str = "kubernetes.io/rule/";

/// True for a rule, described so, that the cluster's controllers look after, and nobody else.
pub(super) fn is_of_controllers(description: &str) -> bool {
    description.starts_with(OF_CONTROLLERS)
}

/// The names of the firewalls that `rules` let in.
pub(super) fn firewalls_let_in(rules: &[FirewallRule]) -> BTreeSet<&str> {
    let sources = rules.iter().flat_map(|rule| &rule.sources);
    let names = sources.filter(|source| source.parse::<Cidr>().is_err());
    names.map(String::as_str).collect()
}

/// The rules of EC2 that let in what `rules` do; `groups` has the ids of firewalls by their names, and whoever is not among them
/// is left out.
pub(super) fn described(rules: &[FirewallRule], groups: &BTreeMap<&str, String>) -> DescribedRules {
    let mut described = DescribedRules::new();
    for rule in rules {
        for source in &rule.sources {
            let is_range = source.parse::<Cidr>().is_ok();
            let found = if is_range {
                Some(IngressSource::Cidr(source.clone()))
            } else {
                groups.get(source.as_str()).cloned().map(IngressSource::Group)
            };
            let Some(found) = found else { continue };
            let protocol = protocol(rule, is_range && source.contains(':'));
            let ingress = IngressRule {
                protocol,
                source: found,
            };
            // What is let in for two reasons is let in once, and told with the first.
            described.entry(ingress).or_insert_with(|| rule.purpose.clone());
        }
    }
    described
}

fn protocol(rule: &FirewallRule, is_v6: bool) -> IngressProtocol {
    let (first, last) = rule.ports;
    let icmp = |name: &str, (kind, code)| IngressProtocol::Other(name.to_owned(), kind, code);
    match rule.protocol {
        Protocol::Tcp => IngressProtocol::Tcp(first, last),
        Protocol::Udp => IngressProtocol::Udp(first, last),
        Protocol::Icmp if is_v6 => icmp("icmpv6", PACKET_TOO_BIG),
        Protocol::Icmp => icmp("icmp", FRAGMENTATION_NEEDED),
    }
}

/// What `described` let in, without what is the controllers' own; `name` is what the cluster calls the group with an id.
pub(super) fn rules(described: &DescribedRules, name: impl Fn(&str) -> String) -> Vec<FirewallRule> {
    let ours = described
        .iter()
        .filter(|(_, purpose)| !is_of_controllers(purpose));
    FirewallRule::in_order(ours.map(|(rule, purpose)| {
        let (purpose, protocol, ports) = service(&rule.protocol, purpose);
        let source = match &rule.source {
            IngressSource::Cidr(range) => range.clone(),
            IngressSource::Group(id) => name(id),
            IngressSource::PrefixList(id) => id.clone(),
        };
        FirewallRule {
            purpose,
            protocol,
            ports,
            sources: vec![source],
        }
    }))
}

/// What a rule lets in. What the catalogue has no words for keeps EC2's in its purpose, so that it is seen to be none of what
/// is wanted.
fn service(protocol: &IngressProtocol, purpose: &str) -> (String, Protocol, (u16, u16)) {
    let known = |protocol, ports| (purpose.to_owned(), protocol, ports);
    match protocol {
        IngressProtocol::Tcp(first, last) => known(Protocol::Tcp, (*first, *last)),
        IngressProtocol::Udp(first, last) => known(Protocol::Udp, (*first, *last)),
        IngressProtocol::Other(name, kind, code)
            if (name == "icmp" && (*kind, *code) == FRAGMENTATION_NEEDED)
                || (name == "icmpv6" && (*kind, *code) == PACKET_TOO_BIG) =>
        {
            known(Protocol::Icmp, (0, 0))
        }
        other => (format!("{purpose} ({other:?})"), Protocol::Tcp, (0, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(purpose: &str, protocol: Protocol, ports: (u16, u16), sources: &[&str]) -> FirewallRule {
        FirewallRule {
            purpose: purpose.to_owned(),
            protocol,
            ports,
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
        }
    }

    fn groups() -> BTreeMap<&'static str, String> {
        BTreeMap::from([("nodes", "sg-1".to_owned()), ("control-plane", "sg-2".to_owned())])
    }

    fn back(described: &DescribedRules) -> Vec<FirewallRule> {
        rules(described, |id| {
            let groups = groups();
            let name = groups.iter().find(|(_, found)| *found == id);
            name.map_or(id, |(name, _)| name).to_owned()
        })
    }

    #[test]
    fn rules_come_back_as_they_went_in_order() {
        let given = [
            rule(
                "kubelet",
                Protocol::Tcp,
                (10250, 10250),
                &["nodes", "control-plane"],
            ),
            rule("pods", Protocol::Udp, (1, 65535), &["10.244.0.0/16"]),
            rule("MTU", Protocol::Icmp, (0, 0), &["::/0", "0.0.0.0/0"]),
            rule("API", Protocol::Tcp, (6443, 6443), &["0.0.0.0/0", "::/0"]),
        ];
        let expected = [
            rule("API", Protocol::Tcp, (6443, 6443), &["0.0.0.0/0", "::/0"]),
            rule("MTU", Protocol::Icmp, (0, 0), &["0.0.0.0/0", "::/0"]),
            rule(
                "kubelet",
                Protocol::Tcp,
                (10250, 10250),
                &["control-plane", "nodes"],
            ),
            rule("pods", Protocol::Udp, (1, 65535), &["10.244.0.0/16"]),
        ];
        let described = described(&given, &groups());
        assert_eq!(described.len(), 7);
        assert_eq!(back(&described), expected);
        let names: Vec<_> = firewalls_let_in(&given).into_iter().collect();
        assert_eq!(names, ["control-plane", "nodes"]);
    }

    #[test]
    fn what_somebody_else_let_in_is_seen_and_what_controllers_did_is_theirs() {
        let ssh = [rule("ssh", Protocol::Tcp, (22, 22), &["10.0.0.0/8"])];
        let wanted = described(&ssh, &groups());
        let protocols = [
            IngressProtocol::All,
            IngressProtocol::Icmp,
            IngressProtocol::Tcp(22, 22),
            IngressProtocol::Other("50".to_owned(), None, None),
        ];
        for protocol in protocols {
            let rule = IngressRule {
                protocol,
                source: IngressSource::Cidr("0.0.0.0/0".to_owned()),
            };
            for (description, is_seen) in [("", true), ("kubernetes.io/rule/nlb/client=a", false)] {
                let mut found = wanted.clone();
                found.insert(rule.clone(), description.to_owned());
                assert_eq!(back(&found) != back(&wanted), is_seen, "{rule:?} {description}");
            }
        }
    }
}
