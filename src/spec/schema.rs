//! The JSON Schema of a spec, for editors and for the checks of this module.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::types::Cluster;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Cluster>()
        .to_value();
    tidy(&mut schema);
    schema
});

/// The JSON Schema (draft 2020-12) of a spec, made from the same types that the parser fills.
///
/// A value can pass the schema and still be refused by [`load`](super::load): the schema knows each field, not how
/// fields go together.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The same without a copy.
pub(super) fn shared() -> &'static Value {
    &SCHEMA
}

/// Makes the generated schema say what the parser does: an optional field is left out, never null; descriptions are
/// flowing text.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            refuse_null(fields);
            if let Some(Value::String(description)) = fields.get_mut("description") {
                *description = unwrap_lines(description);
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn refuse_null(schema: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            schema.shift_remove("anyOf");
            for (name, value) in only {
                schema.entry(name).or_insert(value);
            }
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.shift_remove("default");
    }
}

/// Joins the lines of a paragraph; blank lines separate paragraphs.
fn unwrap_lines(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    paragraphs.join("\n\n")
}
