//! An emulator of AWS, and clients of it.

use std::net::Ipv4Addr;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use keelson_aws_calls::{AwsCalls, CallSettings};
use keelson_test_hosts::Moto;

/// moto, and clients of it that do not wait long before they try again.
pub(crate) struct Emulator {
    pub(crate) moto: Moto,
    pub(crate) calls: AwsCalls,
}

impl Emulator {
    /// Starts one; none, after saying so, where there is no moto on this machine.
    pub(crate) fn start_or_skip(test: &str) -> Option<Self> {
        let moto = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), "clusters", &[]).unwrap()?;
        let calls = AwsCalls::new(&settings(format!("http://{}", moto.address)));
        Some(Self { moto, calls })
    }

    /// Makes trouble: a rule for `faults` (`tests/hosts/scripts/aws/faults.py`).
    pub(crate) fn trouble(&self, rule: &str) {
        self.moto.tell("POST", "faults", rule).unwrap();
    }
}

pub(crate) fn settings(endpoint: String) -> CallSettings {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let nobody =
        SharedCredentialsProvider::new(Credentials::new("AKIAKEELSON", "secret", None, None, "tests"));
    CallSettings {
        endpoint: Some(endpoint),
        first_backoff: Duration::from_millis(20),
        ..CallSettings::new("eu-west-1", nobody, http)
    }
}
