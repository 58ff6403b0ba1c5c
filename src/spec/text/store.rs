//! Where a cluster's state is kept.

use std::fmt;

use keelson_provider_api::values::{InvalidText, TextValue, clip, text_value};

use super::HttpUrl;
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

/// A bucket, the prefix of keelson's keys in it, and where its server is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// The prefix without slashes at its ends; empty for none.
    pub prefix: String,
    /// Its region, where the spec says it.
    pub region: Option<String>,
    /// Its server; `None` for that of AWS.
    pub endpoint: Option<HttpUrl>,
    /// The file with the authority of its server's certificate; a relative one is relative to the spec.
    pub ca: Option<String>,
}

impl Bucket {
    /// Its server's URL, where it is in `region`
    /// (<https://docs.aws.amazon.com/general/latest/gr/s3.html>, and for China
    /// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-Beijing.html>).
    pub fn server(&self, region: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.as_str().trim_end_matches('/').to_owned(),
            None if region.starts_with("cn-") => format!("https://s3.{region}.amazonaws.com.cn"),
            None => format!("https://s3.{region}.amazonaws.com"),
        }
    }

    /// Whether its name stands in the path and not in the server's name: no certificate is for a name with further dots, and
    /// few servers but AWS have names for buckets.
    pub fn has_path_style(&self) -> bool {
        self.endpoint.is_some() || self.name.contains('.')
    }
}

/// What may stand behind `?` of a bucket.
const PARAMETERS: &str = "known are region, endpoint and ca, as in s3://BUCKET?region=eu-central-1";

impl fmt::Display for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if !self.prefix.is_empty() {
            write!(formatter, "/{}", self.prefix)?;
        }
        let parameters = [
            ("region", self.region.as_deref()),
            ("endpoint", self.endpoint.as_ref().map(HttpUrl::as_str)),
            ("ca", self.ca.as_deref()),
        ];
        let given = parameters
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        for (number, (name, value)) in given.enumerate() {
            let sign = if number == 0 { '?' } else { '&' };
            write!(formatter, "{sign}{name}={value}")?;
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
pub(super) fn check_bucket_name(name: &str) -> Result<(), InvalidText> {
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
    Ok(())
}

fn parse_bucket(text: &str) -> Result<Bucket, InvalidText> {
    let (name, prefix) = text.split_once('/').unwrap_or((text, ""));
    check_bucket_name(name)?;
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
        region: None,
        endpoint: None,
        ca: None,
    })
}

/// A bucket, and behind `?` where its server is, as others write it too:
/// <https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3>.
fn parse_s3(text: &str) -> Result<Bucket, InvalidText> {
    let (place, parameters) = match text.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (text, None),
    };
    let mut bucket = parse_bucket(place)?;
    for parameter in parameters.into_iter().flat_map(|all| all.split('&')) {
        set(&mut bucket, parameter)?;
    }
    Ok(bucket)
}

fn set(bucket: &mut Bucket, parameter: &str) -> Result<(), InvalidText> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let is_there = match name {
        "" => {
            return Err(InvalidText::new(format!(
                "there is no parameter behind `?` or `&`; {PARAMETERS}"
            )));
        }
        "region" => bucket.region.is_some(),
        "endpoint" => bucket.endpoint.is_some(),
        "ca" => bucket.ca.is_some(),
        _ => {
            return Err(InvalidText::new(format!(
                "`{}` is no parameter of a bucket; {PARAMETERS}",
                clip(name)
            )));
        }
    };
    if is_there {
        return Err(InvalidText::new(format!("`{name}` is there twice; {PARAMETERS}")));
    }
    if value.is_empty() {
        return Err(InvalidText::new(format!("`{name}` is empty; {PARAMETERS}")));
    }
    match name {
        "region" => bucket.region = Some(parse_region(value)?),
        "endpoint" => bucket.endpoint = Some(parse_endpoint(value)?),
        _ => {
            check_path(value)?;
            bucket.ca = Some(value.to_owned());
        }
    }
    Ok(())
}

fn parse_region(text: &str) -> Result<String, InvalidText> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(InvalidText::new(format!(
        "`{}` is no region: letters, digits, - and _",
        clip(text)
    )))
}

fn parse_endpoint(text: &str) -> Result<HttpUrl, InvalidText> {
    let endpoint = HttpUrl::parse_text(text)?;
    if text.trim_end_matches('/').ends_with(endpoint.authority()) {
        return Ok(endpoint);
    }
    Err(InvalidText::new(format!(
        "`{}` has a path; the server of a bucket has none, and what stands before the paths of objects belongs behind the \
         bucket's name",
        clip(text)
    )))
}

impl TextValue for StateStore {
    const FORMAT: &'static str = "state-store";
    const EXPECTED: &'static str =
        "a directory, s3://BUCKET[/PREFIX][?region=REGION&endpoint=URL&ca=FILE] or spaces://BUCKET[/PREFIX]";
    const EXAMPLE: &'static str = "s3://example-clusters";

    fn parse_text(text: &str) -> Result<Self, InvalidText> {
        match text.split_once("://") {
            Some(("s3", bucket)) => parse_s3(bucket).map(Self::S3),
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
            "s3://example/a/b?region=eu-central-1",
            "s3://example?endpoint=https://minio.example.com:9000",
            "s3://example/a?region=us-east-1&endpoint=http://[fd00::1]:9000/&ca=./minio-ca.crt",
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
            "s3://abc?",
            "s3://abc?region",
            "s3://abc?region=",
            "s3://abc?region=eu/1",
            "s3://abc?region=a&region=b",
            "s3://abc?region=a&",
            "s3://abc?zone=a",
            "s3://abc?Region=a",
            "s3://abc?endpoint=minio.example.com:9000",
            "s3://abc?endpoint=https://minio.example.com/s3",
            "s3://abc?endpoint=https://u:p@minio.example.com",
            "s3://abc?ca=$(x)",
            "spaces://abc?region=a",
            "~",
            "~/x",
            "~operator/x",
        ] {
            assert!(wrong.parse::<StateStore>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_order_of_parameters_is_no_matter() {
        let one: StateStore = "s3://abc?ca=a.crt&region=r".parse().unwrap();
        assert_eq!(one.to_string(), "s3://abc?region=r&ca=a.crt");
        assert_eq!(one, "s3://abc/?region=r&ca=a.crt".parse().unwrap());
    }
}
