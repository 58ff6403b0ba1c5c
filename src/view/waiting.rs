//! What waits for something that is blocked, folded: what is done to a hundred machines alike is one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use keelson_provider_api::{Kind, ResourceKey};

use super::groups::fold_names;
use super::humane::plural;
use super::trouble::{LIMIT, names};
use crate::plan::Held;

/// What waits, and for what.
type Nearest<'a> = BTreeMap<&'a ResourceKey, BTreeSet<&'a ResourceKey>>;

/// What is held of one kind, and what is blocked and keeps it waiting.
#[derive(Default)]
struct Group<'a> {
    names: Vec<String>,
    blockers: BTreeSet<&'a ResourceKey>,
}

/// The lines of what is held.
pub(super) fn lines(held: &[Held]) -> String {
    let mut verbs: BTreeMap<&ResourceKey, BTreeSet<&str>> = BTreeMap::new();
    for waiting in held {
        verbs.entry(&waiting.key).or_default().insert(&waiting.verb);
    }
    let nearest = nearest(held);
    let mut groups: BTreeMap<(&str, Kind), Group<'_>> = BTreeMap::new();
    for (key, verbs) in verbs {
        let verb = if verbs.len() > 1 {
            "replace"
        } else {
            verbs.first().copied().unwrap_or_default()
        };
        let group = groups.entry((verb, key.kind())).or_default();
        group.names.push(key.name().to_owned());
        group.blockers.extend(last(key, &nearest));
    }
    let mut text = String::new();
    for ((verb, kind), group) in groups.iter().take(LIMIT) {
        let names_held = fold_names(&group.names);
        let blockers = names(group.blockers.iter().copied());
        let _ = writeln!(text, "  . {verb} {kind}/{names_held}: waits for {blockers}");
    }
    if let Some(left_out) = groups.len().checked_sub(LIMIT).filter(|&count| count > 0) {
        let _ = writeln!(text, "    and {}", plural(left_out, "more group"));
    }
    text
}

/// What each waits for first. The two halves of a replacement may wait for two; that they wait for each other tells nothing.
fn nearest(held: &[Held]) -> Nearest<'_> {
    let mut nearest = Nearest::new();
    for held in held.iter().filter(|held| held.key != held.waits_for) {
        nearest.entry(&held.key).or_default().insert(&held.waits_for);
    }
    nearest
}

/// What is waited for at the end: it waits for nothing itself. In a circle that is what is nearest.
fn last<'a>(key: &'a ResourceKey, nearest: &Nearest<'a>) -> BTreeSet<&'a ResourceKey> {
    let mut seen = BTreeSet::from([key]);
    let mut next = vec![key];
    let mut last = BTreeSet::new();
    while let Some(key) = next.pop() {
        match nearest.get(key) {
            Some(blockers) => next.extend(blockers.iter().filter(|blocker| seen.insert(blocker))),
            None => {
                last.insert(key);
            }
        }
    }
    if last.is_empty() {
        nearest.get(key).cloned().unwrap_or_default()
    } else {
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Verb, key and what it waits for.
    type Waiting = (&'static str, &'static str, &'static str);

    #[test]
    fn each_names_what_is_blocked_at_the_end() {
        let table: [(&[Waiting], &str); 4] = [
            (
                &[
                    ("create", "node-bundle/w-1", "machine/w-1"),
                    ("create", "node/w-1", "node-bundle/w-1"),
                    ("create", "node/w-2", "machine/x"),
                ],
                "  . create node-bundle/w-1: waits for machine/w-1\n  . create node/w-[1-2]: waits for machine/x, w-1\n",
            ),
            (
                &[
                    ("create", "node-bundle/a", "network/main"),
                    ("delete", "node-bundle/a", "node-bundle/a"),
                ],
                "  . replace node-bundle/a: waits for network/main\n",
            ),
            (
                &[
                    ("create", "node-bundle/a", "network/main"),
                    ("create", "node/a", "node-bundle/a"),
                    ("delete", "node-bundle/a", "machine/b"),
                ],
                "  . create node/a: waits for network/main, machine/b\n  . replace node-bundle/a: waits for network/main, machine/b\n",
            ),
            // Whatever a report says, it comes to an end.
            (
                &[("create", "node/a", "node/b"), ("create", "node/b", "node/a")],
                "  . create node/a, b: waits for node/a, b\n",
            ),
        ];
        for (held, expected) in table {
            let held: Vec<Held> = held
                .iter()
                .map(|(verb, key, waits_for)| Held {
                    key: key.parse().unwrap(),
                    verb: (*verb).to_owned(),
                    waits_for: waits_for.parse().unwrap(),
                })
                .collect();
            assert_eq!(lines(&held), expected);
        }
    }
}
