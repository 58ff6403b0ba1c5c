//! What became of a list: what is taken away and what is added, each short enough for a line.

use serde_json::Value;

use super::humane::printable;

/// So many of what is taken away are shown, and as many of what is added; the others are counted.
const LIMIT: usize = 5;
/// An entry longer than this is cut.
const ENTRY_LIMIT_CHARS: usize = 120;
/// So much of an entry's beginning stays where what tells it from another stands further behind.
const BEGINNING_CHARS: usize = 30;

/// What is taken away from `from`, and what is added to it, so that it is `to`.
pub(super) struct ListChanges {
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

/// Compares two lists, whatever the order of their entries.
pub(super) fn list_changes(from: &[Value], to: &[Value]) -> ListChanges {
    let (removed, added) = (texts(&without(from, to)), texts(&without(to, from)));
    ListChanges {
        removed: shortened(&removed, &added),
        added: shortened(&added, &removed),
    }
}

/// The entries of `list` without those of `others`, each of which takes one away.
fn without(list: &[Value], others: &[Value]) -> Vec<Value> {
    let mut others: Vec<&Value> = others.iter().collect();
    let mut rest = Vec::new();
    for entry in list {
        match others.iter().position(|other| *other == entry) {
            Some(place) => {
                others.swap_remove(place);
            }
            None => rest.push(entry.clone()),
        }
    }
    rest
}

fn texts(entries: &[Value]) -> Vec<Vec<char>> {
    let text = |entry: &Value| match entry {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    };
    entries
        .iter()
        .map(|entry| text(entry).chars().collect())
        .collect()
}

fn shortened(entries: &[Vec<char>], others: &[Vec<char>]) -> Vec<String> {
    let mut lines: Vec<String> = entries
        .iter()
        .take(LIMIT)
        .map(|entry| {
            let common = others.iter().map(|other| common_chars(entry, other)).max();
            cut(entry, common.unwrap_or(0))
        })
        .collect();
    if entries.len() > LIMIT {
        lines.push(format!("and {} more", entries.len() - LIMIT));
    }
    lines
}

fn common_chars(one: &[char], other: &[char]) -> usize {
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

/// The text cut so that what follows its first `common` characters is seen, which another entry has as well.
fn cut(text: &[char], common: usize) -> String {
    if text.len() <= ENTRY_LIMIT_CHARS {
        return text.iter().collect();
    }
    let half = ENTRY_LIMIT_CHARS / 2;
    if common < half {
        return text[..ENTRY_LIMIT_CHARS - 1].iter().chain(&['…']).collect();
    }
    // A few of the common characters are kept, so that one sees where it is.
    let rest = ENTRY_LIMIT_CHARS - BEGINNING_CHARS - 2;
    let begin = common.saturating_sub(rest / 2);
    let begin = begin.max(BEGINNING_CHARS).min(text.len() - rest);
    let (beginning, middle) = (&text[..BEGINNING_CHARS], &text[begin..begin + rest]);
    let end: &[char] = if begin + rest < text.len() { &['…'] } else { &[] };
    beginning.iter().chain(&['…']).chain(middle).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn changes(from: &Value, to: &Value) -> (Vec<String>, Vec<String>) {
        let changes = list_changes(from.as_array().unwrap(), to.as_array().unwrap());
        (changes.removed, changes.added)
    }

    #[test]
    fn only_what_goes_and_what_comes_is_named() {
        let table = [
            (json!(["a", "b"]), json!(["b", "c"]), vec!["a"], vec!["c"]),
            (json!(["a", "a"]), json!(["a"]), vec!["a"], Vec::new()),
            (json!(["a", "b"]), json!(["b", "a"]), Vec::new(), Vec::new()),
            (json!([]), json!([{ "a": 1 }]), Vec::new(), vec!["{\"a\":1}"]),
        ];
        for (from, to, removed, added) in table {
            let (was, is) = changes(&from, &to);
            assert_eq!(was, removed, "{from} {to}");
            assert_eq!(is, added, "{from} {to}");
        }
    }

    #[test]
    fn long_entries_are_cut_where_they_are_alike() {
        let rule = |sources: &[String]| json!([{ "purpose": "Kubernetes API for clients", "ports": [6443, 6443], "sources": sources }]);
        for count in [1, 4, 8, 30] {
            let sources: Vec<String> = (0..count).map(|number| format!("192.0.2.{number}/32")).collect();
            let more = [&sources[..], &["198.51.100.7/32".to_owned()]].concat();
            let (removed, added) = changes(&rule(&sources), &rule(&more));
            assert_ne!(removed, added);
            assert!(added[0].contains("198.51.100.7/32"), "{added:?}");
            assert!(added[0].starts_with("{\"p"), "{added:?}");
            for line in removed.iter().chain(&added) {
                assert!(line.chars().count() <= ENTRY_LIMIT_CHARS, "{line}");
            }
        }
    }

    #[test]
    fn many_entries_are_counted() {
        let many: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        let (removed, added) = changes(&json!([]), &json!(many));
        assert!(removed.is_empty());
        assert_eq!(added.len(), LIMIT + 1);
        assert_eq!(added[LIMIT], "and 15 more");
    }
}
