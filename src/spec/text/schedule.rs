//! Times that repeat.

use std::fmt;

use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

/// A time that repeats, as systemd writes it (`systemd.time(7)`, "Calendar Events"): `hourly`, `*-*-* 03:00`,
/// `Mon..Fri *-*-* *:00/15`.
///
/// This is a check of alphabet and outline; systemd has the last word when the timer is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnCalendar(String);

const WORDS: &[&str] = &[
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "yearly",
];
const DAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const LONG_DAYS: &[&str] = &[
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const LIMIT_CHARS: usize = 100;

impl OnCalendar {
    /// The expression as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OnCalendar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_weekdays(part: &str) -> bool {
    part.split(',').all(|days| {
        days.split("..").all(|day| {
            let day = day.to_ascii_lowercase();
            DAYS.contains(&day.as_str()) || LONG_DAYS.contains(&day.as_str())
        })
    })
}

/// A list of numbers, `*`, ranges `a..b` and repetitions `a/b`, each number at most `limit`.
fn is_component(part: &str, limit: u32) -> bool {
    let number = |text: &str| {
        !text.is_empty()
            && text.len() <= 4
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u32>().is_ok_and(|value| value <= limit)
    };
    part.split(',').all(|item| {
        let (range, step) = item
            .split_once('/')
            .map_or((item, None), |(range, step)| (range, Some(step)));
        let range_ok = range == "*" || range.split("..").count() <= 2 && range.split("..").all(number);
        range_ok && step.is_none_or(|step| number(step) && step != "0")
    })
}

fn is_date(part: &str) -> bool {
    let parts: Vec<&str> = part.split(['-', '~']).collect();
    match parts.as_slice() {
        [year, month, day] => is_component(year, 9999) && is_component(month, 12) && is_component(day, 31),
        [month, day] => is_component(month, 12) && is_component(day, 31),
        _ => false,
    }
}

fn is_time(part: &str) -> bool {
    let parts: Vec<&str> = part.split(':').collect();
    match parts.as_slice() {
        [hour, minute] => is_component(hour, 23) && is_component(minute, 59),
        [hour, minute, second] => {
            is_component(hour, 23) && is_component(minute, 59) && is_component(second, 59)
        }
        _ => false,
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
        let wrong = || InvalidText::new(format!("`{}` is not a calendar expression", clip(text)));
        let parts: Vec<&str> = text.split_whitespace().collect();
        let cron_like = parts.len() == 5 && parts.iter().all(|part| is_component(part, 59));
        if cron_like {
            return Err(InvalidText::new(format!(
                "`{}` is written as cron writes it; systemd writes `*-*-* HH:MM`",
                clip(text)
            )));
        }
        let rest = match parts.split_first() {
            Some((first, [])) if WORDS.contains(&first.to_ascii_lowercase().as_str()) => &[],
            Some((first, rest)) if is_weekdays(first) => rest,
            Some(_) => parts.as_slice(),
            None => return Err(wrong()),
        };
        let rest = rest.strip_suffix(&["UTC"]).unwrap_or(rest);
        let valid = match rest {
            [] => parts.first() != Some(&"UTC"),
            [one] => is_date(one) || is_time(one),
            [date, time] => is_date(date) && is_time(time),
            _ => false,
        };
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong())
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
