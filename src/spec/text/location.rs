//! Files by URL or by path.

use std::fmt;

use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

use super::hosts::check_host_name;
use super::words::check_path;

/// An `http://` or `https://` URL without user information, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpUrl(String);

/// A file or directory: by URL, or by path on the machine that runs keelson.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// A URL.
    Url(HttpUrl),
    /// A path; a relative one is relative to the directory of the spec.
    Path(String),
}

impl HttpUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for `https://`.
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Host and, when there is one, port: `mirror.example.com:5000`.
    pub fn authority(&self) -> &str {
        let after = self.0.split_once("://").map_or("", |(_, after)| after);
        after.split('/').next().unwrap_or(after)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(formatter),
            Self::Path(path) => formatter.write_str(path),
        }
    }
}

/// Checks `HOST` or `HOST:PORT`, where the host is a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn check_authority(text: &str) -> Result<(), InvalidText> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest
                .split_once(']')
                .ok_or_else(|| InvalidText::new(format!("`{}` has no closing bracket", clip(text))))?;
            address
                .parse::<std::net::Ipv6Addr>()
                .map_err(|_| InvalidText::new(format!("`{}` is not an IPv6 address", clip(address))))?;
            if !after.is_empty() && !after.starts_with(':') {
                return Err(InvalidText::new(format!("`{}` is not a port", clip(after))));
            }
            (None, after.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        },
    };
    if let Some(host) = host {
        check_host_name(host)?;
    }
    match port {
        Some(port) if port.parse::<u16>().map_or(true, |port| port == 0) || port.starts_with('+') => Err(
            InvalidText::new(format!("`{}` is not a port between 1 and 65535", clip(port))),
        ),
        _ => Ok(()),
    }
}

impl TextValue for HttpUrl {
    const FORMAT: &'static str = "http-url";
    const EXPECTED: &'static str = "a URL that begins with https:// or http://";
    const EXAMPLE: &'static str = "https://example.com/manifest.yaml";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let after = match text.split_once("://") {
            Some(("http" | "https", after)) => after,
            Some((scheme, _)) => {
                return Err(InvalidText::new(format!(
                    "`{}://` is not fetched; only https:// and http:// are",
                    clip(scheme)
                )));
            }
            None => return Err(InvalidText::new(format!("`{}` is not a URL", clip(text)))),
        };
        let (authority, path) = after.split_once('/').unwrap_or((after, ""));
        if authority.contains('@') {
            return Err(InvalidText::new(
                "it has a user name or password in it; a spec is no place for secrets",
            ));
        }
        if text.contains(['?', '#']) {
            return Err(InvalidText::new(format!(
                "`{}` has a query or fragment; a file's URL has none",
                clip(text)
            )));
        }
        check_authority(authority)?;
        let allowed =
            |character: char| character.is_ascii_alphanumeric() || "-._~%+@:,=/".contains(character);
        if let Some(wrong) = path.chars().find(|&character| !allowed(character)) {
            return Err(InvalidText::new(format!(
                "`{}` contains `{}`",
                clip(text),
                wrong.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for Location {
    const FORMAT: &'static str = "location";
    const EXPECTED: &'static str = "a path, or a URL that begins with https:// or http://";
    const EXAMPLE: &'static str = "./manifest.yaml";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        if text.contains("://") {
            HttpUrl::parse_text(text).map(Self::Url)
        } else {
            check_path(text)?;
            Ok(Self::Path(text.to_owned()))
        }
    }
}

text_value!(HttpUrl);
text_value!(Location);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_a_host_and_no_secrets() {
        for (text, authority) in [
            ("https://example.com/a.yaml", "example.com"),
            ("http://10.0.0.1:8080", "10.0.0.1:8080"),
            ("https://[fd00::1]:2379/", "[fd00::1]:2379"),
        ] {
            assert_eq!(text.parse::<HttpUrl>().unwrap().authority(), authority);
        }
        for wrong in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://user:pass@example.com/",
            "https://example.com/$(id)",
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://example.com/a b",
            "https://[fd00::1/",
            "https://example.com/?token=x",
        ] {
            assert!(wrong.parse::<HttpUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_location_without_a_scheme_is_a_path() {
        let path: Location = "./mine.yaml".parse().unwrap();
        assert_eq!(path, Location::Path("./mine.yaml".to_owned()));
        assert!("file:///etc/passwd".parse::<Location>().is_err());
    }
}
