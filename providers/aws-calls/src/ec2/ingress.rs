//! What a security group lets in.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};

/// Rules, with what each is for, as people are to read it: at most 255 letters, digits and ` ._-:/()#,@[]+=&;{}!$*`.
pub type DescribedRules = BTreeMap<IngressRule, String>;

/// One thing that a security group lets in. Two are equal when EC2 takes them for duplicates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IngressRule {
    /// The protocol, with its ports.
    pub protocol: IngressProtocol,
    /// Who may come.
    pub source: IngressSource,
}

/// A protocol, with its ports (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IngressProtocol {
    /// All protocols.
    All,
    /// TCP, from the first port to the last one.
    Tcp(u16, u16),
    /// UDP, from the first port to the last one.
    Udp(u16, u16),
    /// All of ICMP.
    Icmp,
    /// All of ICMP for IPv6.
    Icmpv6,
    /// Another one, by EC2's name or its number, with what EC2 has as its first and last port.
    Other(String, Option<i32>, Option<i32>),
}

/// Who may come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IngressSource {
    /// Whoever has an address in this range, of IPv4 or IPv6. EC2 sets the bits after the prefix to zero.
    Cidr(String),
    /// Whatever has the security group of this id.
    Group(String),
    /// Whoever has an address in the list of prefixes of this id.
    PrefixList(String),
}

impl IngressProtocol {
    fn written(&self) -> (&str, Option<i32>, Option<i32>) {
        match self {
            Self::All => ("-1", None, None),
            Self::Tcp(first, last) => ("tcp", Some((*first).into()), Some((*last).into())),
            Self::Udp(first, last) => ("udp", Some((*first).into()), Some((*last).into())),
            Self::Icmp => ("icmp", Some(-1), Some(-1)),
            Self::Icmpv6 => ("icmpv6", Some(-1), Some(-1)),
            Self::Other(name, first, last) => (name, *first, *last),
        }
    }

    fn read(name: &str, first: Option<i32>, last: Option<i32>) -> Self {
        let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
        match (name, port(first), port(last)) {
            ("-1", _, _) => Self::All,
            ("tcp", Some(first), Some(last)) => Self::Tcp(first, last),
            ("udp", Some(first), Some(last)) => Self::Udp(first, last),
            ("icmp", None, None) => Self::Icmp,
            ("icmpv6", None, None) => Self::Icmpv6,
            _ => Self::Other(name.to_owned(), first, last),
        }
    }
}

/// A rule as EC2 takes it, with the words about it.
pub(super) fn written(rule: &IngressRule, description: &str) -> IpPermission {
    let description = (!description.is_empty()).then(|| description.to_owned());
    let (name, first, last) = rule.protocol.written();
    let permission = IpPermission::builder()
        .ip_protocol(name)
        .set_from_port(first)
        .set_to_port(last);
    let permission = match &rule.source {
        IngressSource::Cidr(cidr) if cidr.contains(':') => {
            let range = Ipv6Range::builder().cidr_ipv6(cidr).set_description(description);
            permission.ipv6_ranges(range.build())
        }
        IngressSource::Cidr(cidr) => {
            let range = IpRange::builder().cidr_ip(cidr).set_description(description);
            permission.ip_ranges(range.build())
        }
        IngressSource::Group(id) => {
            let pair = UserIdGroupPair::builder()
                .group_id(id)
                .set_description(description);
            permission.user_id_group_pairs(pair.build())
        }
        IngressSource::PrefixList(id) => {
            let prefixes = PrefixListId::builder()
                .prefix_list_id(id)
                .set_description(description);
            permission.prefix_list_ids(prefixes.build())
        }
    };
    permission.build()
}

/// The rules that EC2 has put together in one permission, with the words about each.
pub(super) fn read(permission: IpPermission) -> Vec<(IngressRule, String)> {
    let protocol = IngressProtocol::read(
        permission.ip_protocol.as_deref().unwrap_or_default(),
        permission.from_port,
        permission.to_port,
    );
    let v4 = permission.ip_ranges.unwrap_or_default();
    let v6 = permission.ipv6_ranges.unwrap_or_default();
    let groups = permission.user_id_group_pairs.unwrap_or_default();
    let lists = permission.prefix_list_ids.unwrap_or_default();
    let v4 = v4
        .into_iter()
        .map(|range| (range.cidr_ip.map(IngressSource::Cidr), range.description));
    let v6 = v6
        .into_iter()
        .map(|range| (range.cidr_ipv6.map(IngressSource::Cidr), range.description));
    let groups = groups
        .into_iter()
        .map(|pair| (pair.group_id.map(IngressSource::Group), pair.description));
    let lists = lists.into_iter().map(|list| {
        (
            list.prefix_list_id.map(IngressSource::PrefixList),
            list.description,
        )
    });
    v4.chain(v6)
        .chain(groups)
        .chain(lists)
        .filter_map(|(source, description)| {
            let protocol = protocol.clone();
            let source = source?;
            Some((IngressRule { protocol, source }, description.unwrap_or_default()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_as_they_were_written() {
        let protocols = [
            IngressProtocol::All,
            IngressProtocol::Tcp(0, 65535),
            IngressProtocol::Udp(53, 53),
            IngressProtocol::Icmp,
            IngressProtocol::Icmpv6,
            IngressProtocol::Other("icmp".to_owned(), Some(3), Some(4)),
            IngressProtocol::Other("4".to_owned(), None, None),
        ];
        let sources = [
            IngressSource::Cidr("10.0.0.0/8".to_owned()),
            IngressSource::Cidr("fd00::/8".to_owned()),
            IngressSource::Group("sg-1".to_owned()),
            IngressSource::PrefixList("pl-1".to_owned()),
        ];
        for protocol in &protocols {
            for source in &sources {
                let (protocol, source) = (protocol.clone(), source.clone());
                let rule = IngressRule { protocol, source };
                for description in ["", "what it is for"] {
                    let read_back = read(written(&rule, description));
                    assert_eq!(read_back, [(rule.clone(), description.to_owned())]);
                }
            }
        }
    }

    #[test]
    fn what_stands_together_is_read_as_rules_of_one_source_each() {
        let range = |cidr: &str| IpRange::builder().cidr_ip(cidr).build();
        let permission = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(22)
            .to_port(23);
        let permission = permission.ip_ranges(range("10.0.0.0/8")).ip_ranges(range("::/0"));
        let pair = UserIdGroupPair::builder().group_id("sg-1").build();
        let expected = [
            IngressSource::Cidr("10.0.0.0/8".to_owned()),
            IngressSource::Cidr("::/0".to_owned()),
            IngressSource::Group("sg-1".to_owned()),
        ];
        let expected = expected.map(|source| {
            let protocol = IngressProtocol::Tcp(22, 23);
            (IngressRule { protocol, source }, String::new())
        });
        assert_eq!(read(permission.user_id_group_pairs(pair).build()), expected);
    }
}
