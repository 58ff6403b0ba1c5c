//! What should stand somewhere, in words.

use serde_json::Value;

use crate::spec::errors::Finding;
use crate::spec::shape::{Field, Fields, Shape, Word};
use crate::spec::yaml::Content;

pub(super) fn names(fields: &Fields) -> String {
    let names: Vec<&str> = fields.known.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

/// The finding with what may stand in the field, and an example when there is one.
pub(super) fn with_example(finding: Finding, field: &Field) -> Finding {
    let finding = finding.expected(describe(&field.shape));
    match &field.example {
        Some(example) => finding.help(format!("for example `{}: {}`", field.name, inline(example))),
        None => finding,
    }
}

/// A JSON value as YAML on one line.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) if text.starts_with(['*', '&', '!', '%', '@', '`']) => format!("\"{text}\""),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", inline(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// `1 item`, `2 items`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

fn one_of(words: &[Word]) -> String {
    if let [only] = words {
        return format!("`{}`", only.text);
    }
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    format!("one of: {}", words.join(", "))
}

/// The longest example that fits into a sentence.
const EXAMPLE_CHARS: usize = 60;

/// What should stand there: a fragment that goes on from "expected".
pub(crate) fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text(Some(format), example) => match example.as_deref().unwrap_or(format.example) {
            example if example.len() <= EXAMPLE_CHARS => format!("{}, such as {example}", format.expected),
            _ => format.expected.to_owned(),
        },
        Shape::Text(None, _) => "a text".to_owned(),
        Shape::Words(words) => one_of(words),
        Shape::Integer(least, most) if *most >= u64::from(u32::MAX) => {
            format!("a whole number of at least {least}")
        }
        Shape::Integer(least, most) => format!("a whole number between {least} and {most}"),
        Shape::Boolean => "true or false".to_owned(),
        Shape::List(item, _) => match item.as_ref() {
            Shape::Text(Some(format), _) => format!("a list, each item {}", format.expected),
            Shape::Words(words) => format!("a list, each item {}", one_of(words)),
            Shape::Fields(fields) => format!("a list, each item a map with: {}", names(fields)),
            _ => "a list".to_owned(),
        },
        Shape::Fields(fields) if fields.exactly_one => {
            format!("a map with exactly one of: {}", names(fields))
        }
        Shape::Fields(fields) => format!("a map with: {}", names(fields)),
        Shape::WordsOrFields(words, fields) => {
            let quantity = if fields.exactly_one { "exactly one of" } else { "" };
            let with = format!("a map with {quantity}: {}", names(fields)).replace(" : ", ": ");
            format!("{}, or {with}", one_of(words))
        }
        Shape::Table(_) => "a map from names to values".to_owned(),
        Shape::FreeForm => "a map".to_owned(),
    }
}

/// Advice for a map or list that stands in the wrong place.
pub(super) fn advice(content: &Content, shape: &Shape) -> Option<String> {
    match (content, shape) {
        (Content::Map(_), Shape::List(..)) => Some("begin each item with `- `".to_owned()),
        (Content::List(_), Shape::Fields(_) | Shape::Table(_) | Shape::FreeForm) => {
            Some("write the fields without `- ` in front".to_owned())
        }
        (Content::List(_), Shape::Text(..) | Shape::Words(_) | Shape::Integer(..)) => {
            Some("write one value without brackets".to_owned())
        }
        _ => None,
    }
}
