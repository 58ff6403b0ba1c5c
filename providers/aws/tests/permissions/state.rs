//! The state store.

use std::time::Duration;

use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{BulkStore as _, Clock as _, Precondition, Store as _};
use keelson_provider_aws::permissions::StateFolder;
use keelson_provider_aws::{S3Credentials, S3Settings};

use super::*;
use crate::emulator;

#[tokio::test]
async fn the_state_store_asks_for_what_it_is_allowed_and_no_less() {
    let test = "the_state_store_asks_for_what_it_is_allowed";
    let Some(moto) = Moto::start_or_skip(test, Ipv4Addr::LOCALHOST.into(), emulator::BUCKET, &[]).unwrap()
    else {
        return;
    };
    let mut settings = emulator::settings(&format!("http://{}", moto.address), "teams/a");
    let S3Credentials::Key(key) = &mut settings.credentials else {
        unreachable!("these settings have a key")
    };
    OPERATOR.clone_into(&mut key.access_key_id);
    let store = emulator::store(&settings);
    for content in [b"1", b"2"] {
        store
            .write("foo/lease", content, Precondition::None)
            .await
            .unwrap();
    }
    assert!(store.read("foo/lease").await.unwrap().is_some());
    assert_eq!(store.read("foo/none").await.unwrap(), None);
    assert_eq!(store.list("foo/").await.unwrap(), ["foo/lease"]);
    let mut writer = store.begin("foo/backups/1").await.unwrap();
    writer.write(&vec![7; 17 << 20]).await.unwrap();
    writer.finish().await.unwrap();
    let mut writer = store.begin("foo/backups/2").await.unwrap();
    writer.write(&vec![7; 17 << 20]).await.unwrap();
    drop(writer);
    store.sweep("foo/").await.unwrap();
    store.delete("foo/lease", Precondition::None).await.unwrap();
    // A writer that was dropped is taken back behind its back.
    SystemClock.sleep(Duration::from_secs(2)).await;

    let made = S3Settings {
        bucket: "made-here".to_owned(),
        ..settings
    };
    let made = emulator::store(&made).looking_after_bucket();
    made.prepare().await.unwrap();
    let findings = store.looking_after_bucket().preflight().await;
    assert_eq!(findings.len(), 3, "{findings:?}");

    let cluster = cluster("one");
    let nothing = BTreeMap::new();
    let scope = Scope {
        cluster: &cluster,
        region: REGION,
        zone: None,
        zone_id: None,
        ends: true,
        state: Some(StateFolder {
            bucket: emulator::BUCKET,
            prefix: "teams/a",
            makes_bucket: true,
        }),
        wanted: &nothing,
    };
    let policy = policy_of_changes(&scope, []);
    let asked = journal::check(&moto, &Allowed::by(&policy), "the state store");
    let mut allowed = actions(&policy);
    allowed.retain(|action| action.starts_with("s3:"));
    assert_eq!(asked, allowed);
}
