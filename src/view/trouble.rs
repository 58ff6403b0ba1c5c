//! What may not be touched and what is unwell, folded: one trouble of a hundred machines is one line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use keelson_provider_api::{Finding, Kind, ResourceKey};

use super::groups::fold_names;
use super::humane::printable;
use super::styles::{BAD, CHANGE, STRONG, paint};
use crate::plan::{Blocked, PlanReport, Problem};

/// So many different troubles are shown; the others are counted.
pub(super) const LIMIT: usize = 12;

/// One trouble of one resource.
pub(super) struct Trouble<'a> {
    pub key: Option<&'a ResourceKey>,
    pub reason: &'a str,
    pub help: Option<&'a str>,
}

/// Resources that have the same trouble.
struct Folded<'a> {
    first: &'a Trouble<'a>,
    general: String,
    keys: Vec<&'a ResourceKey>,
}

/// The troubles as lines, each with its advice below it. `more` says where those are that are left out.
pub(super) fn lines(troubles: &[Trouble<'_>], more: &str) -> String {
    let folded = fold(troubles);
    let mut text = String::new();
    for trouble in folded.iter().take(LIMIT) {
        let reason = match trouble.keys.len() {
            0 | 1 => trouble.first.reason,
            // Where all of it is on one machine, its name is no word to leave out: it may be `a`.
            _ if is_one_machine(&trouble.keys) => trouble.first.reason,
            _ => &trouble.general,
        };
        let label = match trouble.keys.as_slice() {
            [] => String::new(),
            keys => format!("{}: ", paint(STRONG, label(keys))),
        };
        let _ = writeln!(text, "{} {label}{}", paint(BAD, "  !"), printable(reason));
        if let Some(help) = trouble.first.help {
            let _ = writeln!(text, "      {}", printable(help));
        }
    }
    if let Some(left_out) = folded.len().checked_sub(LIMIT).filter(|&count| count > 0) {
        let _ = writeln!(text, "    and {left_out} more; {more}");
    }
    text
}

/// What nothing may be done to, and why.
pub(super) fn blocked(report: &PlanReport, more: &str) -> String {
    let restore = report.restore.iter().map(|restore| Trouble {
        key: None,
        reason: &restore.reason,
        help: Some(&restore.help),
    });
    let restore = lines(&restore.collect::<Vec<_>>(), more);
    let unseen = report.unseen_kinds.iter().fold(String::new(), |text, unseen| {
        format!(
            "{text}  ! each {} could not be looked at: {}\n",
            unseen.kind,
            printable(&unseen.reason)
        )
    });
    let (following, first): (Vec<_>, Vec<_>) = report
        .blocked
        .iter()
        .partition(|blocked| blocked.follows.is_some());
    let troubles: Vec<Trouble<'_>> = first
        .iter()
        .map(|blocked| Trouble {
            key: Some(&blocked.key),
            reason: &blocked.reason,
            help: blocked.help.as_deref(),
        })
        .collect();
    restore + &unseen + &lines(&troubles, more) + &follows(&following) + &findings(&report.findings)
}

/// What cannot be seen because its machine cannot.
fn follows(blocked: &[&Blocked]) -> String {
    let machines: BTreeSet<&ResourceKey> = blocked
        .iter()
        .filter_map(|blocked| blocked.follows.as_ref())
        .collect();
    if machines.is_empty() {
        return String::new();
    }
    let (machines, with_them) = (names(machines), names(blocked.iter().map(|blocked| &blocked.key)));
    format!("  . unseen with {machines}: {with_them}\n")
}

/// What does not work.
pub(super) fn problems(problems: &[Problem], more: &str) -> String {
    let troubles: Vec<Trouble<'_>> = problems
        .iter()
        .map(|problem| Trouble {
            key: problem.resource.as_ref(),
            reason: &problem.problem,
            help: None,
        })
        .collect();
    lines(&troubles, more)
}

/// What stands in the way, machine by machine: all of it, because all of it has to be seen to.
fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let machine = paint(STRONG, of(&finding.machine));
        let problem = printable(&finding.problem);
        let _ = writeln!(
            text,
            "{} {machine}: {}: {problem}",
            paint(BAD, "  !"),
            finding.name
        );
        if let Some(help) = &finding.help {
            let _ = writeln!(text, "      {}", printable(help));
        }
    }
    if findings.iter().any(|finding| finding.can_be_ignored) {
        let _ = writeln!(
            text,
            "      what does not matter to you passes by its name: `preflight: {{ ignore: [NAME] }}`"
        );
    }
    text
}

/// What a finding is about: these machines, or the state store, which has none.
fn of(machines: &str) -> String {
    if machines.is_empty() {
        "state-store".to_owned()
    } else {
        format!("machine/{machines}")
    }
}

/// What someone should know, machines with the same in one line.
pub(super) fn warnings(warnings: &[Finding]) -> String {
    let mut machines_of: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for warning in warnings {
        let machines = machines_of.entry((&warning.name, &warning.problem)).or_default();
        machines.push(warning.machine.clone());
    }
    let mut text = String::new();
    for ((name, problem), machines) in &machines_of {
        let label = paint(STRONG, of(&fold_names(machines)));
        let problem = printable(problem);
        let _ = writeln!(text, "{} {label}: {name}: {problem}", paint(CHANGE, "  !"));
        let mut same = warnings.iter().filter(|warning| warning.name == *name);
        if let Some(help) = same.find_map(|warning| warning.help.as_deref()) {
            let _ = writeln!(text, "      {}", printable(help));
        }
    }
    text
}

fn is_one_machine(keys: &[&ResourceKey]) -> bool {
    let machines: BTreeSet<&str> = keys.iter().map(|key| machine(key)).collect();
    machines.len() == 1
}

fn fold<'a>(troubles: &'a [Trouble<'a>]) -> Vec<Folded<'a>> {
    let mut folded: Vec<Folded<'a>> = Vec::new();
    let mut places: BTreeMap<(String, Option<&str>), usize> = BTreeMap::new();
    for trouble in troubles {
        let general = trouble
            .key
            .map_or_else(|| trouble.reason.to_owned(), |key| general(trouble.reason, key));
        let place = *places.entry((general.clone(), trouble.help)).or_insert_with(|| {
            folded.push(Folded {
                first: trouble,
                general,
                keys: Vec::new(),
            });
            folded.len() - 1
        });
        folded[place].keys.extend(trouble.key);
    }
    folded
}

/// A reason that fits all machines of which the same is said: `it` in place of the name, `there` where something is on it, or
/// nothing where a word before it says what it is.
fn general(reason: &str, key: &ResourceKey) -> String {
    let machine = machine(key);
    if machine.is_empty() {
        return reason.to_owned();
    }
    let mut before = "";
    let mut words: Vec<String> = Vec::new();
    for word in reason.split(' ') {
        let introduction = std::mem::replace(&mut before, word);
        let is_introduced = ["machine", "node", "host"].contains(&introduction);
        let bare = word.trim_end_matches([',', ';', ':']);
        let tail = &word[bare.len()..];
        match bare.strip_suffix(machine) {
            Some("") if is_introduced && tail.is_empty() => {}
            Some("") if introduction == "on" => {
                words.pop();
                words.push(format!("there{tail}"));
            }
            Some("") => words.push(format!("it{tail}")),
            Some(kind) if kind.ends_with('/') => words.push(format!("{}{tail}", kind.trim_end_matches('/'))),
            _ => words.push(word.to_owned()),
        }
    }
    words.join(" ")
}

/// The machine that a resource is named for: members of etcd carry their cluster's name before it.
fn machine(key: &ResourceKey) -> &str {
    key.host().unwrap_or(key.name())
}

/// `node/workers-[1-3]`; where several kinds share their machines, `workers-[1-3] (machine, node)`.
fn label(keys: &[&ResourceKey]) -> String {
    let mut machines_of: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
    for key in keys {
        machines_of.entry(key.kind()).or_default().insert(machine(key));
    }
    let mut sets = machines_of.values();
    let first = sets.next();
    if machines_of.len() > 1 && sets.all(|set| Some(set) == first) {
        let machines: Vec<String> = first.into_iter().flatten().map(|&name| name.to_owned()).collect();
        let kinds: Vec<&str> = machines_of.keys().map(|kind| kind.name()).collect();
        return format!("{} ({})", fold_names(&machines), kinds.join(", "));
    }
    names(keys.iter().copied())
}

/// Resources by their kinds, names folded: `node/workers-[1-3], machine/control-plane-1`.
pub(super) fn names<'a>(keys: impl IntoIterator<Item = &'a ResourceKey>) -> String {
    let mut names_of: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for key in keys {
        names_of
            .entry(key.kind())
            .or_default()
            .push(key.name().to_owned());
    }
    let parts: Vec<String> = names_of
        .iter()
        .map(|(kind, names)| format!("{kind}/{}", fold_names(names)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests;
