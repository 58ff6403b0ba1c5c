//! Where a cluster's state is kept.

use std::fmt;

use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

use super::words::check_path;

/// The place of a cluster's keys, bundles and backups: a directory, an S3 bucket or a DigitalOcean Spaces bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateStore {
    /// A directory on the machine that runs keelson; a relative one is relative to the spec.
    Directory(String),
    /// An S3 bucket.
    S3(Bucket),
    /// A DigitalOcean Spaces bucket.
    Spaces(Bucket),
}

/// A bucket and the prefix of keelson's keys in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// The prefix without slashes at its ends; empty for none.
    pub prefix: String,
}

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if !self.prefix.is_empty() {
            write!(formatter, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

impl fmt::Display for StateStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => formatter.write_str(path),
            Self::S3(bucket) => write!(formatter, "s3://{bucket}"),
            Self::Spaces(bucket) => write!(formatter, "spaces://{bucket}"),
        }
    }
}

/// Bucket naming rules: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>. Spaces has the
/// same ones.
fn parse_bucket(text: &str) -> Result<Bucket, InvalidText> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    if name.is_empty() {
        return Err(InvalidText::new("the bucket has no name"));
    }
    if !(3..=63).contains(&bytes.len()) || !bytes.iter().copied().all(allowed) {
        return Err(InvalidText::new(format!(
            "`{}` is not a bucket name: 3 to 63 of a-z, 0-9, - and .",
            clip(name)
        )));
    }
    if !edge(bytes.first()) || !edge(bytes.last()) || name.contains("..") {
        return Err(InvalidText::new(format!(
            "the bucket name `{}` must begin and end with a letter or a digit, and dots must not touch",
            clip(name)
        )));
    }
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty() {
        check_path(prefix)?;
        if prefix
            .split('/')
            .any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err(InvalidText::new(format!(
                "the prefix `{}` has an empty part, `.` or `..`",
                clip(prefix)
            )));
        }
    }
    Ok(Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
    })
}

impl TextValue for StateStore {
    const FORMAT: &'static str = "state-store";
    const EXPECTED: &'static str = "a directory, s3://BUCKET[/PREFIX] or spaces://BUCKET[/PREFIX]";
    const EXAMPLE: &'static str = "s3://example-clusters";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        match text.split_once("://") {
            Some(("s3", bucket)) => parse_bucket(bucket).map(Self::S3),
            Some(("spaces", bucket)) => parse_bucket(bucket).map(Self::Spaces),
            Some((scheme, _)) => Err(InvalidText::new(format!(
                "`{}://` is not a kind of state store",
                clip(scheme)
            ))),
            None if text.starts_with('~') => Err(InvalidText::new(format!(
                "`{}` begins with `~`, which only a shell takes for your home directory; write it out, as in `/home/…`, or \
                 a path relative to the spec",
                clip(text)
            ))),
            None => {
                check_path(text)?;
                Ok(Self::Directory(text.to_owned()))
            }
        }
    }
}

text_value!(StateStore);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_read_and_print() {
        for text in [
            ".keelson",
            "/var/lib/keelson",
            "s3://example-clusters",
            "s3://example/a/b",
            "spaces://abc",
            "a/~b",
        ] {
            let store: StateStore = text.parse().unwrap();
            assert_eq!(store.to_string(), text);
        }
        for wrong in [
            "",
            "s3://",
            "s3://A",
            "gs://bucket",
            "s3://abc/../d",
            "a b",
            "s3://abc/$(x)",
            "s3://a..b",
            "~",
            "~/x",
            "~operator/x",
        ] {
            assert!(wrong.parse::<StateStore>().is_err(), "{wrong}");
        }
    }
}
