//! What every state store promises, whatever it keeps its objects in.

use keelson::store::DirectoryStore;
use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError};
use keelson_provider_simulated::MemoryStore;

use super::block_on;

#[test]
fn a_directory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    block_on(check(&DirectoryStore::new(directory.path().join("state"))));
}

#[test]
fn memory_keeps_the_contract() {
    block_on(check(&MemoryStore::new()));
}

async fn check(store: &dyn Store) {
    check_writes(store).await;
    check_deletes(store).await;
    check_lists(store).await;
}

fn assert_conflict<T: std::fmt::Debug>(result: &Result<T, StoreError>, what: &str) {
    assert!(
        matches!(result, Err(StoreError::Conflict { .. })),
        "{what}: {result:?}"
    );
}

async fn content(store: &dyn Store, path: &str) -> Option<Vec<u8>> {
    store.read(path).await.unwrap().map(|object| object.content)
}

async fn check_writes(store: &dyn Store) {
    assert_eq!(content(store, "a/1").await, None);
    let never = Precondition::Version(ObjectVersion("never".to_owned()));
    assert_conflict(&store.write("a/1", b"x", never).await, "there is none");
    let first = store.write("a/1", b"1", Precondition::Absent).await.unwrap();
    assert_eq!(store.read("a/1").await.unwrap().unwrap().version, first);
    assert_conflict(
        &store.write("a/1", b"x", Precondition::Absent).await,
        "it is there",
    );
    let second = store
        .write("a/1", b"2", Precondition::Version(first.clone()))
        .await
        .unwrap();
    assert_ne!(first, second);
    assert_conflict(
        &store.write("a/1", b"x", Precondition::Version(first)).await,
        "stale",
    );
    assert_eq!(content(store, "a/1").await.unwrap(), b"2");
    store.write("a/1", b"3", Precondition::None).await.unwrap();
    assert_eq!(content(store, "a/1").await.unwrap(), b"3");
}

async fn check_deletes(store: &dyn Store) {
    let stale = store.write("b/1", b"1", Precondition::Absent).await.unwrap();
    let version = store.write("b/1", b"2", Precondition::None).await.unwrap();
    assert_conflict(&store.delete("b/1", Precondition::Absent).await, "it is there");
    let of_stale = || Precondition::Version(stale.clone());
    assert_conflict(&store.delete("b/1", of_stale()).await, "stale");
    assert_eq!(content(store, "b/1").await.unwrap(), b"2");
    store.delete("b/1", Precondition::Version(version)).await.unwrap();
    assert_eq!(content(store, "b/1").await, None);
    store.delete("b/1", Precondition::None).await.unwrap();
    store.delete("b/1", Precondition::Absent).await.unwrap();
    assert_conflict(&store.delete("b/1", of_stale()).await, "there is none");
    store.delete("b/none/1", Precondition::None).await.unwrap();
}

async fn check_lists(store: &dyn Store) {
    for path in ["c/2", "c/1", "c/d/1", "cc/1", "c-1"] {
        store.write(path, b"", Precondition::None).await.unwrap();
    }
    let table: [(&str, &[&str]); 6] = [
        ("c/", &["c/1", "c/2", "c/d/1"]),
        ("c/d", &["c/d/1"]),
        ("c/d/1", &["c/d/1"]),
        ("c", &["c-1", "c/1", "c/2", "c/d/1", "cc/1"]),
        ("nothing/", &[]),
        ("", &["a/1", "c-1", "c/1", "c/2", "c/d/1", "cc/1"]),
    ];
    for (prefix, expected) in table {
        assert_eq!(store.list(prefix).await.unwrap(), expected, "{prefix}");
    }
}
