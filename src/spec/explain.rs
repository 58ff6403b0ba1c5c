//! `keelson explain`: what a field is, from the same types that the parser fills.

use std::fmt;

use keelson_provider_api::values::clip;
use serde::Serialize;
use serde_json::Value;

use super::check::{describe, inline, nearest};
use super::schema;
use super::shape::{self, Field, Fields, Shape, Word};

/// What there is to know about one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The field, for example `spec.nodeGroups[].replicas`; `(document)` for the whole.
    pub path: String,
    /// What may stand there: a fragment such as "a whole number between 0 and 5000".
    pub value: String,
    /// What the field is.
    pub description: String,
    /// True when the field cannot be left out.
    pub required: bool,
    /// What it is when left out, as YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// One valid value, as YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The words that may stand there, with their meanings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<ExplainedName>,
    /// The fields below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<ExplainedName>,
}

/// A word or a field, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedName {
    /// The word or the field's name.
    pub name: String,
    /// What it means.
    pub description: String,
    /// True for a field that cannot be left out.
    pub required: bool,
}

/// There is no such field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", self.text())]
pub struct ExplainError {
    /// The longest part of the path that exists; empty when none of it does.
    pub known: String,
    /// The name after it that does not exist.
    pub unknown: String,
    /// The nearest path that exists.
    pub nearest: Option<String>,
    /// The fields that exist at that place.
    pub fields: Vec<String>,
}

impl ExplainError {
    fn text(&self) -> String {
        let unknown = clip(&self.unknown);
        let place = if self.known.is_empty() {
            "a spec".to_owned()
        } else {
            format!("`{}`", self.known)
        };
        let mut text = format!("there is no field `{unknown}` in {place}");
        if !self.fields.is_empty() {
            text.push_str("; expected one of: ");
            text.push_str(&self.fields.join(", "));
        }
        if let Some(nearest) = &self.nearest {
            text.push_str("\n    help: did you mean `");
            text.push_str(nearest);
            text.push_str("`?");
        }
        text
    }
}

/// Explains the field at `path`, such as `spec.etcd` or `spec.nodeGroups.replicas`; `spec.` may be left out, and the
/// empty path explains the whole document. Indexes of lists (`nodeGroups[0]`, `nodeGroups[]`) are accepted and mean
/// nothing.
///
/// # Errors
/// There is no such field; the error names the nearest one.
pub fn explain(path: &str) -> Result<Explanation, ExplainError> {
    let steps: Vec<&str> = path
        .split('.')
        .map(|step| step.split('[').next().unwrap_or(step))
        .filter(|step| !step.is_empty())
        .collect();
    let found = follow(&steps);
    if found.is_ok() {
        return found;
    }
    let below_spec: Vec<&str> = std::iter::once("spec").chain(steps.iter().copied()).collect();
    match (follow(&below_spec), steps.first()) {
        (Ok(explanation), _) => Ok(explanation),
        (Err(error), Some(first)) if fields_of(shape::root()).is_none_or(|root| !has(root, first)) => {
            Err(error)
        }
        _ => found,
    }
}

fn has(fields: &Fields, name: &str) -> bool {
    fields.known.iter().any(|field| field.name == name)
}

/// The fields below a value; those of the items, for a list, and those of the values, for a table.
fn fields_of(shape: &Shape) -> Option<&Fields> {
    match shape {
        Shape::Fields(fields) | Shape::WordsOrFields(_, fields) => Some(fields),
        Shape::List(item, _) | Shape::Table(item) => fields_of(item),
        _ => None,
    }
}

fn words_of(shape: &Shape) -> &[Word] {
    match shape {
        Shape::Words(words) | Shape::WordsOrFields(words, _) => words,
        Shape::List(item, _) => words_of(item),
        _ => &[],
    }
}

fn follow(steps: &[&str]) -> Result<Explanation, ExplainError> {
    let mut shape = shape::root();
    let mut field: Option<&Field> = None;
    let mut known = String::new();
    for step in steps {
        let fields = fields_of(shape);
        let Some(next) = fields.and_then(|fields| fields.known.iter().find(|field| field.name == *step))
        else {
            let names = || {
                fields
                    .iter()
                    .flat_map(|fields| &fields.known)
                    .map(|field| field.name.as_str())
            };
            let nearest = nearest(step, names());
            return Err(ExplainError {
                unknown: (*step).to_owned(),
                nearest: nearest.map(|name| join(&known, name)),
                fields: names().map(str::to_owned).collect(),
                known,
            });
        };
        known = join(&known, step);
        if matches!(next.shape, Shape::List(..)) && Some(step) != steps.last() {
            known.push_str("[]");
        } else if matches!(next.shape, Shape::Table(_)) && Some(step) != steps.last() {
            known.push_str(".*");
        }
        shape = &next.shape;
        field = Some(next);
    }
    Ok(explanation(known, field, shape))
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() {
        step.to_owned()
    } else {
        format!("{path}.{step}")
    }
}

fn explanation(path: String, field: Option<&Field>, shape: &Shape) -> Explanation {
    let named = |name: &str, description: &str, required: bool| ExplainedName {
        name: name.to_owned(),
        description: description.to_owned(),
        required,
    };
    // The default of a map is that of its fields, each of which says so itself.
    let is_map = matches!(shape, Shape::Fields(_));
    let default = field.and_then(|field| field.default.as_ref()).filter(|_| !is_map);
    let example = field.and_then(|field| field.example.as_ref());
    let root_description = schema::shared().get("description").and_then(Value::as_str);
    Explanation {
        path: if path.is_empty() {
            "(document)".to_owned()
        } else {
            path
        },
        value: describe(shape),
        description: field
            .map_or(root_description.unwrap_or_default(), |field| &field.description)
            .to_owned(),
        required: field.is_some_and(|field| field.required),
        default: default.map(inline),
        example: example.map(inline),
        words: words_of(shape)
            .iter()
            .map(|word| named(&word.text, &word.description, false))
            .collect(),
        fields: fields_of(shape)
            .iter()
            .flat_map(|fields| &fields.known)
            .map(|field| named(&field.name, &field.description, field.required))
            .collect(),
    }
}

/// The width of the text, in columns.
const WIDTH: usize = 100;

fn write_wrapped(out: &mut fmt::Formatter<'_>, indent: &str, text: &str) -> fmt::Result {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && indent.len() + column + 1 + length > WIDTH {
            writeln!(out)?;
            column = 0;
        }
        let gap = if column == 0 { indent } else { " " };
        write!(out, "{gap}{word}")?;
        column += length + usize::from(column > 0);
    }
    writeln!(out)
}

impl fmt::Display for Explanation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "FIELD:    {}", self.path)?;
        let required = if self.required { " (required)" } else { "" };
        writeln!(formatter, "VALUE:    {}{required}", self.value)?;
        if let Some(default) = &self.default {
            writeln!(formatter, "DEFAULT:  {default}")?;
        }
        if let Some(example) = &self.example {
            writeln!(formatter, "EXAMPLE:  {example}")?;
        }
        writeln!(formatter, "\nDESCRIPTION:")?;
        write_wrapped(formatter, "  ", &self.description)?;
        for (title, names) in [("VALUES", &self.words), ("FIELDS", &self.fields)] {
            if names.is_empty() {
                continue;
            }
            writeln!(formatter, "\n{title}:")?;
            for name in names {
                let required = if name.required { " (required)" } else { "" };
                writeln!(formatter, "  {}{required}", name.name)?;
                write_wrapped(formatter, "    ", &name.description)?;
            }
        }
        Ok(())
    }
}
