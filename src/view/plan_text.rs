//! A plan, for reading: what, why, how disruptive, how long.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;
use keelson_provider_api::Disruption;
use serde_json::Value;

use super::groups::{self, Group, Verb, fold_names};
use super::humane::{duration, plural};
use super::styles::{BAD, CHANGE, FAINT, GOOD, STRONG, paint};
use crate::ops::Planned;
use crate::plan::{Blocked, PlanReport};

/// Field values longer than this are cut in a plan's text; JSON has them whole.
const VALUE_LIMIT_CHARS: usize = 60;
/// So many steps of the critical path are named.
const PATH_LIMIT: usize = 6;

/// The plan as text. With `details` every field of what is created is shown.
pub fn render(planned: &Planned, details: bool) -> String {
    let groups = groups::groups(&planned.plan);
    let mut text = String::new();
    for group in &groups {
        write_group(&mut text, group, details);
    }
    if !groups.is_empty() {
        text.push('\n');
    }
    write_report(&mut text, &planned.report);
    write_totals(&mut text, planned, &groups);
    text
}

fn symbol(verb: Verb) -> (&'static str, Style) {
    match verb {
        Verb::Create => ("+", GOOD),
        Verb::Update => ("~", CHANGE),
        Verb::Replace => ("-/+", CHANGE),
        Verb::Delete => ("-", BAD),
    }
}

fn write_group(text: &mut String, group: &Group, details: bool) {
    let (symbol, style) = symbol(group.verb);
    let count = match group.names.len() {
        1 => String::new(),
        many => format!(" ({many})"),
    };
    let _ = write!(
        text,
        "{} {}{count}",
        paint(style, format!("{symbol:>3}")),
        paint(STRONG, group.label())
    );
    if group.disruption != Disruption::None && group.verb != Verb::Delete {
        let _ = write!(text, "  {}", paint(CHANGE, group.disruption));
    }
    if group.verb != Verb::Create {
        let _ = write!(text, "  {}", paint(FAINT, &group.reason));
    }
    text.push('\n');
    match group.verb {
        Verb::Update => write_differences(text, group),
        Verb::Create | Verb::Replace if details => write_fields(text, group),
        Verb::Create => write_field_line(text, group),
        Verb::Replace | Verb::Delete => {}
    }
}

fn write_differences(text: &mut String, group: &Group) {
    let width = group
        .differences
        .iter()
        .map(|difference| difference.field.len())
        .max()
        .unwrap_or(0);
    for difference in &group.differences {
        let (from, to) = (value_text(&difference.from), value_text(&difference.to));
        let _ = writeln!(
            text,
            "        {:width$}  {} -> {}",
            difference.field,
            paint(BAD, from),
            paint(GOOD, to)
        );
    }
}

fn shown_fields(group: &Group) -> Vec<(&str, String)> {
    let worth = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    group
        .fields
        .iter()
        .filter(|(_, value)| worth(value))
        .map(|(name, value)| (&**name, value_text(value)))
        .collect()
}

fn write_fields(text: &mut String, group: &Group) {
    let fields = shown_fields(group);
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in fields {
        let _ = writeln!(text, "        {name:width$}  {value}");
    }
}

fn write_field_line(text: &mut String, group: &Group) {
    let is_plain = |name: &str| match group.fields.get(name) {
        Some(Value::String(value)) => !value.starts_with("sha256:"),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    let fields: Vec<String> = shown_fields(group)
        .into_iter()
        .filter(|(name, _)| is_plain(name) && !matches!(*name, "machine" | "network"))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if !fields.is_empty() {
        let _ = writeln!(text, "        {}", paint(FAINT, fields.join(", ")));
    }
}

fn value_text(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let plain: String = text.chars().flat_map(printable).collect();
    if plain.chars().count() > VALUE_LIMIT_CHARS {
        plain.chars().take(VALUE_LIMIT_CHARS - 1).chain(['…']).collect()
    } else {
        plain
    }
}

/// Terminals obey control characters; a plan must not speak to them in a value's words.
fn printable(character: char) -> Vec<char> {
    if character.is_control() {
        character.escape_default().collect()
    } else {
        vec![character]
    }
}

fn write_report(text: &mut String, report: &PlanReport) {
    if report.is_blocked() {
        let _ = writeln!(text, "{}", paint(STRONG, "Blocked"));
        for (blocked, names) in fold_blocked(&report.blocked) {
            let label = format!("{}/{}", blocked.key.kind(), fold_names(&names));
            let _ = writeln!(
                text,
                "{} {}: {}",
                paint(BAD, "  !"),
                paint(STRONG, label),
                blocked.reason
            );
            if let Some(help) = &blocked.help {
                let _ = writeln!(text, "        {help}");
            }
        }
        text.push('\n');
    }
    if !report.held.is_empty() {
        let _ = writeln!(text, "{}", paint(STRONG, "Waiting for what is blocked"));
        let mut held: BTreeMap<(_, &str), Vec<String>> = BTreeMap::new();
        for waiting in &report.held {
            let group = held
                .entry((waiting.key.kind(), waiting.verb.as_str()))
                .or_default();
            group.push(waiting.key.name().to_owned());
        }
        for ((kind, verb), names) in held {
            let _ = writeln!(text, "  . {verb} {kind}/{}", fold_names(&names));
        }
        text.push('\n');
    }
}

fn fold_blocked(blocked: &[Blocked]) -> Vec<(&Blocked, Vec<String>)> {
    let mut folded: Vec<(&Blocked, Vec<String>)> = Vec::new();
    for one in blocked {
        let same = |(first, _): &&mut (&Blocked, Vec<String>)| {
            first.key.kind() == one.key.kind() && first.reason == one.reason
        };
        match folded.iter_mut().find(same) {
            Some((_, names)) => names.push(one.key.name().to_owned()),
            None => folded.push((one, vec![one.key.name().to_owned()])),
        }
    }
    folded
}

fn write_totals(text: &mut String, planned: &Planned, groups: &[Group]) {
    let report = &planned.report;
    if groups.is_empty() {
        let state = if report.is_blocked() {
            "nothing can be done now"
        } else {
            "no changes"
        };
        let _ = writeln!(
            text,
            "{} {state}; {} as {} should be",
            paint(STRONG, "Plan:"),
            plural(report.unchanged, "resource"),
            if report.unchanged == 1 { "it" } else { "they" }
        );
        return;
    }
    let count = |verb: Verb| -> usize {
        groups
            .iter()
            .filter(|group| group.verb == verb)
            .map(|group| group.names.len())
            .sum()
    };
    let _ = write!(
        text,
        "{} {} to create, {} to change, {} to replace, {} to delete",
        paint(STRONG, "Plan:"),
        count(Verb::Create),
        count(Verb::Update),
        count(Verb::Replace),
        count(Verb::Delete)
    );
    for (number, words) in [
        (report.goes_along.len(), "going with their machines"),
        (report.unchanged, "unchanged"),
        (report.blocked.len(), "blocked"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {words}");
        }
    }
    text.push('\n');
    let _ = writeln!(text, "{} {}", paint(STRONG, "Disruption:"), disruption(planned));
    let _ = writeln!(text, "{} {}", paint(STRONG, "Time:"), time(planned));
}

fn disruption(planned: &Planned) -> String {
    if planned.plan.retires_cluster() {
        return "the cluster ends".to_owned();
    }
    let mut machines: BTreeMap<Disruption, Vec<String>> = BTreeMap::new();
    let mut worst: BTreeMap<&str, Disruption> = BTreeMap::new();
    for step in planned.plan.steps().iter().filter(|step| step.is_disruptive()) {
        let change = step.change();
        let on = change.machine().unwrap_or_else(|| change.key.name());
        let entry = worst.entry(on).or_insert(change.disruption);
        *entry = (*entry).max(change.disruption);
    }
    for (machine, disruption) in worst {
        machines.entry(disruption).or_default().push(machine.to_owned());
    }
    if machines.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = machines
        .into_iter()
        .map(|(disruption, names)| {
            let words = match disruption {
                Disruption::None => "nothing on",
                Disruption::Restart => "components restart on",
                Disruption::Drain => "pods move off",
                Disruption::Removal => "removed:",
            };
            format!("{words} {}", fold_names(&names))
        })
        .collect();
    format!("{}; etcd keeps its quorum", parts.join("; "))
}

fn time(planned: &Planned) -> String {
    let forecast = &planned.forecast;
    let path = &forecast.critical_path;
    let names: Vec<String> = path
        .steps
        .iter()
        .map(|&index| planned.plan.steps()[index].change().key.to_string())
        .collect();
    let shown = match names.len() {
        0..=PATH_LIMIT => names.join(" > "),
        many => {
            let last = &names[many - (PATH_LIMIT - 3)..];
            format!("{} > … > {}", names[..3].join(" > "), last.join(" > "))
        }
    };
    format!(
        "about {} ({}); one by one it would be {}",
        duration(path.duration),
        shown,
        duration(forecast.one_by_one)
    )
}
