//! Settings of others' formats: what a user says goes over what keelson says, field by field.

use serde_json::Value;

/// `base` with the fields of `over` in it: maps are merged, everything else is replaced.
pub fn merge(base: Value, over: &Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            for (name, value) in over {
                let merged = match base.remove(name) {
                    Some(before) => merge(before, value),
                    None => value.clone(),
                };
                base.insert(name.clone(), merged);
            }
            Value::Object(base)
        }
        (_, over) => over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::merge;

    #[test]
    fn maps_are_merged_and_everything_else_is_replaced() {
        let base = json!({ "a": { "b": 1, "c": [1, 2] }, "d": null });
        let over = json!({ "a": { "c": [3], "e": {} }, "d": { "f": true } });
        assert_eq!(
            merge(base.clone(), &over),
            json!({ "a": { "b": 1, "c": [3], "e": {} }, "d": { "f": true } })
        );
        assert_eq!(merge(base.clone(), &json!({})), base);
    }
}
