//! Policies as IAM answers them: JSON, encoded as in a URL (RFC 3986).

use serde_json::Value;

use crate::failure::CallError;

/// The policy in an answer of `action`.
pub(super) fn decoded(action: &'static str, document: &str) -> Result<Value, CallError> {
    let plain = without_percents(document).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    plain.ok_or_else(|| CallError::strange(action, "policy that can be read"))
}

fn without_percents(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_as_they_were_encoded() {
        let cases = [
            ("%7B%22a%22%3A%20%22b%2Bc%25%22%7D", Some(json!({ "a": "b+c%" }))),
            (r#"{"a":"b+c"}"#, Some(json!({ "a": "b+c" }))),
            ("%7b%7D", Some(json!({}))),
            ("%7", None),
            ("%+1", None),
            ("%zz", None),
            ("", None),
        ];
        for (document, expected) in cases {
            assert_eq!(decoded("GetRolePolicy", document).ok(), expected, "{document}");
        }
    }
}
