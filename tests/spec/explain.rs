//! `explain` and the JSON Schema.

use keelson::spec::{explain, schema};
use serde_json::Value;

/// Every path of fields, without indexes.
fn paths(path: &str, found: &mut Vec<String>) {
    let explanation = explain(path).unwrap_or_else(|error| panic!("{error}"));
    for field in &explanation.fields {
        let below = if path.is_empty() {
            field.name.clone()
        } else {
            format!("{path}.{}", field.name)
        };
        found.push(below.clone());
        paths(&below, found);
    }
}

#[test]
fn every_field_is_explained() {
    let mut all = Vec::new();
    paths("", &mut all);
    assert!(all.len() > 120, "{} fields", all.len());
    for path in &all {
        let explanation = explain(path).unwrap();
        assert!(!explanation.description.is_empty(), "{path} has no description");
        assert!(!explanation.value.is_empty(), "{path}");
        assert!(
            !explanation.description.contains("[`"),
            "{path} has a link in its description"
        );
        assert!(explanation.to_string().contains("DESCRIPTION:"), "{path}");
        if let Some(short) = path.strip_prefix("spec.") {
            assert_eq!(explain(short).unwrap(), explanation, "{short}");
        }
    }
    insta::assert_snapshot!("fields", all.join("\n"));
}

#[test]
fn explanations_read_well() {
    insta::assert_snapshot!("etcd", explain("spec.etcd").unwrap().to_string());
    insta::assert_snapshot!("replicas", explain("nodeGroups[0].replicas").unwrap().to_string());
    insta::assert_snapshot!("provider", explain("provider").unwrap().to_string());
    insta::assert_snapshot!("placement", explain("etcd.placement").unwrap().to_string());
    insta::assert_snapshot!("pki", explain("pki").unwrap().to_string());
    insta::assert_snapshot!("encryption", explain("pki.encryption").unwrap().to_string());
    insta::assert_snapshot!("document", explain("").unwrap().to_string());
}

#[test]
fn rules_that_are_left_out_of_keep_are_explained_with_their_figures() {
    let keep = "etcd.snapshots.keep";
    for (path, words) in [
        (
            keep.to_owned(),
            "24 hourly, 30 daily, none weekly and none of the last, whatever else is written; 0 turns its rule off",
        ),
        (format!("{keep}.last"), "none by this rule without it"),
        (format!("{keep}.hourly"), "24 where it is left out, 0 for none"),
        (format!("{keep}.daily"), "30 where it is left out, 0 for none"),
        (format!("{keep}.weekly"), "none where it is left out"),
    ] {
        let description = explain(&path).unwrap().description;
        let description = description.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(description.contains(words), "{path}: {description}");
    }
}

#[test]
fn unknown_fields_are_answered_with_the_nearest() {
    let table = [
        ("spec.etdc", "there is no field `etdc` in `spec`"),
        ("etdc", "did you mean `spec.etcd`?"),
        (
            "spec.nodeGroups.replica",
            "did you mean `spec.nodeGroups[].replicas`?",
        ),
        (
            "spec.etcd.heartbeat.unit",
            "there is no field `unit` in `spec.etcd.heartbeat`",
        ),
        ("metadata.nam", "did you mean `metadata.name`?"),
        ("$(reboot)", "there is no field `$(reboot)`"),
    ];
    for (path, expected) in table {
        let said = explain(path).unwrap_err().to_string();
        assert!(said.contains(expected), "{path}: {said}");
    }
}

/// Calls `check` with every schema below `value`.
fn visit(value: &Value, check: &mut dyn FnMut(&Value)) {
    check(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|field| visit(field, check)),
        Value::Array(items) => items.iter().for_each(|item| visit(item, check)),
        _ => {}
    }
}

#[test]
fn the_schema_knows_no_null_and_every_reference_leads_somewhere() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    visit(&schema, &mut |part| {
        assert!(part.get("type").is_none_or(|name| name != "null"), "{part}");
        if let Some(target) = part.get("$ref").and_then(Value::as_str) {
            assert!(
                schema.pointer(target.trim_start_matches('#')).is_some(),
                "{target}"
            );
        }
        if part.get("properties").is_some() {
            assert_eq!(part["additionalProperties"], false, "unknown fields pass: {part}");
        }
    });
}
