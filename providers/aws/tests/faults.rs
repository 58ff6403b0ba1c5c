//! Servers that fail, answers that are lost, and words about what stays wrong.

use std::time::Duration;

use jiff::SignedDuration;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::values::Secret;
use keelson_provider_api::{BulkStore, Clock, Precondition, Store, StoreError, with_causes};
use keelson_provider_aws::{AwsAccess, S3Credentials, S3Settings};

use crate::emulator::{BUCKET, Emulator, SECRET, key_in, settings, store};
use crate::proxy::Trouble;

fn slow_down() -> Trouble {
    Trouble::Answer(503, "", "<Error><Code>SlowDown</Code></Error>".to_owned())
}

fn failed() -> Trouble {
    Trouble::Answer(500, "", "<Error><Code>InternalError</Code></Error>".to_owned())
}

#[tokio::test]
async fn what_passes_is_not_told() {
    let test = "aws::faults::what_passes_is_not_told";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    for trouble in [slow_down(), failed(), Trouble::LoseAnswer] {
        for method in ["PUT", "GET", "HEAD", "POST"] {
            emulator.proxy.trouble(method, "", 2, trouble.clone());
        }
        let first = store.write("a", b"1", Precondition::Absent).await.unwrap();
        let second = store
            .write("a", b"2", Precondition::Version(first))
            .await
            .unwrap();
        assert_eq!(store.read("a").await.unwrap().unwrap().content, b"2");
        assert_eq!(store.list("").await.unwrap(), ["a"]);
        assert_eq!(store.size("a").await.unwrap(), Some(1));
        emulator.proxy.trouble("DELETE", "/a", 2, trouble.clone());
        store.delete("a", Precondition::Version(second)).await.unwrap();
        assert_eq!(store.read("a").await.unwrap(), None);
        emulator.proxy.forgive();
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_no_conflict_and_another_ones_is() {
    let test = "aws::faults::a_write_whose_answer_is_lost_is_no_conflict_and_another_ones_is";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    let lose = || emulator.proxy.trouble("PUT", "/lease", 1, Trouble::LoseAnswer);
    lose();
    let first = store.write("lease", b"held", Precondition::Absent).await.unwrap();
    // The same content by somebody else: it is held, and not by us.
    let again = store.write("lease", b"held", Precondition::Absent).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    lose();
    let second = store
        .write("lease", b"held longer", Precondition::Version(first.clone()))
        .await
        .unwrap();
    assert_eq!(store.read("lease").await.unwrap().unwrap().version, second);
    lose();
    let stale = store.write("lease", b"mine", Precondition::Version(first)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    // Gone already, and nothing of ours was lost: somebody else has deleted it.
    let gone = "<Error><Code>NoSuchKey</Code></Error>".to_owned();
    emulator
        .proxy
        .trouble("DELETE", "/lease", 1, Trouble::Answer(404, "", gone));
    let deleted = store.delete("lease", Precondition::Version(second)).await;
    assert!(matches!(deleted, Err(StoreError::Conflict { .. })), "{deleted:?}");
}

#[tokio::test]
async fn somebody_who_writes_at_the_same_moment_is_waited_for() {
    let test = "aws::faults::somebody_who_writes_at_the_same_moment_is_waited_for";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    let race = || {
        Trouble::Answer(
            409,
            "",
            "<Error><Code>ConditionalRequestConflict</Code></Error>".to_owned(),
        )
    };
    emulator.proxy.trouble("PUT", "/a", 3, race());
    store.write("a", b"1", Precondition::Absent).await.unwrap();
    emulator.proxy.trouble("PUT", "/a", 100, race());
    let never = store.write("a", b"1", Precondition::Absent).await;
    assert!(matches!(never, Err(StoreError::Conflict { .. })), "{never:?}");
    emulator.proxy.trouble("POST", "uploadId", 2, race());
    emulator.proxy.trouble("POST", "uploadId", 1, Trouble::LoseAnswer);
    let mut writer = store.begin("large").await.unwrap();
    let piece = vec![1; 1 << 20];
    for _ in 0..17 {
        writer.write(&piece).await.unwrap();
    }
    writer.finish().await.unwrap();
    assert_eq!(store.size("large").await.unwrap(), Some(17 << 20));
    assert_eq!(emulator.uploads(), 0);
}

#[tokio::test]
async fn a_part_that_cannot_be_written_ends_the_object() {
    let test = "aws::faults::a_part_that_cannot_be_written_ends_the_object";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    let refused = "<Error><Code>AccessDenied</Code></Error>".to_owned();
    emulator
        .proxy
        .trouble("PUT", "partNumber=2", 1, Trouble::Answer(403, "", refused));
    let mut writer = store.begin("a").await.unwrap();
    let piece = vec![1; 1 << 20];
    let mut written = Ok(());
    for _ in 0..100 {
        written = writer.write(&piece).await;
        if written.is_err() {
            break;
        }
    }
    assert!(
        matches!(written, Err(StoreError::Unavailable { verb: "write", .. })),
        "{written:?}"
    );
    writer.write(&piece).await.unwrap_err();
    writer.finish().await.unwrap_err();
    assert_eq!(emulator.uploads(), 0);
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_stays_wrong_is_told_with_what_to_do() {
    let test = "aws::faults::what_stays_wrong_is_told_with_what_to_do";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let no_bucket = S3Settings {
        bucket: "no-such-bucket".to_owned(),
        ..emulator.settings("")
    };
    expect_words(
        &no_bucket,
        "there is no bucket no-such-bucket at http://127.0.0.1",
    )
    .await;
    let mut wrong_secret = emulator.settings("");
    key_in(&mut wrong_secret).secret_access_key = Secret::new("wrong-secret".to_owned());
    // An answer to HEAD has no body, so it says only that it is forbidden.
    let error = store(&wrong_secret).list("").await.unwrap_err();
    let told = with_causes(&error);
    assert!(
        told.contains("the secret is not that of the access key AKIAKEELSON"),
        "{told}"
    );
    assert!(!told.contains("wrong-secret"), "{told}");
    let region = "x-amz-bucket-region: eu-west-1\r\n";
    let moved = "<Error><Code>PermanentRedirect</Code></Error>".to_owned();
    for method in ["GET", "HEAD"] {
        emulator
            .proxy
            .trouble(method, "", 100, Trouble::Answer(301, region, moved.clone()));
    }
    expect_words(
        &emulator.settings(""),
        "is in the region eu-west-1 and not in us-east-1: set the region",
    )
    .await;
    emulator.proxy.forgive();
    let page = || Trouble::Answer(200, "", "<html>Welcome</html>".to_owned());
    emulator.proxy.trouble("GET", "", 100, page());
    emulator.proxy.trouble("HEAD", "", 100, page());
    expect_words(&emulator.settings(""), "does not answer as S3 does").await;
    emulator.proxy.forgive();
    // A server that is no store has nothing at these addresses: that is not an empty store.
    let missing = || Trouble::Answer(404, "", "<html>Not found</html>".to_owned());
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        emulator.proxy.trouble(method, "", 100, missing());
    }
    expect_words(&emulator.settings(""), "the endpoint").await;
    let store = store(&emulator.settings(""));
    store.write("a", b"1", Precondition::Absent).await.unwrap_err();
    store.delete("a", Precondition::None).await.unwrap_err();
    assert_eq!(emulator.uploads(), 0);
}

/// Everything that is asked of such a bucket ends with these words.
async fn expect_words(settings: &S3Settings, words: &str) {
    let store = store(settings);
    let errors = [
        ("read", store.read("a").await.map(drop)),
        ("size", store.size("a").await.map(drop)),
        ("list", store.list("a").await.map(drop)),
        ("open", store.open("a").await.map(drop)),
        ("begin", store.begin("a").await.map(drop)),
    ];
    for (deed, end) in errors {
        let error = end.expect_err(deed);
        assert!(
            matches!(error, StoreError::Unavailable { .. }),
            "{deed}: {error:?}"
        );
        let told = with_causes(&error);
        assert!(told.contains(words), "{deed}: {told}");
        assert!(
            told.contains(&format!("in s3://{}", settings.bucket)),
            "{deed}: {told}"
        );
        assert!(!told.contains(SECRET), "{deed}: {told}");
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_server_that_is_not_there() {
    // A port that nobody is given, and a network for documentation: nothing is there, and routers drop what goes there.
    for (endpoint, words) in [
        ("http://127.0.0.1:1", "there is no connection to http://127.0.0.1"),
        ("http://192.0.2.1:9000", "http://192.0.2.1:9000"),
        ("http://no-such-server.invalid", "there is no connection to"),
    ] {
        let begun = SystemClock.now();
        let error = store(&settings(endpoint, "state")).read("a").await.unwrap_err();
        let told = with_causes(&error);
        assert!(told.contains(words), "{told}");
        assert!(
            told.starts_with(&format!("cannot read a in s3://{BUCKET}/state")),
            "{told}"
        );
        let took = begun.duration_until(SystemClock.now());
        assert!(took < SignedDuration::from_secs(60), "{endpoint}: {took}");
    }
}

#[tokio::test]
async fn nobody_waits_long_for_a_server_that_says_nothing() {
    let test = "aws::faults::nobody_waits_long_for_a_server_that_says_nothing";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    emulator.proxy.trouble("GET", "", 100, Trouble::Silence);
    let mut settings = emulator.settings("state");
    settings.answer_limit = Duration::from_secs(1);
    settings.data_limit = Duration::from_secs(10);
    let begun = SystemClock.now();
    let told = with_causes(&store(&settings).read("a").await.unwrap_err());
    assert!(told.contains("does not answer in time"), "{told}");
    let took = begun.duration_until(SystemClock.now());
    assert!(took < SignedDuration::from_secs(20), "{took}");
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    let right = || settings("https://s3.example.com:9000", "state/of-clusters");
    let check = |change: &dyn Fn(&mut S3Settings)| {
        let mut changed = right();
        change(&mut changed);
        let made = keelson_provider_aws::S3Store::new(&changed, std::sync::Arc::new(SystemClock));
        made.err().map(|error| error.setting)
    };
    assert_eq!(check(&|_| {}), None);
    assert_eq!(check(&|settings| settings.endpoint = None), None);
    assert_eq!(check(&|settings| settings.prefix.clear()), None);
    for bucket in ["", "ab", "Upper", "under_score", "-a-", "a/b", "a b c"] {
        assert_eq!(
            check(&|settings| bucket.clone_into(&mut settings.bucket)),
            Some("bucket"),
            "{bucket}"
        );
    }
    for prefix in ["/a", "a/", "../a", "a//b"] {
        assert_eq!(
            check(&|settings| prefix.clone_into(&mut settings.prefix)),
            Some("prefix"),
            "{prefix}"
        );
    }
    for endpoint in [
        "s3.example.com",
        "ftp://a",
        "https://",
        "https://key:secret@a",
        "https://a/b",
        "https://a b",
    ] {
        let wrong = check(&|settings| settings.endpoint = Some(endpoint.to_owned()));
        assert_eq!(wrong, Some("endpoint"), "{endpoint}");
    }
    assert_eq!(check(&|settings| settings.region.clear()), Some("region"));
    assert_eq!(
        check(&|settings| key_in(settings).access_key_id.clear()),
        Some("access key id")
    );
    let empty = Secret::new(String::new());
    let without = check(&|settings| key_in(settings).secret_access_key = empty.clone());
    assert_eq!(without, Some("secret access key"));
    let nobody = check(&|settings| settings.credentials = S3Credentials::Access(AwsAccess::default()));
    assert_eq!(nobody, Some("credentials"));
    assert_eq!(
        check(&|settings| settings.authorities = Some("hello".to_owned())),
        Some("authorities")
    );
}
