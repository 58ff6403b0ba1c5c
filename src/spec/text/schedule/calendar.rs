//! What a calendar expression says, as systemd reads it (`calendar_spec_from_string` and `chain_valid` in its
//! src/shared/calendarspec.c), and when it elapses next.

use jiff::civil::{Date, DateTime, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// So many days are looked at for the next one. From one 29 of February to the next go eight years at most, with a day of the
/// week that it falls on, forty; whoever has to wait for longer than nine is not told.
const SEARCH_LIMIT_DAYS: usize = 9 * 366;

/// The years that systemd knows.
const YEARS: (i16, i16) = (1970, 2199);
/// No day is counted further from the end of its month.
const DAY_FROM_END_LIMIT: i16 = 28;

/// A calendar expression. Its times are those of UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Calendar {
    /// From Monday on.
    weekdays: [bool; 7],
    years: Component,
    months: Component,
    days: Component,
    days_from_end: bool,
    hours: Component,
    minutes: Component,
    seconds: Component,
}

/// Numbers; nothing for all of them.
type Component = Option<Vec<Item>>;

/// Numbers from one on: that one alone, up to another, or each so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    from: i16,
    to: Option<i16>,
    step: Option<i16>,
}

const WORDS: &[(&str, &str)] = &[
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
];
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

impl Calendar {
    /// Reads an expression; `None` for what is none, or has another time zone than UTC.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<&str> = text.split_whitespace().collect();
        if parts.last() == Some(&"UTC") {
            parts.pop();
        }
        if let [word] = parts.as_slice()
            && let Some((_, meaning)) = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))
        {
            return Self::parse(meaning);
        }
        let mut weekdays = [true; 7];
        let mut rest = parts.as_slice();
        if let Some((first, others)) = rest.split_first()
            && let Some(days) = weekdays_of(first)
        {
            (weekdays, rest) = (days, others);
        } else if rest.is_empty() {
            return None;
        }
        let (date, time) = match rest {
            [] => (None, None),
            [one] if one.contains(':') => (None, Some(*one)),
            [one] => (Some(*one), None),
            [date, time] => (Some(*date), Some(*time)),
            _ => return None,
        };
        let (years, months, days, days_from_end) = date_of(date.unwrap_or("*-*-*"))?;
        let (hours, minutes, seconds) = time_of(time.unwrap_or("00:00:00"))?;
        Some(Self {
            weekdays,
            years,
            months,
            days,
            days_from_end,
            hours,
            minutes,
            seconds,
        })
    }

    /// When it elapses next after `moment`.
    pub(super) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let from = moment.checked_add(1.second()).ok()?;
        let begin = from.to_zoned(TimeZone::UTC).datetime();
        let begin = begin.with().subsec_nanosecond(0).build().ok()?;
        let mut date = begin.date();
        let mut earliest = (begin.hour(), begin.minute(), begin.second());
        for _ in 0..SEARCH_LIMIT_DAYS {
            if self.has_date(date)
                && let Some((hour, minute, second)) = self.time_from(earliest)
            {
                let found = DateTime::from_parts(date, time(hour, minute, second, 0));
                return TimeZone::UTC.to_timestamp(found).ok();
            }
            date = date.tomorrow().ok()?;
            earliest = (0, 0, 0);
        }
        None
    }

    fn has_date(&self, date: Date) -> bool {
        let is_weekday = self
            .weekdays
            .iter()
            .zip(WEEK)
            .any(|(&is, day)| is && day == date.weekday());
        let last = i16::from(date.days_in_month());
        let has_day = |item: &Item| {
            let day = i16::from(date.day());
            if !self.days_from_end {
                return item.has(day, last);
            }
            // Counted from the end, and repeated towards it.
            let first = last + 1 - item.to.unwrap_or(item.from);
            let until = match (item.to, item.step) {
                (Some(_), _) => last + 1 - item.from,
                (None, Some(_)) => last,
                (None, None) => first,
            };
            let turned = Item {
                from: first,
                to: Some(until),
                step: item.step,
            };
            turned.has(day, last)
        };
        is_weekday
            && has(self.years.as_ref(), date.year(), YEARS.1)
            && has(self.months.as_ref(), date.month().into(), 12)
            && self.days.as_ref().is_none_or(|items| items.iter().any(has_day))
    }

    /// The first time of a day that is not before `earliest`.
    fn time_from(&self, earliest: (i8, i8, i8)) -> Option<(i8, i8, i8)> {
        for hour in (earliest.0..24).filter(|&hour| has(self.hours.as_ref(), hour.into(), 23)) {
            let minute_from = if hour == earliest.0 { earliest.1 } else { 0 };
            for minute in (minute_from..60).filter(|&minute| has(self.minutes.as_ref(), minute.into(), 59)) {
                let is_first = (hour, minute) == (earliest.0, earliest.1);
                let second_from = if is_first { earliest.2 } else { 0 };
                let mut seconds = second_from..60;
                if let Some(second) = seconds.find(|&second| has(self.seconds.as_ref(), second.into(), 59)) {
                    return Some((hour, minute, second));
                }
            }
        }
        None
    }
}

const WEEK: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn has(component: Option<&Vec<Item>>, value: i16, limit: i16) -> bool {
    component.is_none_or(|items| items.iter().any(|item| item.has(value, limit)))
}

impl Item {
    fn has(self, value: i16, limit: i16) -> bool {
        let to = match (self.to, self.step) {
            (Some(to), _) => to,
            (None, Some(_)) => limit,
            (None, None) => self.from,
        };
        value >= self.from && value <= to && (value - self.from) % self.step.unwrap_or(1) == 0
    }
}

fn weekdays_of(part: &str) -> Option<[bool; 7]> {
    let index = |name: &str| {
        let name = name.to_ascii_lowercase();
        DAYS.iter()
            .position(|day| *day == name || day.get(..3) == Some(name.as_str()))
    };
    let mut weekdays = [false; 7];
    for days in part.split(',') {
        let (first, last) = days.split_once("..").unwrap_or((days, days));
        let (first, last) = (index(first)?, index(last)?);
        weekdays.get_mut(first..=last)?.fill(true);
    }
    Some(weekdays)
}

type DateParts = (Component, Component, Component, bool);

fn date_of(part: &str) -> Option<DateParts> {
    let (date, day, from_end) = match part.rsplit_once('~') {
        Some((date, day)) => (date, day, true),
        None => part.rsplit_once('-').map(|(date, day)| (date, day, false))?,
    };
    let (year, month) = date.split_once('-').unwrap_or(("*", date));
    let last = if from_end { DAY_FROM_END_LIMIT } else { 31 };
    Some((
        years_of(year)?,
        component(month, (1, 12), false)?,
        component(day, (1, last), from_end)?,
        from_end,
    ))
}

/// Of two digits are years of our time.
fn years_of(part: &str) -> Option<Component> {
    let full = |number: i16| match number {
        0..70 => number + 2000,
        70..100 => number + 1900,
        _ => number,
    };
    let Some(mut items) = component(part, (0, YEARS.1), false)? else {
        return Some(None);
    };
    for item in &mut items {
        item.from = full(item.from);
        item.to = item.to.map(full);
        if item.from < YEARS.0 || item.to.is_some_and(|to| to < item.from) {
            return None;
        }
    }
    Some(Some(items))
}

fn time_of(part: &str) -> Option<(Component, Component, Component)> {
    let parts: Vec<&str> = part.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (hour, minute, &"00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    Some((
        component(hour, (0, 23), false)?,
        component(minute, (0, 59), false)?,
        component(second, (0, 59), false)?,
    ))
}

/// `*`, or a list of numbers, ranges `a..b` and repetitions `a/b`, each between the `limits`. There is to be room for one
/// repetition; days from the end of a month are repeated towards it.
fn component(part: &str, limits: (i16, i16), from_end: bool) -> Option<Component> {
    if part == "*" {
        return Some(None);
    }
    let number = |text: &str| {
        let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i16>().ok()).flatten()
    };
    let within = |value: i16| (value >= limits.0 && value <= limits.1).then_some(value);
    let item = |text: &str| {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|&step| step > 0)?)),
            None => (text, None),
        };
        let (from, to) = match range.split_once("..") {
            Some((from, to)) => (from, Some(within(number(to)?)?)),
            None => (range, None),
        };
        let from = within(number(from)?)?;
        let reach = step.unwrap_or(0);
        let has_room = match to {
            Some(to) => from + reach <= to,
            None if from_end => from - reach >= limits.0,
            None => from + reach <= limits.1,
        };
        has_room.then_some(Item { from, to, step })
    };
    part.split(',').map(item).collect::<Option<Vec<Item>>>().map(Some)
}

#[cfg(test)]
mod tests;
