//! Lengths of time in a spec.

use std::fmt;
use std::time::Duration;

use super::cidr::clip;
use super::{InvalidText, TextValue, text_value};

/// A length of time, written as Go and Kubernetes write it: `100ms`, `30s`, `1h30m`. Whole milliseconds, at most
/// 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    milliseconds: u64,
}

const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const LIMIT_MS: u64 = 100 * 366 * 24 * 3_600_000;

impl Span {
    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self { milliseconds }
    }

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self {
            milliseconds: seconds.saturating_mul(1_000),
        }
    }

    /// The same length as the standard library's type.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.milliseconds
    }
}

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milliseconds == 0 {
            return formatter.write_str("0s");
        }
        let mut rest = self.milliseconds;
        for &(unit, factor) in UNITS {
            if rest >= factor {
                write!(formatter, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl TextValue for Span {
    const FORMAT: &'static str = "duration";
    const EXPECTED: &'static str = "a duration: numbers with h, m, s or ms";
    const EXAMPLE: &'static str = "1h30m";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let wrong = || InvalidText::new(format!("`{}` is not a duration", clip(text)));
        let too_long = || InvalidText::new(format!("`{}` is longer than 100 years", clip(text)));
        let mut rest = text;
        let mut milliseconds = 0_u64;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = after.split_at(letters);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let factor = UNITS
                .iter()
                .find(|(known, _)| *known == unit)
                .ok_or_else(wrong)?
                .1;
            let part = number.checked_mul(factor).ok_or_else(too_long)?;
            milliseconds = milliseconds.checked_add(part).ok_or_else(too_long)?;
            rest = after;
        }
        if text.is_empty() {
            return Err(wrong());
        }
        if milliseconds > LIMIT_MS {
            return Err(too_long());
        }
        Ok(Self { milliseconds })
    }
}

text_value!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print() {
        for (text, milliseconds) in [("100ms", 100), ("1s", 1_000), ("1h30m", 5_400_000), ("0s", 0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.as_millis(), milliseconds, "{text}");
            assert_eq!(span.to_string(), text);
        }
        for wrong in [
            "",
            "5",
            "s",
            "1d",
            "1.5h",
            "-1s",
            "1 s",
            "18446744073709551615h",
            "9999999h",
        ] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }
}
