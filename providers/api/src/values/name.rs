//! Names of clusters and of things in them.

use std::fmt;

use super::cidr::clip;
use super::{InvalidText, TextValue, text_value};

/// A DNS label (RFC 1123): 1 to 63 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// A cluster's name: one or more DNS labels joined by dots, at most 100 characters, so that names made from it
/// (host names, tags, DNS records) stay inside their own limits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(String);

const LABEL_LIMIT_CHARS: usize = 63;
const CLUSTER_NAME_LIMIT_CHARS: usize = 100;

fn check_label(label: &str) -> Result<(), InvalidText> {
    let shown = clip(label);
    if label.is_empty() {
        return Err(InvalidText::new("it is empty"));
    }
    if label.len() > LABEL_LIMIT_CHARS {
        return Err(InvalidText::new(format!(
            "`{shown}` has {} characters, {LABEL_LIMIT_CHARS} is the limit",
            label.chars().count()
        )));
    }
    let allowed = |character: char| matches!(character, 'a'..='z' | '0'..='9' | '-');
    if let Some(wrong) = label.chars().find(|&character| !allowed(character)) {
        let wrong = wrong.escape_debug();
        return Err(InvalidText::new(format!(
            "`{shown}` contains `{wrong}`; only a-z, 0-9 and - may stand in a name"
        )));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(InvalidText::new(format!(
            "`{shown}` must begin and end with a letter or a digit"
        )));
    }
    Ok(())
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TextValue for Name {
    const FORMAT: &'static str = "name";
    const EXPECTED: &'static str = "a name of lower-case letters, digits and dashes";
    const EXAMPLE: &'static str = "workers";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        check_label(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for ClusterName {
    const FORMAT: &'static str = "cluster-name";
    const EXPECTED: &'static str = "a cluster name: DNS labels joined by dots";
    const EXAMPLE: &'static str = "prod.example.com";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        if text.len() > CLUSTER_NAME_LIMIT_CHARS {
            return Err(InvalidText::new(format!(
                "`{}` has {} characters, {CLUSTER_NAME_LIMIT_CHARS} is the limit",
                clip(text),
                text.chars().count()
            )));
        }
        if text.split('.').any(str::is_empty) && !text.is_empty() {
            return Err(InvalidText::new(format!(
                "`{}` has an empty part; dots stand between parts of a-z, 0-9 and -, one at a time",
                clip(text)
            )));
        }
        text.split('.').try_for_each(check_label)?;
        Ok(Self(text.to_owned()))
    }
}

text_value!(Name);
text_value!(ClusterName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        let table = [
            ("workers", true),
            ("a", true),
            ("9", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("-a", false),
            ("a-", false),
            ("a_b", false),
            ("A", false),
            ("a.b", false),
            ("../etc", false),
        ];
        for (text, valid) in table {
            assert_eq!(text.parse::<Name>().is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn cluster_names_are_labels_joined_by_dots() {
        for (text, valid) in [
            ("prod.example.com", true),
            ("prod", true),
            ("a..b", false),
            (".a", false),
            ("a.", false),
        ] {
            assert_eq!(text.parse::<ClusterName>().is_ok(), valid, "{text}");
        }
        assert!(
            ["a"; 51].join(".").parse::<ClusterName>().is_err(),
            "101 characters"
        );
    }
}
