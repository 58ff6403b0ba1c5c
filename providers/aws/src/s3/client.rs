//! The SDK's client: TLS, time limits, retries.
//!
//! Nothing is read from the environment, unless it is the environment that is to say who asks.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::settings::{S3Credentials, S3Settings, SettingsError};

/// A server that is there takes a connection in less, also one on another continent.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How often a request is sent at most: once, and again after an answer that passes (connections that break, 500, 502,
/// 503, 504, throttling).
const ATTEMPTS: u32 = 5;
const FIRST_BACKOFF: Duration = Duration::from_millis(300);
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// A stream that moves less than a byte a second for so long is cut, and goes on on another connection.
const STALL_LIMIT: Duration = Duration::from_secs(20);
/// All attempts together may take as long as so many answers.
const ANSWERS_PER_REQUEST: u32 = 4;

/// Clients of one server, which share their connections.
#[derive(Clone)]
pub(super) struct Clients {
    /// For requests that carry next to nothing.
    pub(super) small: Client,
    /// For those that carry data.
    pub(super) large: Client,
}

pub(super) fn clients(settings: &S3Settings) -> Result<Clients, SettingsError> {
    let http = http_client(settings)?;
    let client = |limit| Client::from_conf(config(settings, http.clone(), limit));
    Ok(Clients {
        small: client(settings.answer_limit),
        large: client(settings.data_limit),
    })
}

fn config(settings: &S3Settings, http: SharedHttpClient, limit: Duration) -> Config {
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        // A name with dots is no name that a certificate for all buckets covers.
        .force_path_style(settings.path_style || settings.bucket.contains('.'))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_BACKOFF)
                .with_max_backoff(LONGEST_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_LIMIT.min(limit))
                .read_timeout(limit)
                .operation_attempt_timeout(limit)
                .operation_timeout(limit.saturating_mul(ANSWERS_PER_REQUEST))
                .build(),
        )
        .stalled_stream_protection(
            StalledStreamProtectionConfig::enabled()
                .grace_period(STALL_LIMIT.min(limit))
                .build(),
        );
    config.set_endpoint_url(settings.endpoint.clone());
    match &settings.credentials {
        S3Credentials::Key(key) => {
            config.set_credentials_provider(Some(SharedCredentialsProvider::new(key.credentials())));
        }
        S3Credentials::Access(access) => {
            if let Some((provider, cache)) = access.provider(&settings.region) {
                config.set_credentials_provider(Some(provider));
                config.set_identity_cache(cache);
            }
        }
    }
    config.build()
}

fn http_client(settings: &S3Settings) -> Result<SharedHttpClient, SettingsError> {
    let is_plain = settings
        .endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    let trust = match &settings.authorities {
        Some(pem) => {
            check_authorities(pem)?;
            TrustStore::empty().with_pem_certificate(pem.as_bytes())
        }
        // No certificate is ever looked at.
        None if is_plain => TrustStore::empty(),
        None => TrustStore::default(),
    };
    with_trust(trust)
}

/// A client that trusts whom the system trusts.
pub(crate) fn default_http_client() -> Result<SharedHttpClient, SettingsError> {
    with_trust(TrustStore::default())
}

fn with_trust(trust: TrustStore) -> Result<SharedHttpClient, SettingsError> {
    let wrong = |error: aws_smithy_http_client::HttpClientError| SettingsError {
        setting: "authorities",
        problem: error.to_string(),
    };
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(wrong)?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

/// The HTTP client takes for granted that these are certificates, and panics when they are not.
fn check_authorities(pem: &str) -> Result<(), SettingsError> {
    let wrong = |problem: String| SettingsError {
        setting: "authorities",
        problem,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(format!("they are not PEM: {error}")))?;
        let added = roots.add(certificate);
        added.map_err(|error| wrong(format!("one of them is no certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is no certificate in them".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused_and_not_a_panic() {
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n%%%", cut] {
            let refused = check_authorities(pem).unwrap_err();
            assert_eq!(refused.setting, "authorities", "{pem}");
        }
    }
}
