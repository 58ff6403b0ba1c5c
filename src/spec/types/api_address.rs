//! Whose the address is under which bare hosts serve the Kubernetes API.

use std::net::IpAddr;

use super::provider::{Host, Provider};

/// What the address of the API of bare hosts is. Everybody who has to know asks here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiAddress<'a> {
    /// A name in DNS, which whoever looks after the name points to where the API is.
    Name(&'a str),
    /// The own address of that host: nobody moves it.
    OfHost(&'a Host),
    /// An IP address that something else than keelson holds and balances.
    BalancedElsewhere(IpAddr),
    /// An IP address that keepalived moves between control planes.
    Virtual(IpAddr),
}

impl ApiAddress<'_> {
    /// The address that keepalived moves, as machines write it: `fd00::64` for `FD00::64`.
    pub fn moved(&self) -> Option<IpAddr> {
        match self {
            Self::Virtual(address) => Some(*address),
            Self::Name(_) | Self::OfHost(_) | Self::BalancedElsewhere(_) => None,
        }
    }
}

impl Provider {
    /// The address or name under which bare hosts serve the Kubernetes API, as the spec writes it, when it has one. What
    /// it is, [`Self::api_address`] says.
    pub fn api_host(&self) -> Option<&str> {
        match self {
            Self::Ssh(ssh) => ssh.api_address.as_deref(),
            Self::Simulated(simulated) => simulated.api_address.as_deref(),
            _ => None,
        }
    }

    /// Whether keepalived is to hold the API's address, when the spec says so.
    pub(in crate::spec) fn keepalived(&self) -> Option<bool> {
        match self {
            Self::Ssh(ssh) => ssh.keepalived,
            Self::Simulated(simulated) => simulated.keepalived,
            _ => None,
        }
    }

    /// What `apiAddress` is, when the spec has one. An address of a host is the host's, whatever else the spec says of it:
    /// to move it would cut the host off.
    pub fn api_address(&self) -> Option<ApiAddress<'_>> {
        let text = self.api_host()?;
        if let Some(host) = self.hosts().iter().find(|host| host.has_address(text)) {
            return Some(ApiAddress::OfHost(host));
        }
        Some(match text.parse::<IpAddr>() {
            Err(_) => ApiAddress::Name(text),
            Ok(address) if self.keepalived() == Some(false) => ApiAddress::BalancedElsewhere(address),
            Ok(address) => ApiAddress::Virtual(address.to_canonical()),
        })
    }
}

impl Host {
    /// True when `address` is one of the host's own, however it is spelt.
    fn has_address(&self, address: &str) -> bool {
        let wanted = comparable(address);
        let private = self.private_address.map(|address| address.to_string());
        let mut own = std::iter::once(self.address.as_str()).chain(private.as_deref());
        own.any(|own| comparable(own) == wanted)
    }
}

/// An address by its value, however it is spelt: the same for `fd00::1` and `FD00:0:0::1`.
pub(in crate::spec) fn comparable(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().to_string(),
        Err(_) => address.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(api_address: Option<&str>, keepalived: Option<bool>) -> Provider {
        let value = serde_json::json!({ "ssh": {
            "apiAddress": api_address,
            "keepalived": keepalived,
            "hosts": [
                { "name": "a", "address": "a.example.com", "privateAddress": "fd00::11", "roles": ["control-plane"] },
                { "name": "b", "address": "10.0.0.12", "roles": ["worker"] },
            ],
        }});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_address_is_moved_only_where_it_is_a_free_one() {
        assert_eq!(provider(None, None).api_address(), None);
        let free: IpAddr = "10.0.0.100".parse().unwrap();
        for (text, keepalived, expected) in [
            ("10.0.0.100", None, ApiAddress::Virtual(free)),
            ("10.0.0.100", Some(true), ApiAddress::Virtual(free)),
            ("::ffff:10.0.0.100", None, ApiAddress::Virtual(free)),
            ("10.0.0.100", Some(false), ApiAddress::BalancedElsewhere(free)),
            ("api.example.com", None, ApiAddress::Name("api.example.com")),
            (
                "api.example.com",
                Some(false),
                ApiAddress::Name("api.example.com"),
            ),
        ] {
            let provider = provider(Some(text), keepalived);
            assert_eq!(provider.api_address(), Some(expected), "{text} {keepalived:?}");
        }
    }

    #[test]
    fn an_own_address_of_a_host_is_never_moved() {
        for (text, host) in [
            ("FD00:0:0::11", "a"),
            ("A.example.com", "a"),
            ("10.0.0.12", "b"),
            ("::ffff:10.0.0.12", "b"),
        ] {
            for keepalived in [None, Some(true), Some(false)] {
                let provider = provider(Some(text), keepalived);
                let address = provider.api_address().unwrap();
                assert_eq!(address.moved(), None, "{text} {keepalived:?}");
                assert!(matches!(address, ApiAddress::OfHost(own) if own.name.as_str() == host));
            }
        }
    }
}
