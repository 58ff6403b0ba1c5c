//! The structural check: the tree against the shape of a spec. It finds every error in one pass and, on the way,
//! turns the tree into JSON for serde.

mod nearest;
mod scalars;

pub(crate) use nearest::nearest;

use std::rc::Rc;

use keelson_provider_api::values::clip;
use serde_json::{Map, Value};

use super::errors::Finding;
use super::path::Path;
use super::shape::{Field, Fields, Shape, Word};
use super::yaml::{Content, Entry, Mark, Node, Plain, resolve};

/// What the check found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The errors.
    pub(crate) findings: Vec<Finding>,
    /// True when something is missing from the value that its meaning depends on: a required field, or a list's item.
    pub(crate) has_gaps: bool,
}

/// Checks `node` against `shape`. The value holds what is right.
pub(crate) fn check(node: &Node, shape: &Shape) -> (Value, Checked) {
    let mut checked = Checked::default();
    let value = checked.value(node, node.mark, shape, &Path::default());
    if value.is_none() {
        checked.has_gaps = true;
    }
    (value.unwrap_or_default(), checked)
}

impl Checked {
    /// The value of `node`, or `None` after noting what is wrong with it. `anchor` is where to point for a map or
    /// list.
    fn value(&mut self, node: &Node, anchor: Mark, shape: &Shape, path: &Path) -> Option<Value> {
        match (&node.content, shape) {
            (Content::Map(entries), Shape::Fields(fields) | Shape::WordsOrFields(_, fields)) => {
                self.fields(entries, anchor, fields, path)
            }
            (Content::Map(entries), Shape::Table(shape)) => Some(self.table(entries, shape, path)),
            (Content::Map(entries), Shape::FreeForm) => Some(self.free_map(entries, path)),
            (Content::List(items), Shape::List(item, at_least)) => {
                let found = self.list(items, item, path);
                if (items.len() as u64) < *at_least {
                    let finding = Finding::new(path.clone(), "the list is empty").at(anchor);
                    self.note(finding.expected(format!("at least {}", counted(*at_least, "item"))));
                    return None;
                }
                Some(found)
            }
            (Content::Scalar { text, plain }, _) => match scalars::read(text, *plain, shape) {
                Ok(value) => Some(value),
                Err(wrong) => {
                    let finding = Finding::new(path.clone(), wrong.problem).at(node.mark);
                    self.note(Finding {
                        expected: Some(wrong.expected),
                        help: wrong.help,
                        ..finding
                    });
                    None
                }
            },
            (content, _) => {
                let found = match content {
                    Content::Map(_) => "this is a map",
                    _ => "this is a list",
                };
                let finding = Finding::new(path.clone(), found)
                    .at(anchor)
                    .expected(describe(shape));
                self.note(Finding {
                    help: advice(content, shape),
                    ..finding
                });
                None
            }
        }
    }

    fn note(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn fields(&mut self, entries: &[Entry], anchor: Mark, fields: &Fields, path: &Path) -> Option<Value> {
        if entries.is_empty() && fields.may_be_empty {
            return Some(Value::Object(Map::new()));
        }
        let mut value = Map::new();
        let mut whole = true;
        for entry in entries {
            let here = path.then(&entry.name);
            let Some(field) = fields.known.iter().find(|field| field.name == entry.name) else {
                let is_detailed = self.findings.len() < DETAILED_FINDINGS;
                self.note(unknown_field(entry, fields, here, is_detailed));
                continue;
            };
            let is_optional = !field.required && !fields.exactly_one;
            if is_left_empty(&entry.value) && is_optional && is_container(&field.shape) {
                continue;
            }
            if is_left_empty(&entry.value) && field.required {
                whole = false;
                let finding = Finding::new(here, format!("the field `{}` has no value", field.name));
                self.note(with_example(finding.at(entry.mark), field));
                continue;
            }
            let found = match &field.shape {
                // `simulated:` alone chooses the alternative and leaves all its fields out.
                Shape::Fields(below) if fields.exactly_one && is_left_empty(&entry.value) => {
                    self.fields(&[], entry.mark, below, &here)
                }
                shape => self.value(&entry.value, anchor_of(entry), shape, &here),
            };
            match found {
                Some(found) => {
                    value.insert(entry.name.clone(), found);
                }
                None => whole &= !(field.required || fields.exactly_one),
            }
        }
        let known = |entry: &&Entry| fields.known.iter().any(|field| field.name == entry.name);
        if fields.exactly_one {
            let mut given = entries.iter().filter(known);
            let (first, second) = (given.next(), given.next());
            whole &= first.is_some() && second.is_none();
            // Fields that do not exist are reported already.
            if first.is_some() || entries.is_empty() {
                self.exactly_one(first, second, anchor, fields, path);
            }
        }
        for field in fields.known.iter().filter(|field| field.required) {
            if !entries.iter().any(|entry| entry.name == field.name) {
                whole = false;
                self.note(missing_field(entries, field, fields, anchor, path));
            }
        }
        whole.then_some(Value::Object(value))
    }

    fn exactly_one(
        &mut self,
        first: Option<&Entry>,
        second: Option<&Entry>,
        anchor: Mark,
        fields: &Fields,
        path: &Path,
    ) {
        match (first, second) {
            (None, _) => {
                let finding = Finding::new(path.clone(), "none of the alternatives is given").at(anchor);
                self.note(finding.expected(format!("exactly one of: {}", names(fields))));
            }
            (Some(first), Some(second)) => {
                let problem = format!("`{}` and `{}` exclude each other", first.name, second.name);
                let finding = Finding::new(path.then(&second.name), problem).at(second.mark);
                self.note(finding.expected(format!("exactly one of: {}", names(fields))));
            }
            _ => {}
        }
    }

    fn table(&mut self, entries: &[Entry], shape: &Shape, path: &Path) -> Value {
        let mut value = Map::new();
        for entry in entries {
            let here = path.then(&entry.name);
            if let Some(found) = self.value(&entry.value, anchor_of(entry), shape, &here) {
                value.insert(entry.name.clone(), found);
            }
        }
        Value::Object(value)
    }

    fn list(&mut self, items: &[Rc<Node>], shape: &Shape, path: &Path) -> Value {
        let mut value = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match self.value(item, item.mark, shape, &path.then(index)) {
                Some(found) => value.push(found),
                // Without this item the later ones would be known by the wrong index.
                None => self.has_gaps = true,
            }
        }
        Value::Array(value)
    }

    fn free_map(&mut self, entries: &[Entry], path: &Path) -> Value {
        let mut value = Map::new();
        for entry in entries {
            let found = self.free(&entry.value, &path.then(&entry.name));
            value.insert(entry.name.clone(), found);
        }
        Value::Object(value)
    }

    /// A value in someone else's format, by YAML's own rules.
    fn free(&mut self, node: &Node, path: &Path) -> Value {
        match &node.content {
            Content::Map(entries) => self.free_map(entries, path),
            Content::List(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| self.free(item, &path.then(index)))
                    .collect()
            }
            Content::Scalar { text, plain: false } => Value::String(text.clone()),
            Content::Scalar { text, .. } => match resolve(text) {
                Plain::Null => Value::Null,
                Plain::Boolean(boolean) => Value::Bool(boolean),
                Plain::Number(number) => Value::Number(number),
                Plain::Text => Value::String(text.clone()),
                Plain::BeyondNumbers => {
                    let problem = format!("`{}` is no number that JSON can hold", clip(text));
                    let finding = Finding::new(path.clone(), problem).at(node.mark);
                    self.note(finding.help("put it into quotes if it is a text"));
                    Value::Null
                }
            },
        }
    }
}

fn anchor_of(entry: &Entry) -> Mark {
    match entry.value.content {
        Content::Scalar { .. } => entry.value.mark,
        _ => entry.mark,
    }
}

/// A field with nothing after the colon, as is left when all lines below it are comments.
fn is_left_empty(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar { text, plain: true } if text.is_empty())
}

fn is_container(shape: &Shape) -> bool {
    matches!(
        shape,
        Shape::List(..) | Shape::Fields(_) | Shape::Table(_) | Shape::FreeForm
    )
}

fn names(fields: &Fields) -> String {
    let names: Vec<&str> = fields.known.iter().map(|field| field.name.as_str()).collect();
    names.join(", ")
}

/// How many findings look for what was meant: more than anyone reads, and a bound on the work.
const DETAILED_FINDINGS: usize = 1000;

fn unknown_field(entry: &Entry, fields: &Fields, path: Path, is_detailed: bool) -> Finding {
    let finding = Finding::new(path, format!("unknown field `{}`", clip(&entry.name))).at(entry.mark);
    if !is_detailed {
        return finding;
    }
    let known = fields.known.iter().map(|field| field.name.as_str());
    let finding = finding.expected(format!("one of: {}", names(fields)));
    match nearest(&entry.name, known) {
        Some(name) => finding.help(format!("did you mean `{name}`?")),
        None => finding,
    }
}

fn missing_field(entries: &[Entry], field: &Field, fields: &Fields, anchor: Mark, path: &Path) -> Finding {
    let finding = Finding::new(
        path.then(&field.name),
        format!("the field `{}` is missing", field.name),
    )
    .at(anchor)
    .expected(describe(&field.shape));
    let unknown = entries
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|name| fields.known.iter().all(|field| field.name != *name));
    match nearest(&field.name, unknown) {
        Some(name) => finding.help(format!("is `{}` meant to be it?", clip(name))),
        None => with_example(finding, field),
    }
}

/// The finding with what may stand in the field, and an example when there is one.
fn with_example(finding: Finding, field: &Field) -> Finding {
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
fn advice(content: &Content, shape: &Shape) -> Option<String> {
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
