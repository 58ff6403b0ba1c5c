//! Which backups stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

/// Which backups stay. One that any of the rules keeps stays; the newest always does. Hours, days and weeks are those of UTC,
/// weeks those of ISO 8601, which begin on Mondays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeepRules {
    /// The last so many.
    pub last: u32,
    /// The newest of each of the last so many hours that have one.
    pub hourly: u32,
    /// The newest of each of the last so many days that have one.
    pub daily: u32,
    /// The newest of each of the last so many weeks that have one.
    pub weekly: u32,
}

/// Why a backup stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    /// It is the newest, which always stays.
    Newest,
    /// It is one of the last.
    Last,
    /// It is the newest of its hour.
    Hourly,
    /// It is the newest of its day.
    Daily,
    /// It is the newest of its week.
    Weekly,
    /// A restore has begun with it, and needs it until that comes to its end.
    Restore,
}

impl fmt::Display for KeepReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Newest => "newest",
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Restore => "a restore has begun with it",
        })
    }
}

impl KeepRules {
    /// Those of `backups`, names with the times when they were taken, that stay, and why. Of several from the same moment the
    /// one with the greatest name is the newest.
    pub fn kept<'a>(
        &self,
        backups: impl IntoIterator<Item = (&'a str, Timestamp)>,
    ) -> BTreeMap<&'a str, BTreeSet<KeepReason>> {
        let mut newest_first: Vec<(Timestamp, &str)> =
            backups.into_iter().map(|(name, taken)| (taken, name)).collect();
        newest_first.sort_unstable_by(|one, other| other.cmp(one));
        let mut kept: BTreeMap<&str, BTreeSet<KeepReason>> = BTreeMap::new();
        let mut keep = |name, reason| {
            kept.entry(name).or_default().insert(reason);
        };
        if let Some(&(_, newest)) = newest_first.first() {
            keep(newest, KeepReason::Newest);
        }
        for &(_, name) in newest_first.iter().take(count(self.last)) {
            keep(name, KeepReason::Last);
        }
        for (reason, number, period) in [
            (KeepReason::Hourly, self.hourly, hour as fn(Timestamp) -> Period),
            (KeepReason::Daily, self.daily, day),
            (KeepReason::Weekly, self.weekly, week),
        ] {
            let mut periods = BTreeSet::new();
            for &(taken, name) in &newest_first {
                if periods.len() == count(number) {
                    break;
                }
                if periods.insert(period(taken)) {
                    keep(name, reason);
                }
            }
        }
        kept
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// An hour, a day or a week: two moments are in the same one when this is equal.
type Period = (i16, i16, i8);

fn hour(taken: Timestamp) -> Period {
    let taken = taken.to_zoned(TimeZone::UTC);
    (taken.year(), taken.day_of_year(), taken.hour())
}

fn day(taken: Timestamp) -> Period {
    let taken = taken.to_zoned(TimeZone::UTC);
    (taken.year(), taken.day_of_year(), 0)
}

fn week(taken: Timestamp) -> Period {
    let week = taken.to_zoned(TimeZone::UTC).date().iso_week_date();
    (week.year(), week.week().into(), 0)
}

#[cfg(test)]
mod tests;
