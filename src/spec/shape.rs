//! The schema as the structural check and `explain` walk it: JSON Schema, reduced to the few shapes that a spec has.
//!
//! Walking the schema rather than the Rust types is what lets one pass find every error: serde stops at the first.

use std::sync::LazyLock;

use keelson_provider_api::values::TextFormat;
use serde_json::{Map, Value};

use super::schema;
use super::text::format_named;

/// What a value may look like.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Any text, or one of a format; and an example, where the field has a better one than the format.
    Text(Option<&'static TextFormat>, Option<String>),
    /// One of some words.
    Words(Vec<Word>),
    /// A whole number between two bounds, both included.
    Integer(u64, u64),
    /// True or false.
    Boolean,
    /// A list of at least so many items.
    List(Box<Shape>, u64),
    /// A map of known fields.
    Fields(Fields),
    /// One of some words, or a map of known fields.
    WordsOrFields(Vec<Word>, Fields),
    /// A map from names of the user's choice to values of one shape.
    Table(Box<Shape>),
    /// A map in someone else's format.
    FreeForm,
}

/// A word that a field may hold.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// The word.
    pub(crate) text: String,
    /// What it means.
    pub(crate) description: String,
}

/// A map of known fields.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    /// The fields, in the order of the types.
    pub(crate) known: Vec<Field>,
    /// Exactly one of the fields must stand in the map.
    pub(crate) exactly_one: bool,
    /// The map may also be empty, whatever is required.
    pub(crate) may_be_empty: bool,
}

/// One known field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// The field's name in a spec.
    pub(crate) name: String,
    /// What it is.
    pub(crate) description: String,
    /// What it is when left out.
    pub(crate) default: Option<Value>,
    /// One valid value.
    pub(crate) example: Option<Value>,
    /// True when the field cannot be left out.
    pub(crate) required: bool,
    /// What its value looks like.
    pub(crate) shape: Shape,
}

static ROOT: LazyLock<Shape> = LazyLock::new(|| shape_of(schema::shared()));

/// The shape of a whole document.
pub(crate) fn root() -> &'static Shape {
    &ROOT
}

fn text_at<'a>(schema: &'a Value, name: &str) -> &'a str {
    schema.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items_at<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Follows a reference to its definition.
fn resolve(schema: &Value) -> &Value {
    let target = text_at(schema, "$ref").strip_prefix('#');
    target
        .and_then(|pointer| schema::shared().pointer(pointer))
        .unwrap_or(schema)
}

fn shape_of(schema: &Value) -> Shape {
    let schema = resolve(schema);
    let choices = [items_at(schema, "oneOf"), items_at(schema, "anyOf")].concat();
    if !choices.is_empty() {
        return shape_of_choices(&choices);
    }
    if let Some(words) = words_of(schema) {
        return Shape::Words(words);
    }
    match text_at(schema, "type") {
        "string" => {
            let example = items_at(schema, "examples").last().and_then(Value::as_str);
            Shape::Text(
                format_named(text_at(schema, "format")),
                example.map(str::to_owned),
            )
        }
        "boolean" => Shape::Boolean,
        "integer" => {
            let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
            let widest = if text_at(schema, "format") == "uint64" {
                u64::MAX
            } else {
                u64::from(u32::MAX)
            };
            Shape::Integer(bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(widest))
        }
        "array" => {
            let item = schema.get("items").map_or(Shape::FreeForm, shape_of);
            let at_least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            Shape::List(Box::new(item), at_least)
        }
        _ => match (schema.get("properties"), schema.get("additionalProperties")) {
            (Some(Value::Object(properties)), _) => Shape::Fields(fields_of(schema, properties)),
            (None, Some(values @ Value::Object(_))) => Shape::Table(Box::new(shape_of(values))),
            _ => Shape::FreeForm,
        },
    }
}

/// The words of a string schema with `const` or `enum`.
fn words_of(schema: &Value) -> Option<Vec<Word>> {
    let description = text_at(schema, "description");
    let word = |value: &Value| {
        value.as_str().map(|text| Word {
            text: text.to_owned(),
            description: description.to_owned(),
        })
    };
    match schema.get("const") {
        Some(value) => Some(word(value).into_iter().collect()),
        None if schema.get("enum").is_some() => {
            Some(items_at(schema, "enum").iter().filter_map(word).collect())
        }
        None => None,
    }
}

/// Words, maps with one field each (of which exactly one may stand), and at most one ordinary map, in any mixture.
fn shape_of_choices(choices: &[Value]) -> Shape {
    let mut words = Vec::new();
    let mut fields: Option<Fields> = None;
    let mut may_be_empty = false;
    for choice in choices {
        let choice = resolve(choice);
        if let Some(more) = words_of(choice) {
            words.extend(more);
        } else if choice.get("maxProperties").is_some_and(|most| most == 0) {
            may_be_empty = true;
        } else if let Shape::Fields(mut found) = shape_of(choice) {
            match (&mut fields, found.known.as_mut_slice()) {
                (None, [only]) => {
                    let description = text_at(choice, "description");
                    only.description = described(description, &only.description);
                    fields = Some(Fields {
                        exactly_one: true,
                        ..found
                    });
                }
                (Some(known), [only]) => {
                    let description = text_at(choice, "description");
                    only.description = described(description, &only.description);
                    known.known.append(&mut found.known);
                }
                _ => fields = Some(found),
            }
        }
    }
    if let Some(fields) = &mut fields {
        fields.may_be_empty = may_be_empty;
        if fields.exactly_one {
            fields.known.iter_mut().for_each(|field| field.required = false);
        }
    }
    match fields {
        Some(fields) if words.is_empty() => Shape::Fields(fields),
        Some(fields) => Shape::WordsOrFields(words, fields),
        None => Shape::Words(words),
    }
}

fn described(first: &str, otherwise: &str) -> String {
    if first.is_empty() {
        otherwise.to_owned()
    } else {
        first.to_owned()
    }
}

fn fields_of(schema: &Value, properties: &Map<String, Value>) -> Fields {
    let required = items_at(schema, "required");
    let field = |(name, field): (&String, &Value)| {
        let target = resolve(field);
        Field {
            name: name.clone(),
            description: described(text_at(field, "description"), text_at(target, "description")),
            default: field.get("default").cloned(),
            example: items_at(field, "examples")
                .last()
                .or_else(|| items_at(target, "examples").last())
                .cloned(),
            required: required.iter().any(|required| required == name.as_str()),
            shape: shape_of(field),
        }
    };
    Fields {
        known: properties.iter().map(field).collect(),
        exactly_one: false,
        may_be_empty: false,
    }
}
