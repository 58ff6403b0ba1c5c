//! Statements, put together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The version of the policy language
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
const VERSION: &str = "2012-10-17";

/// A condition: its operator, the key that it compares, and the values that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: &'static str,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Condition {
    pub(super) fn new(
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            operator,
            key: key.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

/// What is allowed. Grants of one name differ in no key of their conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// The name of the statement that it is part of.
    pub(super) name: &'static str,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) conditions: Vec<Condition>,
}

/// Operators, with the keys that they compare and the values that fit.
type Conditions = BTreeMap<&'static str, BTreeMap<String, BTreeSet<String>>>;

#[derive(Debug, Default)]
struct Statement {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
    conditions: Conditions,
}

/// A policy. What has one name is one statement, so that a policy is no longer than it has to be: AWS bounds its length.
#[derive(Debug, Default)]
pub(super) struct Document(BTreeMap<&'static str, Statement>);

impl Document {
    /// Allows nothing where there is nothing that it could be allowed on: IAM refuses a statement without resources.
    pub(super) fn allow(&mut self, grant: Grant) {
        if grant.resources.is_empty() {
            return;
        }
        let statement = self.0.entry(grant.name).or_default();
        statement.actions.extend(grant.actions);
        statement.resources.extend(grant.resources);
        for condition in grant.conditions {
            let keys = statement.conditions.entry(condition.operator).or_default();
            keys.entry(condition.key).or_default().extend(condition.values);
        }
    }

    pub(super) fn allow_all(&mut self, grants: impl IntoIterator<Item = Grant>) {
        for grant in grants {
            self.allow(grant);
        }
    }

    /// As IAM takes it, in order.
    pub(super) fn written(&self) -> Value {
        let statements = self.0.iter().map(|(name, statement)| {
            let mut written = Map::from_iter([
                ("Sid".to_owned(), json!(name)),
                ("Effect".to_owned(), json!("Allow")),
                ("Action".to_owned(), json!(statement.actions)),
                ("Resource".to_owned(), json!(statement.resources)),
            ]);
            if !statement.conditions.is_empty() {
                written.insert("Condition".to_owned(), json!(statement.conditions));
            }
            Value::Object(written)
        });
        json!({ "Version": VERSION, "Statement": statements.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(actions: &[&str], resource: &str, tags: &[&str]) -> Grant {
        Grant {
            name: "One",
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
            resources: vec![resource.to_owned()],
            conditions: vec![Condition::new("StringEquals", "aws:TagKeys", tags.to_vec())],
        }
    }

    #[test]
    fn what_has_one_name_is_one_statement_in_order_and_nothing_stands_there_twice() {
        let mut document = Document::default();
        document.allow(grant(&["b:B", "a:A"], "two", &["y"]));
        document.allow(grant(&["a:A"], "one", &["x", "y"]));
        let plain = Grant {
            name: "Everything",
            conditions: Vec::new(),
            ..grant(&["c:C"], "*", &[])
        };
        document.allow(plain);
        let of_nothing = Grant {
            name: "Nothing",
            resources: Vec::new(),
            ..grant(&["d:D"], "*", &[])
        };
        document.allow(of_nothing);
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Sid": "Everything", "Effect": "Allow", "Action": ["c:C"], "Resource": ["*"] },
                {
                    "Sid": "One",
                    "Effect": "Allow",
                    "Action": ["a:A", "b:B"],
                    "Resource": ["one", "two"],
                    "Condition": { "StringEquals": { "aws:TagKeys": ["x", "y"] } },
                },
            ],
        });
        assert_eq!(document.written(), expected);
    }
}
