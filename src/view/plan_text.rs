//! A plan, for reading: what, why, how disruptive, how long.

use std::fmt::Write as _;

use anstyle::Style;
use keelson_provider_api::{Disruption, Kind};
use serde_json::Value;

use super::groups::{self, Group, Verb};
use super::humane::printable;
use super::list_changes::{ListChanges, list_changes};
use super::styles::{BAD, CHANGE, FAINT, GOOD, STRONG, paint};
use super::{plan_totals, trouble, waiting};
use crate::ops::Planned;
use crate::plan::PlanReport;

/// Field values longer than this are cut in a plan's text; JSON has them whole.
const VALUE_LIMIT_CHARS: usize = 60;
/// A digest says only that something changed; this much of it tells one from another.
const DIGEST_CHARS: usize = "sha256:".len() + 12;
/// Fields that repeat what a resource's name says, or that only say what it stands on; `--details` has them.
const REPEATED: &[&str] = &[
    "endpoint",
    "firewall",
    "group",
    "loadBalancer",
    "machine",
    "network",
    "phase",
    "start",
    "subnet",
];

/// The plan as text. With `details` every field of what is created is shown.
pub fn render(planned: &Planned, details: bool) -> String {
    let groups = groups::groups(&planned.plan);
    let mut text = String::new();
    for group in &groups {
        write_group(&mut text, group, details, planned.plan.retires_cluster());
    }
    if !groups.is_empty() {
        text.push('\n');
    }
    write_report(&mut text, &planned.report);
    plan_totals::write(&mut text, planned, &groups);
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

fn write_group(text: &mut String, group: &Group, details: bool, retires_cluster: bool) {
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
    // Where all goes, one reason is everybody's; the last lines say it once.
    if group.verb != Verb::Create && !retires_cluster {
        let _ = write!(text, "  {}", paint(FAINT, &group.reason));
    }
    text.push('\n');
    match group.verb {
        Verb::Update => write_differences(text, group),
        Verb::Create | Verb::Replace if details => write_fields(text, group),
        Verb::Create => write_field_line(text, group),
        Verb::Delete if group.kind == Kind::Leftover => write_leftover_line(text, group),
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
        if let (Value::Array(from), Value::Array(to)) = (&difference.from, &difference.to) {
            write_list_difference(text, &format!("{:width$}", difference.field), from, to);
            continue;
        }
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

/// Of two lists, what goes and what comes: whole they would not fit on a line, and cut off they may look alike.
fn write_list_difference(text: &mut String, field: &str, from: &[Value], to: &[Value]) {
    let ListChanges { removed, added } = list_changes(from, to);
    let mut label = field.to_owned();
    if removed.is_empty() && added.is_empty() {
        let _ = writeln!(text, "        {label}  the same in another order");
    }
    for (sign, style, entries) in [("-", BAD, removed), ("+", GOOD, added)] {
        for entry in entries {
            let _ = writeln!(
                text,
                "        {label}  {}",
                paint(style, format!("{sign} {entry}"))
            );
            label = " ".repeat(field.len());
        }
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
        .filter(|(name, _)| is_plain(name) && !repeats(group.kind, name))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if !fields.is_empty() {
        let _ = writeln!(text, "        {}", paint(FAINT, fields.join(", ")));
    }
}

/// What a controller made, and what for: its name says neither.
fn write_leftover_line(text: &mut String, group: &Group) {
    if let Some(leftover) = &group.leftover {
        let _ = writeln!(text, "        {}", paint(FAINT, printable(&leftover.to_string())));
    }
}

fn repeats(kind: Kind, field: &str) -> bool {
    REPEATED.contains(&field) || (kind == Kind::EtcdMember && field == "cluster")
}

fn value_text(value: &Value) -> String {
    let text = match value {
        Value::Null => "(none)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let plain = printable(&text);
    if plain.starts_with("sha256:") && plain.len() > DIGEST_CHARS {
        return plain.chars().take(DIGEST_CHARS).collect();
    }
    if plain.chars().count() > VALUE_LIMIT_CHARS {
        plain.chars().take(VALUE_LIMIT_CHARS - 1).chain(['…']).collect()
    } else {
        plain
    }
}

fn write_report(text: &mut String, report: &PlanReport) {
    if report.is_blocked() {
        let _ = writeln!(text, "{}", paint(STRONG, "Blocked"));
        text.push_str(&trouble::blocked(report, "`keelson plan -o json` has them all"));
        text.push('\n');
    }
    if !report.warnings.is_empty() {
        let _ = writeln!(text, "{}", paint(STRONG, "Worth knowing"));
        text.push_str(&trouble::warnings(&report.warnings));
        text.push('\n');
    }
    if !report.problems.is_empty() {
        let _ = writeln!(
            text,
            "{}",
            paint(STRONG, "Not working, and left alone by this plan")
        );
        text.push_str(&trouble::problems(
            &report.problems,
            "`keelson status -o json` has them all",
        ));
        text.push('\n');
    }
    if !report.held.is_empty() {
        let _ = writeln!(text, "{}", paint(STRONG, "Waiting"));
        text.push_str(&waiting::lines(&report.held));
        text.push('\n');
    }
}
