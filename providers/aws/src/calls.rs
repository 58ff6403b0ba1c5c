//! The calls of a cluster's providers, in the name of whoever asks.

use keelson_aws_calls::{AwsCalls, CallSettings};

use crate::access::AwsAccess;
use crate::s3::{SettingsError, default_http_client};

/// Calls to AWS in `region` in the name of `access`; to `endpoint`, where a server stands for all of AWS. Nobody is asked yet.
///
/// # Errors
/// When nobody asks, or the authorities that the system trusts cannot be read.
pub fn calls(access: &AwsAccess, region: &str, endpoint: Option<String>) -> Result<AwsCalls, SettingsError> {
    let (credentials, cache) = access.provider(region).ok_or_else(|| SettingsError {
        setting: "credentials",
        problem: "nobody has said in whose name AWS is asked".to_owned(),
    })?;
    let settings = CallSettings {
        endpoint,
        identity_cache: Some(cache),
        ..CallSettings::new(region, credentials, default_http_client()?)
    };
    Ok(AwsCalls::new(&settings))
}
