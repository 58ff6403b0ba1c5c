//! Ranges of ports.

use std::fmt;

use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

/// A range of TCP and UDP ports with both ends in it, written `30000-32767`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The first port, at least 1.
    pub first: u16,
    /// The last port, not below the first.
    pub last: u16,
}

impl PortRange {
    /// True when `port` lies in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

impl TextValue for PortRange {
    const FORMAT: &'static str = "port-range";
    const EXPECTED: &'static str = "a range of ports FIRST-LAST between 1 and 65535";
    const EXAMPLE: &'static str = "30000-32767";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let wrong = || InvalidText::new(format!("`{}` is not a range of ports", clip(text)));
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |part: &str| -> Result<u16, InvalidText> {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            match part.parse::<u16>() {
                Ok(port) if port > 0 => Ok(port),
                _ => Err(InvalidText::new(format!(
                    "`{}` is not a port between 1 and 65535",
                    clip(part)
                ))),
            }
        };
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(InvalidText::new(format!(
                "`{first}-{last}` ends before it begins; the other way round it is `{last}-{first}`"
            )));
        }
        Ok(Self { first, last })
    }
}

text_value!(PortRange);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_and_print() {
        let range: PortRange = "30000-32767".parse().unwrap();
        assert_eq!(range.to_string(), "30000-32767");
        assert!(range.contains(30000) && range.contains(32767) && !range.contains(32768));
        for wrong in ["", "1", "0-1", "2-1", "1-65536", "-1-2", "a-b", "1-2-3", "+1-2"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
