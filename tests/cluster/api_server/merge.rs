//! How patches come into objects.

use serde_json::{Map, Value};

/// JSON Merge Patch (RFC 7386).
pub(super) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge_patch(&mut target[name], value);
        }
    }
}

/// Server-side apply with force, as far as maps go: what the manager applied before and does not any more is removed,
/// the rest is written over what is there. Lists are taken whole.
pub(super) fn apply(target: &mut Value, before: &Value, now: &Value) {
    remove_given_up(target, before, now);
    write_over(target, now);
}

fn remove_given_up(target: &mut Value, before: &Value, now: &Value) {
    let (Value::Object(before), Value::Object(fields)) = (before, &mut *target) else {
        return;
    };
    for (name, was) in before {
        match now.get(name) {
            None if was.is_object() && fields.get(name).is_some_and(Value::is_object) => {
                // Others may have fields in there.
                let inner = fields.get_mut(name).unwrap();
                remove_given_up(inner, was, &Value::Object(Map::new()));
                if inner.as_object().is_some_and(Map::is_empty) {
                    fields.remove(name);
                }
            }
            None => {
                fields.remove(name);
            }
            Some(still) => {
                if let Some(inner) = fields.get_mut(name) {
                    remove_given_up(inner, was, still);
                }
            }
        }
    }
}

fn write_over(target: &mut Value, now: &Value) {
    match now {
        Value::Object(fields) => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            for (name, value) in fields {
                write_over(&mut target[name], value);
            }
        }
        other => *target = other.clone(),
    }
}

#[test]
fn what_a_manager_gives_up_goes_and_what_others_wrote_stays() {
    use serde_json::json;
    let mut target = json!({ "data": { "a": "1", "b": "2", "theirs": "3" }, "metadata": { "name": "x" } });
    let before = json!({ "data": { "a": "1", "b": "2" } });
    apply(&mut target, &before, &json!({ "data": { "a": "9" } }));
    assert_eq!(
        target,
        json!({ "data": { "a": "9", "theirs": "3" }, "metadata": { "name": "x" } })
    );
}
