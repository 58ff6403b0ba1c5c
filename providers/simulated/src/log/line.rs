//! The lines of a log: what they say, and the check that each begins with.

use std::fmt::Display;

use jiff::Timestamp;
use keelson_provider_api::values::Digest;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::options::Like;
use crate::world::Effect;

/// The length of a line's check, in hexadecimal digits.
const CHECK_DIGITS: usize = 16;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Header {
    pub format: u32,
    pub like: Like,
    /// Changes whenever the log is rewritten, so that others notice.
    pub epoch: u64,
}

/// Every other line: one transaction.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub at: Timestamp,
    #[serde(rename = "do")]
    pub effects: Vec<Effect>,
}

/// Appends `line` to `text` and gives its check; the line before it has the check `before`.
pub(super) fn push<T: Serialize>(text: &mut Vec<u8>, before: &str, line: &T) -> String {
    // Writing to memory cannot fail, and no map in a line has keys that are no strings.
    let body = serde_json::to_vec(line).unwrap_or_default();
    let check = check_of(before, &body);
    text.extend_from_slice(check.as_bytes());
    text.push(b' ');
    text.extend_from_slice(&body);
    text.push(b'\n');
    check
}

/// What the line `text` says, and its check; the line before it has the check `before`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8], before: &str) -> Result<(T, String), String> {
    let words = |problem: &dyn Display| problem.to_string();
    let (check, body) = text.split_at_checked(CHECK_DIGITS).unwrap_or_default();
    let body = body.trim_ascii();
    // First whether it is JSON at all: that tells more than a check that does not fit.
    serde_json::from_slice::<IgnoredAny>(body).map_err(|problem| words(&problem))?;
    let expected = check_of(before, body);
    if check != expected.as_bytes() {
        return Err("it, or a line before it, was changed, removed or repeated".to_owned());
    }
    let value = serde_json::from_slice(body).map_err(|problem| words(&problem))?;
    Ok((value, expected))
}

fn check_of(before: &str, body: &[u8]) -> String {
    Digest::of_bytes(&[before.as_bytes(), b"\n", body].concat()).short(CHECK_DIGITS)
}
