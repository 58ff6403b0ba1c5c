//! What a list is to hold.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;

use crate::mark::CLUSTER;

/// What a list is to hold: all filters must fit, and of each filter one value.
///
/// Things are found by filters, also those whose ids are known: what is not there is then not in the list, where naming it in
/// the call makes EC2 refuse the whole call. EC2 takes 200 values at most
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    values: BTreeMap<String, Vec<String>>,
}

impl Filters {
    /// What has the mark of the cluster's life `uid`.
    pub fn of_cluster(uid: &str) -> Self {
        Self::default().with_tag(CLUSTER, uid)
    }

    /// What is in the VPC `id`; EC2 has this filter for subnets, NAT gateways, route tables, security groups, interfaces and
    /// instances.
    pub fn in_vpc(id: &str) -> Self {
        Self::default().with("vpc-id", [id])
    }

    /// And has the tag `key` with this very `value`.
    #[must_use]
    pub fn with_tag(self, key: &str, value: &str) -> Self {
        self.with(&format!("tag:{key}"), [value])
    }

    /// And has one of `values` as what EC2 calls `name`, for example `subnet-id`.
    #[must_use]
    pub fn with<V: AsRef<str>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values
            .into_iter()
            .map(|value| literally(value.as_ref()))
            .collect();
        self.values.insert(name.to_owned(), values);
        self
    }

    /// As EC2 takes them; none when nothing can fit, since a filter has no values.
    pub(super) fn written(&self) -> Option<Vec<Filter>> {
        self.values
            .iter()
            .map(|(name, values)| {
                let filter = Filter::builder().name(name).set_values(Some(values.clone()));
                (!values.is_empty()).then(|| filter.build())
            })
            .collect()
    }
}

/// EC2 takes `*` and `?` for any characters, unless a backslash is before them.
fn literally(value: &str) -> String {
    let mut literal = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            literal.push('\\');
        }
        literal.push(character);
    }
    literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_with_values_that_stand_for_themselves() {
        let pairs = |filters: &Filters| -> Option<Vec<(String, Vec<String>)>> {
            let written = filters.written()?;
            let pair = |filter: Filter| (filter.name.unwrap(), filter.values.unwrap());
            Some(written.into_iter().map(pair).collect())
        };
        let pair = |name: &str, values: &[&str]| {
            (
                name.to_owned(),
                values.iter().copied().map(str::to_owned).collect(),
            )
        };
        let cases = [
            (Filters::default(), Some(vec![])),
            (
                Filters::of_cluster("u1"),
                Some(vec![pair("tag:keelson.dev/cluster", &["u1"])]),
            ),
            (Filters::in_vpc("vpc-1"), Some(vec![pair("vpc-id", &["vpc-1"])])),
            (
                Filters::in_vpc("vpc-1").with_tag("a", r"*?\x"),
                Some(vec![pair("tag:a", &[r"\*\?\\x"]), pair("vpc-id", &["vpc-1"])]),
            ),
            (
                Filters::default().with("subnet-id", ["a", "b"]),
                Some(vec![pair("subnet-id", &["a", "b"])]),
            ),
            (Filters::of_cluster("u1").with("subnet-id", [""; 0]), None),
        ];
        for (filters, expected) in cases {
            assert_eq!(pairs(&filters), expected, "{filters:?}");
        }
    }
}
