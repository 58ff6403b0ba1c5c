//! A spec to begin with, from `templates/cluster.yaml.hbs`.

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason};
use serde_json::Value;

const TEMPLATE: &str = include_str!("../../templates/cluster.yaml.hbs");

/// Renders the template with `values`; the template's head says which it uses.
///
/// # Errors
/// When a value is missing, which is a defect of keelson.
pub fn render(values: &Value) -> Result<String, handlebars::RenderError> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(handlebars::no_escape);
    handlebars.register_helper("yaml", Box::new(yaml));
    handlebars.render_template(TEMPLATE, values)
}

/// Writes a value as YAML in one line. JSON is YAML; plain words are written without quotes, as people write them.
fn yaml(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let value = helper
        .param(0)
        .ok_or_else(|| RenderErrorReason::ParamNotFoundForIndex("yaml", 0))?
        .value();
    out.write(&flow(value))?;
    Ok(())
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", flow(&Value::String(name.clone())), flow(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// True for words that YAML reads as the same text without quotes.
fn is_plain(text: &str) -> bool {
    let harmless = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    let word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    !text.is_empty()
        && text.chars().all(harmless)
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '.' || first == '/')
        && text.contains(|character: char| character.is_ascii_alphanumeric())
        && !word.contains(&text.to_ascii_lowercase().as_str())
}
