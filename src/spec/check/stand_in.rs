//! Values that take the place of those that cannot be read.

use serde_json::{Map, Value};

use crate::spec::shape::{Field, Shape};

/// A value of `shape` for a place where the file has none that can be read; `None` where a choice between
/// alternatives is open, because everything else would mean something else by it. `number` tells stand-ins apart, so
/// that two of them are not taken for a repetition.
pub(super) fn value(shape: &Shape, number: usize) -> Option<Value> {
    Some(match shape {
        Shape::Text(format, example) => {
            let unlike_others = format!("stand-in-{number}");
            let fits = |text: &str| format.is_none_or(|format| (format.check)(text).is_ok());
            let shown = example.as_deref().or(format.map(|format| format.example));
            match shown {
                Some(shown) if !fits(&unlike_others) => shown.into(),
                _ => unlike_others.into(),
            }
        }
        Shape::Words(words) | Shape::WordsOrFields(words, _) => words.first()?.text.as_str().into(),
        Shape::Integer(least, _) => (*least).into(),
        Shape::Boolean => false.into(),
        Shape::List(item, at_least) => (0..*at_least)
            .map(|_| value(item, number))
            .collect::<Option<Vec<Value>>>()?
            .into(),
        Shape::Fields(fields) if fields.exactly_one => return None,
        Shape::Fields(fields) => {
            let required = fields.known.iter().filter(|field| field.required);
            let with_value = |field: &Field| Some((field.name.clone(), value(&field.shape, number)?));
            required
                .map(with_value)
                .collect::<Option<Map<String, Value>>>()?
                .into()
        }
        Shape::Table(_) | Shape::FreeForm => Map::new().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::shape;

    /// Every shape at and below `shape`, with the name of the field that has it.
    fn all<'a>(name: &'a str, shape: &'a Shape, into: &mut Vec<(&'a str, &'a Shape)>) {
        into.push((name, shape));
        match shape {
            Shape::List(item, _) | Shape::Table(item) => all(name, item, into),
            Shape::Fields(fields) | Shape::WordsOrFields(_, fields) => {
                for field in &fields.known {
                    all(&field.name, &field.shape, into);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn every_text_has_a_stand_in_that_its_format_accepts() {
        let mut shapes = Vec::new();
        all("document", shape::root(), &mut shapes);
        let mut texts = 0;
        for (name, shape) in shapes {
            if let (Shape::Text(Some(format), _), Some(Value::String(text))) = (shape, value(shape, 7)) {
                texts += 1;
                assert!((format.check)(&text).is_ok(), "{name}: {text}");
            }
        }
        assert!(texts > 40, "{texts}");
    }
}
