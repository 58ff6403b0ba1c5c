//! Times that repeat.

mod calendar;

use std::fmt;

use jiff::Timestamp;
use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

use self::calendar::Calendar;

/// A time that repeats, as systemd writes it (`systemd.time(7)`, "Calendar Events"): `hourly`, `*-*-* 03:00`,
/// `Mon..Fri *-*-* *:00/15`.
///
/// Times are those of UTC. What this refuses, and more, systemd refuses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnCalendar(String);

const ZONE: &str = "UTC";
const LIMIT_CHARS: usize = 100;

impl OnCalendar {
    /// The expression as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The expression with its time zone, so that machines in different ones agree.
    pub fn with_zone(&self) -> String {
        if self.0.split_whitespace().last() == Some(ZONE) {
            return self.0.clone();
        }
        format!("{} {ZONE}", self.0)
    }

    /// When it elapses next after `moment`; `None` when that is not within nine years.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        Calendar::parse(&self.0)?.next_after(moment)
    }
}

impl fmt::Display for OnCalendar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TextValue for OnCalendar {
    const FORMAT: &'static str = "calendar";
    const EXPECTED: &'static str = "a systemd calendar expression: hourly, or [DAYS] [DATE] [TIME]";
    const EXAMPLE: &'static str = "*-*-* *:00/15";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "*-~:/., ".contains(character);
        if let Some(wrong) = text.chars().find(|&character| !allowed(character)) {
            return Err(InvalidText::new(format!(
                "`{}` contains `{}`",
                clip(text),
                wrong.escape_debug()
            )));
        }
        if text.len() > LIMIT_CHARS {
            return Err(InvalidText::new(format!(
                "it is longer than {LIMIT_CHARS} characters"
            )));
        }
        let parts: Vec<&str> = text.split_whitespace().collect();
        let is_of_cron = |part: &&str| {
            part.bytes()
                .all(|byte| byte.is_ascii_digit() || b"*/,-".contains(&byte))
        };
        if parts.len() == 5 && parts.iter().all(is_of_cron) {
            return Err(InvalidText::new(format!(
                "`{}` is written as cron writes it; systemd writes `*-*-* HH:MM`",
                clip(text)
            )));
        }
        if text.contains("*/") {
            return Err(InvalidText::new(format!(
                "`{}` repeats from `*` on; systemd writes `0/5`, and of days and months `1/5`",
                clip(text)
            )));
        }
        match Calendar::parse(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(InvalidText::new(format!(
                "`{}` is not a calendar expression",
                clip(text)
            ))),
        }
    }
}

text_value!(OnCalendar);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_expressions_pass_and_others_do_not() {
        for text in [
            "hourly",
            "*-*-* *:00/15",
            "*-*-* 03:00",
            "Mon..Fri *-*-* 10:00:00",
            "Sat,Sun 04:30",
            "*-*-01 00:00 UTC",
            "Mon",
            "*:0/5",
        ] {
            assert!(text.parse::<OnCalendar>().is_ok(), "{text}");
        }
        for wrong in [
            "",
            "  ",
            "*/5 * * * *",
            "0 3 * * *",
            "often",
            "*:*/5",
            "Fri..Mon",
            "*-*-* 25:00",
            "*-13-01",
            "hourly; reboot",
            "*-*-* *:00/0",
            "*:00\n[Service]",
            "UTC",
            "10",
        ] {
            assert!(wrong.parse::<OnCalendar>().is_err(), "{wrong}");
        }
    }
}
