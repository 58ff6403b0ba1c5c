//! The structural check: the tree against the shape of a spec. It finds every error in one pass and, on the way,
//! turns the tree into JSON for serde. Where something that is needed is missing or wrong, a stand-in takes its place,
//! so that the rules about how fields go together still see all the rest.

mod describe;
mod nearest;
mod scalars;
mod stand_in;

pub(crate) use describe::{counted, describe, inline};
pub(crate) use nearest::nearest;

use std::rc::Rc;

use keelson_provider_api::values::clip;
use serde_json::{Map, Value};

use super::errors::Finding;
use super::path::Path;
use super::shape::{Field, Fields, Shape};
use super::yaml::{Content, Entry, Mark, Node, Plain, resolve};
use describe::{advice, names, with_example};

/// What the check found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The errors.
    pub(crate) findings: Vec<Finding>,
    /// Where a stand-in took the place of a value that is needed and cannot be read. Each has its error.
    pub(crate) gaps: Vec<Path>,
}

/// Checks `node` against `shape`. The value holds what is right, and stand-ins; it is `None` where something is
/// missing that gives all the rest its meaning.
pub(crate) fn check(node: &Node, shape: &Shape) -> (Option<Value>, Checked) {
    let mut checked = Checked::default();
    let value = checked.value(node, node.mark, shape, &Path::default());
    (value, checked)
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
                found
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
            let found = if is_left_empty(&entry.value) && field.required {
                let finding = Finding::new(here.clone(), format!("the field `{}` has no value", field.name));
                self.note(with_example(finding.at(entry.mark), field));
                None
            } else {
                self.value_of_field(entry, field, fields.exactly_one, &here)
            };
            let is_needed = field.required || fields.exactly_one;
            let found = match found {
                None if is_needed => self.stand_in(&field.shape, here),
                found => found,
            };
            whole &= found.is_some() || !is_needed;
            if let Some(found) = found {
                value.insert(entry.name.clone(), found);
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
            if entries.iter().any(|entry| entry.name == field.name) {
                continue;
            }
            self.note(missing_field(entries, field, fields, anchor, path));
            match self.stand_in(&field.shape, path.then(&field.name)) {
                Some(found) => {
                    value.insert(field.name.clone(), found);
                }
                None => whole = false,
            }
        }
        whole.then_some(Value::Object(value))
    }

    fn value_of_field(
        &mut self,
        entry: &Entry,
        field: &Field,
        is_alternative: bool,
        path: &Path,
    ) -> Option<Value> {
        match &field.shape {
            // `simulated:` alone chooses the alternative and leaves all its fields out.
            Shape::Fields(below) if is_alternative && is_left_empty(&entry.value) => {
                self.fields(&[], entry.mark, below, path)
            }
            shape => self.value(&entry.value, anchor_of(entry), shape, path),
        }
    }

    /// A stand-in for the value at `path`, if one can be made.
    fn stand_in(&mut self, shape: &Shape, path: Path) -> Option<Value> {
        let value = stand_in::value(shape, self.gaps.len())?;
        self.gaps.push(path);
        Some(value)
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

    fn list(&mut self, items: &[Rc<Node>], shape: &Shape, path: &Path) -> Option<Value> {
        let mut value = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let here = path.then(index);
            let found = self.value(item, item.mark, shape, &here);
            // Without this item the later ones would be known by the wrong index.
            match found.or_else(|| self.stand_in(shape, here)) {
                Some(found) => value.push(found),
                None => return None,
            }
        }
        Some(Value::Array(value))
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
