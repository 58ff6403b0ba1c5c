//! What the scenes of all kinds have in common: calls to their emulator, and changes that are carried out as a plan is.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use keelson_aws_calls::{AwsCalls, CallSettings};
use keelson_provider_api::{Change, ClusterIdentity, Outcome, Progress, Provider, StepContext};
use keelson_test_hosts::Moto;

pub(crate) const REGION: &str = "eu-west-1";
/// In whose name calls are made where that says nothing.
pub(crate) const ANYBODY: &str = "AKIAKEELSON";
/// A step that is refused for a while is tried again by whoever carries a plan out.
const MOST_ATTEMPTS: u32 = 20;

/// Calls to `moto` by whoever has the key that is called `who`; one that is sent again waits so long at first.
pub(crate) fn calls_of(moto: &Moto, who: &str, first_backoff_ms: u64) -> AwsCalls {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let key = Credentials::new(who, "secret", None, None, "tests");
    AwsCalls::new(&CallSettings {
        endpoint: Some(format!("http://{}", moto.address)),
        first_backoff: Duration::from_millis(first_backoff_ms),
        ..CallSettings::new(REGION, SharedCredentialsProvider::new(key), http)
    })
}

/// How many calls `moto` has had, but those whose action begins with one of `reads`.
pub(crate) fn writes(moto: &Moto, reads: &[&str]) -> usize {
    let calls = moto.tell("GET", "calls?since=0", "").unwrap();
    let actions = calls.split("\"action\":").skip(1);
    let actions = actions.map(|action| action.trim_start().trim_start_matches('"'));
    actions
        .filter(|action| !reads.iter().any(|read| action.starts_with(read)))
        .count()
}

/// The first attempt of a step of `cluster`.
pub(crate) fn context(cluster: &ClusterIdentity) -> StepContext<'static> {
    StepContext {
        cluster: cluster.clone(),
        fencing_generation: 1,
        attempt: 0,
        progress: Progress::default(),
    }
}

/// Carries `change` out as a plan is carried out: what passes is tried again.
pub(crate) async fn carry_out(provider: &dyn Provider, cluster: &ClusterIdentity, change: &Change) {
    for _ in 0..MOST_ATTEMPTS {
        match provider.carry_out(&context(cluster), change).await {
            Outcome::Done => return,
            Outcome::Rejected(error) | Outcome::Indeterminate(error) => {
                assert!(error.class.may_pass(), "{change}: {error}");
            }
        }
    }
    unreachable!("{change} was tried {MOST_ATTEMPTS} times")
}

/// Asks by a form, as API references have them, for what keelson never asks for; gives the answer.
pub(crate) fn ask(moto: &Moto, host: &str, region_and_service: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(moto.address).unwrap();
    let scope = format!("AKIATESTS/20260101/{region_and_service}/aws4_request");
    let fields = format!(
        "Host: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\nContent-Length: {}",
        form.len()
    );
    write!(stream, "POST / HTTP/1.1\r\n{fields}\r\n\r\n{form}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.split(' ').nth(1), Some("200"), "{form}: {answer}");
    answer
}
