//! What an etcd holds: enough of it to tell one content from another.
//!
//! Every revision is a write that was acknowledged. What holds the same revisions of the same incarnations holds the same keys.

use serde::{Deserialize, Serialize};

/// Revisions that one incarnation of an etcd gave, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// The incarnation: the restore that it began with, or where and when it was founded.
    pub by: String,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// What an etcd holds, or a copy of its data does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EtcdContents {
    /// All that was ever written to it, the oldest first. Nothing, where it was never written to.
    pub stretches: Vec<Stretch>,
}

impl EtcdContents {
    /// The newest revision; 0 where there is none.
    pub fn revision(&self) -> u64 {
        self.stretches.last().map_or(0, |stretch| stretch.last)
    }

    /// True when nothing is missing that `other` holds.
    pub fn holds(&self, other: &Self) -> bool {
        let holds = |theirs: &Stretch| {
            self.stretches
                .iter()
                .any(|ours| ours.by == theirs.by && ours.first <= theirs.first && theirs.last <= ours.last)
        };
        other.stretches.iter().all(holds)
    }

    /// What it held at `revision`.
    #[must_use]
    pub fn until(&self, revision: u64) -> Self {
        let begun = self.stretches.iter().filter(|stretch| stretch.first <= revision);
        let cut = begun.map(|stretch| Stretch {
            last: stretch.last.min(revision),
            ..stretch.clone()
        });
        Self {
            stretches: cut.collect(),
        }
    }

    /// The same, and then what the incarnation `by` gave, if it gave anything.
    pub(super) fn followed_by(&self, by: String, first: u64, last: u64) -> Self {
        let mut contents = self.clone();
        if first <= last {
            contents.stretches.push(Stretch { by, first, last });
        }
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who gave which revisions.
    type Given<'a> = &'a [(&'a str, u64, u64)];

    fn contents(stretches: Given<'_>) -> EtcdContents {
        let none = EtcdContents::default();
        let add = |before: EtcdContents, &(by, first, last): &(&str, u64, u64)| {
            before.followed_by(by.to_owned(), first, last)
        };
        stretches.iter().fold(none, add)
    }

    #[test]
    fn what_is_missing_is_seen() {
        let all = contents(&[("a", 1, 9), ("b", 20, 30)]);
        let rows: [(Given<'_>, bool); 7] = [
            (&[], true),
            (&[("a", 1, 9)], true),
            (&[("a", 1, 9), ("b", 20, 30)], true),
            (&[("a", 1, 10)], false),
            (&[("a", 1, 9), ("b", 20, 31)], false),
            (&[("b", 1, 9)], false),
            (&[("c", 20, 30)], false),
        ];
        for (other, expected) in rows {
            assert_eq!(all.holds(&contents(other)), expected, "{other:?}");
        }
    }

    #[test]
    fn what_came_later_is_cut_off() {
        let all = contents(&[("a", 1, 9), ("b", 20, 30)]);
        let rows: [(u64, Given<'_>); 5] = [
            (0, &[]),
            (5, &[("a", 1, 5)]),
            (15, &[("a", 1, 9)]),
            (25, &[("a", 1, 9), ("b", 20, 25)]),
            (99, &[("a", 1, 9), ("b", 20, 30)]),
        ];
        for (revision, expected) in rows {
            assert_eq!(all.until(revision), contents(expected), "{revision}");
        }
        assert_eq!(all.revision(), 30);
    }
}
