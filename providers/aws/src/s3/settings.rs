//! Which bucket, where, and who asks.

use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use keelson_provider_api::values::Secret;

use crate::access::AwsAccess;

/// A bucket, the part of it that is ours, and how to get at it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the path of every object, without slashes at its ends; empty for the whole bucket.
    pub prefix: String,
    /// Where the server is, with its scheme, for example `https://minio.example.com:9000`; `None` for AWS itself.
    pub endpoint: Option<String>,
    /// The bucket's region, for example `eu-central-1`. A server that has none takes any, mostly `us-east-1`.
    pub region: String,
    /// Whether the bucket's name stands in the path, as servers without a name in the DNS for each bucket want it, and
    /// not in the server's name.
    pub path_style: bool,
    /// Who asks.
    pub credentials: S3Credentials,
    /// Certificates of authorities, PEM. Where there are some, they are trusted and no others; otherwise the system's.
    pub authorities: Option<String>,
    /// After how long without an answer a small request is sent again: [`S3Settings::ANSWER_LIMIT`], as a rule.
    pub answer_limit: Duration,
    /// The same for a request that carries data: [`S3Settings::DATA_LIMIT`], as a rule.
    pub data_limit: Duration,
}

impl S3Settings {
    /// Long enough for a server that is loaded.
    pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);
    /// For state: a lease that lasts half a minute is renewed, although an answer is lost.
    pub const STATE_ANSWER_LIMIT: Duration = Duration::from_secs(8);
    /// 16 MiB in five minutes is half a megabit a second.
    pub const DATA_LIMIT: Duration = Duration::from_secs(300);
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum S3Credentials {
    /// Whoever has this key.
    Key(AccessKey),
    /// Whoever is found out when the first request is to be signed.
    Access(AwsAccess),
}

impl S3Credentials {
    /// The name of the key, for people, as far as it is known.
    pub(super) fn key_id(&self) -> String {
        match self {
            Self::Key(key) => key.access_key_id.clone(),
            Self::Access(access) => access.key_id().unwrap_or_else(|| "of the environment".to_owned()),
        }
    }
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The key's name, which is no secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret<String>,
    /// What comes with a key that expires.
    pub session_token: Option<Secret<String>>,
}

impl AccessKey {
    /// The same as the SDK takes it.
    pub(crate) fn credentials(&self) -> Credentials {
        let token = self.session_token.as_ref();
        Credentials::new(
            self.access_key_id.clone(),
            self.secret_access_key.expose().clone(),
            token.map(|token| token.expose().clone()),
            None,
            "keelson",
        )
    }
}

/// A setting that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} of the bucket: {problem}")]
pub struct SettingsError {
    /// The field of [`S3Settings`].
    pub setting: &'static str,
    /// What is wrong with it, and what it should be.
    pub problem: String,
}

/// The limits of a bucket's name: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
const BUCKET_LENGTHS: std::ops::RangeInclusive<usize> = 3..=63;

/// Finds what cannot be right before anything is asked.
pub(super) fn check(settings: &S3Settings) -> Result<(), SettingsError> {
    let wrong = |setting, problem: String| Err(SettingsError { setting, problem });
    let bucket = &settings.bucket;
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_name = BUCKET_LENGTHS.contains(&bucket.len())
        && bucket
            .chars()
            .all(|character| is_plain(character) || "-.".contains(character))
        && bucket.starts_with(is_plain)
        && bucket.ends_with(is_plain);
    if !is_name {
        return wrong(
            "bucket",
            format!("`{bucket}` is no name of one: 3 to 63 small letters, digits, dots and hyphens"),
        );
    }
    if !settings.prefix.is_empty()
        && let Some(problem) = super::keys::problem_of(&settings.prefix)
    {
        return wrong("prefix", problem.to_owned());
    }
    if let Some(endpoint) = &settings.endpoint {
        let rest = endpoint
            .strip_prefix("https://")
            .or_else(|| endpoint.strip_prefix("http://"));
        let host = rest.map(|rest| rest.trim_end_matches('/'));
        let is_address = |host: &str| {
            let strange = |character: char| character.is_whitespace() || "/?#@".contains(character);
            !host.is_empty() && !host.contains(strange)
        };
        if !host.is_some_and(is_address) {
            // Whoever has put a key into it is not shown it again in a log.
            let problem = "it is not of the form https://HOST or https://HOST:PORT";
            return wrong("endpoint", problem.to_owned());
        }
    }
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|each| each.is_ascii_graphic());
    if !is_word(&settings.region) {
        return wrong("region", "it is empty or has blanks in it".to_owned());
    }
    match &settings.credentials {
        S3Credentials::Access(access) if access.is_nobody() => {
            return wrong("credentials", "nobody is named who asks for it".to_owned());
        }
        S3Credentials::Access(_) => {}
        S3Credentials::Key(key) => {
            if !is_word(&key.access_key_id) {
                return wrong("access key id", "it is empty or has blanks in it".to_owned());
            }
            if !is_word(key.secret_access_key.expose()) {
                return wrong("secret access key", "it is empty or has blanks in it".to_owned());
            }
        }
    }
    if settings.answer_limit.is_zero() || settings.data_limit.is_zero() {
        return wrong("answer limit", "nobody answers in no time".to_owned());
    }
    Ok(())
}
