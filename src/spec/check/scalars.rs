//! Scalars against the shape that is expected of them.

use std::ops::RangeInclusive;

use keelson_provider_api::values::clip;
use serde_json::Value;

use super::{describe, nearest};
use crate::spec::shape::{Shape, Word};
use crate::spec::yaml::{Plain, resolve};

/// Why a scalar is not what is expected.
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) expected: String,
    pub(super) help: Option<String>,
}

/// The value of the scalar `text`, written without quotes when `plain`.
pub(super) fn read(text: &str, plain: bool, shape: &Shape) -> Result<Value, Wrong> {
    let found = if plain { resolve(text) } else { Plain::Text };
    let wrong = |problem: String, help: Option<String>| Wrong {
        problem,
        expected: describe(shape),
        help,
    };
    if found == Plain::Null {
        let problem = if text.is_empty() {
            "there is no value".to_owned()
        } else {
            format!("`{text}` means no value")
        };
        let help = "remove it to leave it at its default".to_owned();
        return Err(wrong(problem, Some(help)));
    }
    match shape {
        Shape::Text(format, _) => {
            if let Plain::Boolean(_) = found {
                let problem = format!("`{text}` is a boolean, not a text");
                return Err(wrong(
                    problem,
                    Some(format!("write \"{text}\" if the text is meant")),
                ));
            }
            match format.map_or(Ok(()), |format| (format.check)(text)) {
                Ok(()) => Ok(Value::String(text.to_owned())),
                Err(problem) => Err(wrong(problem.to_string(), None)),
            }
        }
        Shape::Words(words) => word(text, words, wrong),
        Shape::WordsOrFields(words, fields) => match fields.known.iter().find(|field| field.name == text) {
            Some(field) if fields.exactly_one => {
                let help = format!("write it as a map: `{{ {}: {{ … }} }}`", field.name);
                Err(wrong(format!("`{text}` needs fields of its own"), Some(help)))
            }
            _ => word(text, words, wrong),
        },
        Shape::Boolean => match found {
            Plain::Boolean(boolean) => Ok(Value::Bool(boolean)),
            _ => Err(not_a_boolean(text, plain, wrong)),
        },
        Shape::Integer(least, most) => {
            integer(text, plain, &found, *least..=*most).map_err(|(problem, help)| wrong(problem, help))
        }
        Shape::List(item, _) => {
            let items: Vec<&str> = text.split(',').map(str::trim).collect();
            let is_simple = matches!(
                item.as_ref(),
                Shape::Text(..) | Shape::Words(_) | Shape::WordsOrFields(..)
            );
            let help = is_simple.then(|| format!("write [{}]", clip(&items.join(", "))));
            Err(wrong(format!("`{}` is not a list", clip(text)), help))
        }
        Shape::Fields(fields) => {
            let (name, after) = text.split_once(':').unwrap_or((text, ""));
            let field = fields.known.iter().find(|field| field.name == name);
            let help = field.map(|field| match after {
                "" => format!("write `{}: {{ … }}`", field.name),
                after => format!(
                    "a blank is missing after the colon: write `{name}: {}`",
                    clip(after)
                ),
            });
            Err(wrong(format!("`{}` is not a map", clip(text)), help))
        }
        Shape::Table(_) | Shape::FreeForm => Err(wrong(format!("`{}` is not a map", clip(text)), None)),
    }
}

/// The whole number of a scalar, or a problem and advice.
fn integer(
    text: &str,
    plain: bool,
    found: &Plain,
    range: RangeInclusive<u64>,
) -> Result<Value, (String, Option<String>)> {
    let shown = clip(text);
    let problem = match found {
        Plain::Number(number) => match number.as_u64() {
            Some(whole) if range.contains(&whole) => return Ok(whole.into()),
            Some(_) => format!("`{shown}` is out of range"),
            None if number.is_i64() => format!("`{shown}` is negative"),
            None => format!("`{shown}` is not a whole number"),
        },
        Plain::BeyondNumbers => format!("`{shown}` is out of range"),
        Plain::Boolean(_) => format!("`{shown}` is a boolean, not a number"),
        Plain::Null | Plain::Text => {
            let is_quoted = !plain && matches!(resolve(text), Plain::Number(_));
            let help = is_quoted.then(|| format!("write {shown} without quotes"));
            return Err((format!("`{shown}` is a text, not a number"), help));
        }
    };
    Err((problem, None))
}

fn word(text: &str, words: &[Word], wrong: impl Fn(String, Option<String>) -> Wrong) -> Result<Value, Wrong> {
    if words.iter().any(|word| word.text == text) {
        return Ok(Value::String(text.to_owned()));
    }
    let nearest = nearest(text, words.iter().map(|word| word.text.as_str()));
    let help = nearest.map(|word| format!("did you mean `{word}`?"));
    Err(wrong(format!("unknown value `{}`", clip(text)), help))
}

fn not_a_boolean(text: &str, plain: bool, wrong: impl Fn(String, Option<String>) -> Wrong) -> Wrong {
    /// Words that YAML 1.1 took for booleans, and what they meant.
    const OLD_WORDS: &[(&str, bool)] = &[
        ("yes", true),
        ("on", true),
        ("y", true),
        ("no", false),
        ("off", false),
        ("n", false),
    ];
    let lower = text.to_lowercase();
    let old = OLD_WORDS.iter().find(|(word, _)| *word == lower);
    let help = match (old, resolve(text)) {
        (Some((_, meaning)), _) => Some(format!("write {meaning}")),
        (None, Plain::Boolean(_)) if !plain => Some(format!("write {text} without quotes")),
        _ => None,
    };
    wrong(format!("`{}` is neither true nor false", clip(text)), help)
}
