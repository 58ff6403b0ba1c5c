//! Versions of Kubernetes, etcd and the other components.

use std::fmt;

use super::cidr::clip;
use super::{InvalidText, TextValue, text_value};

/// A release version `MAJOR.MINOR.PATCH`. A leading `v` is accepted when reading and never printed; pre-releases
/// are not releases and are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The major number.
    pub major: u32,
    /// The minor number.
    pub minor: u32,
    /// The patch number.
    pub patch: u32,
}

impl Version {
    /// The version `major.minor.patch`.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Major and minor number: the unit of Kubernetes' version skew policy.
    pub const fn minor_release(self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl TextValue for Version {
    const FORMAT: &'static str = "version";
    const EXPECTED: &'static str = "a release version MAJOR.MINOR.PATCH";
    const EXAMPLE: &'static str = "1.36.2";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let wrong = || InvalidText::new(format!("`{}` is not a release version", clip(text)));
        let number = |part: &str| -> Result<u32, InvalidText> {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty();
            let padded = part.len() > 1 && part.starts_with('0');
            if !plain || padded {
                Err(wrong())
            } else {
                part.parse().map_err(|_| wrong())
            }
        };
        let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
        match parts.as_slice() {
            [major, minor, patch] => Ok(Self::new(number(major)?, number(minor)?, number(patch)?)),
            [_, _] => Err(InvalidText::new(format!("`{}` has no patch number", clip(text)))),
            _ => Err(wrong()),
        }
    }
}

text_value!(Version);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_number_not_by_text() {
        let parse = |text: &str| text.parse::<Version>().unwrap();
        assert!(parse("1.10.0") > parse("1.9.9"));
        assert_eq!(parse("v1.36.2").to_string(), "1.36.2");
    }

    #[test]
    fn only_releases_are_versions() {
        for wrong in [
            "1.36",
            "1.36.2-rc.1",
            "1.36.2.1",
            "01.2.3",
            "1..2",
            "1.2.x",
            "1.2.+3",
            "1.2.99999999999",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
