//! State in a directory, from several writers and for one reader.

use std::os::unix::fs::PermissionsExt;

use keelson_provider_api::BulkStore;

use super::*;

#[tokio::test]
async fn conditional_writes_have_one_winner() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path().join("state"));
    let first = store.write("a/b", b"1", Precondition::Absent).await.unwrap();
    let again = store.write("a/b", b"2", Precondition::Absent).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    store
        .write("a/b", b"3", Precondition::Version(first.clone()))
        .await
        .unwrap();
    let stale = store.write("a/b", b"4", Precondition::Version(first)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    assert_eq!(store.read("a/b").await.unwrap().unwrap().content, b"3");
    assert_eq!(store.list("a/").await.unwrap(), ["a/b"]);
    store.delete("a/b", Precondition::None).await.unwrap();
    store.delete("a/b", Precondition::None).await.unwrap();
    assert_eq!(store.read("a/b").await.unwrap(), None);
}

#[tokio::test]
async fn who_waits_for_the_lock_keeps_nobody_else_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path().join("state"));
    // As another process does; on the one thread that this test has, it lets go only if the write does not block.
    let held = store.lock("write", "a").await.unwrap();
    let (written, ()) = tokio::join!(store.write("a", b"1", Precondition::None), async {
        tokio::task::yield_now().await;
        drop(held);
    });
    written.unwrap();
}

#[tokio::test]
async fn who_reads_a_large_object_keeps_nobody_else_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path());
    store
        .write("a", &vec![7; 5 << 20], Precondition::None)
        .await
        .unwrap();
    let is_stopped = std::cell::Cell::new(false);
    let mut reader = store.open("a").await.unwrap().unwrap();
    let reading = async {
        let mut pieces = 0;
        while !is_stopped.get() && reader.read().await.unwrap().is_some() {
            pieces += 1;
        }
        pieces
    };
    let (pieces, ()) = tokio::join!(reading, async { is_stopped.set(true) });
    assert_eq!(pieces, 1);
}

#[tokio::test]
async fn nobody_else_reads_the_state() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path().join("state"));
    store.write("a/b", b"1", Precondition::None).await.unwrap();
    let mode = |path: &str| {
        fs::metadata(directory.path().join("state").join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode(""), mode("a"), mode("a/b")), (0o700, 0o700, 0o600));
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_damage_and_not_absent() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path());
    std::os::unix::fs::symlink("nowhere", directory.path().join("a")).unwrap();
    let read = store.read("a").await;
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    let written = store.write("a", b"1", Precondition::Absent).await;
    assert!(matches!(written, Err(StoreError::Damaged { .. })), "{written:?}");
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_draft() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path());
    // It cannot be renamed over a folder.
    fs::create_dir(directory.path().join("a")).unwrap();
    store.write("a", b"1", Precondition::None).await.unwrap_err();
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != LOCK_FILE)
        .collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn a_list_opens_only_what_can_hold_what_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path());
    store.write("a/x/1", b"1", Precondition::None).await.unwrap();
    // Of another cluster, too deep to be listed: root may open every folder.
    let deep = format!("b/{}2", "x/".repeat(DEPTH_LIMIT));
    store.write(&deep, b"2", Precondition::None).await.unwrap();
    assert_eq!(store.list("a/").await.unwrap(), ["a/x/1"]);
    assert_eq!(store.list("a/x").await.unwrap(), ["a/x/1"]);
    assert_eq!(store.list("a").await.unwrap(), ["a/x/1"]);
    for prefix in ["b/", "b", ""] {
        let listed = store.list(prefix).await;
        assert!(
            matches!(listed, Err(StoreError::Unavailable { verb: "list", .. })),
            "{prefix}: {listed:?}"
        );
    }
    let allowed = format!("c/{}3", "x/".repeat(DEPTH_LIMIT - 1));
    store.write(&allowed, b"3", Precondition::None).await.unwrap();
    assert_eq!(store.list("c/").await.unwrap(), [allowed]);
    assert!(store.list("../").await.is_err(), "it leads out of the store");
}

#[tokio::test]
async fn no_path_leads_out_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(directory.path().join("state"));
    for path in ["../x", "/etc/passwd", "a/../../x", ""] {
        assert!(
            store.write(path, b"1", Precondition::None).await.is_err(),
            "{path}"
        );
    }
}
