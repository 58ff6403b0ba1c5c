//! Address ranges.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{InvalidText, TextValue, text_value};

/// An IP address range whose address is the first of the range (`10.0.0.0/16`, not `10.0.3.7/16`).
///
/// CIDR notation: RFC 4632 §3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr(IpNet);

impl Cidr {
    /// The IPv4 range of `prefix_length` bits (more than 32 count as 32) that `address` lies in.
    pub fn ipv4(address: [u8; 4], prefix_length: u8) -> Self {
        let whole = ipnet::Ipv4Net::from(std::net::Ipv4Addr::from(address));
        Self(IpNet::V4(
            ipnet::Ipv4Net::new(whole.addr(), prefix_length)
                .unwrap_or(whole)
                .trunc(),
        ))
    }

    /// True when the two ranges share at least one address.
    pub fn overlaps(self, other: Self) -> bool {
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }

    /// True when `address` lies in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// The length of the network prefix in bits.
    pub fn prefix_length(self) -> u8 {
        self.0.prefix_len()
    }

    /// The number of bits that are left for hosts.
    pub fn host_bits(self) -> u8 {
        self.0.max_prefix_len() - self.0.prefix_len()
    }

    /// True for an IPv4 range.
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// The address at `offset` from the range's first one, or `None` outside the range.
    pub fn address_at(self, offset: u32) -> Option<IpAddr> {
        let address = match self.0.network() {
            IpAddr::V4(first) => IpAddr::V4(u32::from(first).checked_add(offset)?.into()),
            IpAddr::V6(first) => IpAddr::V6(u128::from(first).checked_add(u128::from(offset))?.into()),
        };
        self.contains(address).then_some(address)
    }

    /// The `index`th range of `prefix_length` inside this one, or `None` when there is no such range.
    pub fn subnet(self, prefix_length: u8, index: usize) -> Option<Self> {
        self.0.subnets(prefix_length).ok()?.nth(index).map(Self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TextValue for Cidr {
    const FORMAT: &'static str = "cidr";
    const EXPECTED: &'static str = "an address range in CIDR notation";
    const EXAMPLE: &'static str = "10.244.0.0/16";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        if !text.contains('/') {
            return Err(InvalidText::new(format!("`{}` has no prefix length", clip(text))));
        }
        let range: IpNet = text
            .parse()
            .map_err(|_| InvalidText::new(format!("`{}` is not an address range", clip(text))))?;
        if range.trunc() != range {
            let first = range.trunc();
            return Err(InvalidText::new(format!(
                "`{range}` has host bits set; the range is `{first}`"
            )));
        }
        Ok(Self(range))
    }
}

text_value!(Cidr);

/// Keeps quoted input short, and its control characters visible, in messages.
pub fn clip(text: &str) -> String {
    const LIMIT_CHARS: usize = 60;
    let shown: String = text
        .chars()
        .take(LIMIT_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LIMIT_CHARS).is_some() {
        format!("{shown}…")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn overlap_is_symmetric_and_exact() {
        let table = [
            ("10.0.0.0/8", "10.96.0.0/12", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("10.0.0.0/16", "fd00::/8", false),
        ];
        for (left, right, expected) in table {
            assert_eq!(cidr(left).overlaps(cidr(right)), expected, "{left} {right}");
            assert_eq!(cidr(right).overlaps(cidr(left)), expected, "{right} {left}");
        }
    }

    #[test]
    fn host_bits_are_refused_with_the_range_that_was_meant() {
        let problem = "10.0.3.7/16".parse::<Cidr>().unwrap_err();
        assert!(problem.to_string().contains("10.0.0.0/16"), "{problem}");
    }

    #[test]
    fn addresses_stay_inside_the_range() {
        assert_eq!(
            cidr("10.96.0.0/12").address_at(10).unwrap().to_string(),
            "10.96.0.10"
        );
        assert_eq!(cidr("10.0.0.0/30").address_at(4), None);
        assert_eq!(cidr("255.255.255.0/24").address_at(u32::MAX), None);
    }
}
