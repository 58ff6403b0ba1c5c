//! Sizes of disks and memory.

use std::fmt;

use super::cidr::clip;
use super::{InvalidText, TextValue, text_value};

/// A size in bytes, written as Kubernetes writes it: a whole number and a binary (`Ki`, `Mi`, `Gi`, `Ti`) or
/// decimal (`k`, `M`, `G`, `T`) suffix. `50Gi` is 53,687,091,200 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    bytes: u64,
}

const SUFFIXES: &[(&str, u64)] = &[
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl Quantity {
    /// A size of so many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// A size of so many gibibytes (2^30 bytes); sizes past 2^64 bytes become the largest there is.
    pub const fn from_gibibytes(gibibytes: u64) -> Self {
        Self {
            bytes: gibibytes.saturating_mul(1 << 30),
        }
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &(suffix, factor) in SUFFIXES {
            if self.bytes >= factor && self.bytes.is_multiple_of(factor) {
                return write!(formatter, "{}{suffix}", self.bytes / factor);
            }
        }
        write!(formatter, "{}", self.bytes)
    }
}

impl TextValue for Quantity {
    const FORMAT: &'static str = "quantity";
    const EXPECTED: &'static str = "a size: a whole number and Ki, Mi, Gi, Ti, k, M, G or T";
    const EXAMPLE: &'static str = "50Gi";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, suffix) = text.split_at(digits);
        let wrong = || InvalidText::new(format!("`{}` is not a size", clip(text)));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let factor = match suffix {
            "" => 1,
            _ => {
                SUFFIXES
                    .iter()
                    .find(|(known, _)| *known == suffix)
                    .ok_or_else(wrong)?
                    .1
            }
        };
        let bytes = number
            .checked_mul(factor)
            .ok_or_else(|| InvalidText::new(format!("`{}` is larger than 2^64 bytes", clip(text))))?;
        Ok(Self { bytes })
    }
}

text_value!(Quantity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_print() {
        for (text, bytes) in [("50Gi", 50 << 30), ("1k", 1_000), ("7", 7), ("100M", 100_000_000)] {
            let size: Quantity = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string(), text);
        }
        for wrong in [
            "Gi",
            "-1Gi",
            "1.5Gi",
            "1 Gi",
            "1gi",
            "99999999999Ti",
            "18446744073709551616",
        ] {
            assert!(wrong.parse::<Quantity>().is_err(), "{wrong}");
        }
    }
}
