//! Whoever is found out when the first request is to be signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use keelson_provider_api::{Precondition, Store, with_causes};
use keelson_provider_aws::{AwsAccess, S3Credentials, S3Settings};

use crate::emulator::{ACCESS_KEY, Emulator, SECRET, key, settings, store};

/// Somebody who counts how often they are asked.
#[derive(Debug, Clone)]
struct Counting {
    asked: Arc<AtomicU32>,
    says: Option<(&'static str, &'static str)>,
}

impl ProvideCredentials for Counting {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self
            .says
            .map(|(id, secret)| aws_credential_types::Credentials::new(id, secret, None, None, "tests"));
        future::ProvideCredentials::ready(
            found.ok_or_else(|| CredentialsError::not_loaded("nobody is at home")),
        )
    }
}

fn access(says: Option<(&'static str, &'static str)>) -> (AwsAccess, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counting = Counting {
        asked: Arc::clone(&asked),
        says,
    };
    let access = AwsAccess::of_provider(SharedCredentialsProvider::new(counting), None);
    (access, asked)
}

fn with_access(settings: S3Settings, access: &AwsAccess) -> S3Settings {
    S3Settings {
        credentials: S3Credentials::Access(access.clone()),
        ..settings
    }
}

#[tokio::test]
async fn one_question_is_enough_for_all_stores_and_requests() {
    let test = "aws::access::one_question_is_enough_for_all_stores_and_requests";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let (access, asked) = access(Some((ACCESS_KEY, SECRET)));
    let one = store(&with_access(emulator.settings("one"), &access));
    let two = store(&with_access(emulator.settings("two"), &access));
    assert_eq!(
        asked.load(Ordering::Relaxed),
        0,
        "nobody is asked before there is a request"
    );
    for store in [&one, &two] {
        let large = vec![7; 100_000];
        store.write("small", b"1", Precondition::Absent).await.unwrap();
        store.write("large", &large, Precondition::Absent).await.unwrap();
        assert_eq!(store.read("large").await.unwrap().unwrap().content, large);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refusal_names_the_key_that_was_found() {
    let test = "aws::access::a_refusal_names_the_key_that_was_found";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let (access, _) = access(Some((ACCESS_KEY, "wrong-secret")));
    let error = store(&with_access(emulator.settings("state"), &access))
        .list("")
        .await;
    let told = with_causes(&error.unwrap_err());
    assert!(
        told.contains("the secret is not that of the access key AKIAKEELSON"),
        "{told}"
    );
    assert!(!told.contains("wrong-secret"), "{told}");
}

#[tokio::test]
async fn without_anybody_nothing_is_asked() {
    let (access, asked) = access(None);
    // Nobody listens there: a request would be told in other words.
    let error = store(&with_access(settings("http://127.0.0.1:1", "state"), &access))
        .read("a")
        .await;
    let told = with_causes(&error.unwrap_err());
    for words in [
        "cannot read a in s3://clusters/state",
        "set AWS_PROFILE",
        "nobody is at home",
    ] {
        assert!(told.contains(words), "{told}");
    }
    assert_eq!(
        asked.load(Ordering::Relaxed),
        1,
        "what is not there is not asked for again"
    );
}

#[tokio::test]
async fn a_region_is_known_where_it_was_given() {
    assert_eq!(AwsAccess::default().region().await, None);
    assert_eq!(AwsAccess::of_key(&key(), None).region().await, None);
    let region = Some("eu-west-1".to_owned());
    assert_eq!(AwsAccess::of_key(&key(), region.clone()).region().await, region);
}
