//! Large objects in a directory.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use keelson::store::DirectoryStore;
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::{BulkStore, Precondition, Store, StoreError};

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_object_is_there_once_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let mut writer = store.begin("a/b/object").await.unwrap();
    let piece = vec![3; PIECE_BYTES];
    for _ in 0..3 {
        writer.write(&piece).await.unwrap();
    }
    assert_eq!(store.size("a/b/object").await.unwrap(), None);
    assert!(store.open("a/b/object").await.unwrap().is_none());
    assert_eq!(store.list("a/").await.unwrap(), Vec::<String>::new());
    writer.finish().await.unwrap();
    assert_eq!(store.size("a/b/object").await.unwrap(), Some(3 << 20));
    assert_eq!(store.list("a/").await.unwrap(), ["a/b/object"]);
    let mode = fs::metadata(folder.path().join("a/b/object"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut reader = store.open("a/b/object").await.unwrap().unwrap();
    let mut count = 0;
    while let Some(piece) = reader.read().await.unwrap() {
        assert!(piece.iter().all(|&byte| byte == 3) && piece.len() <= PIECE_BYTES);
        count += piece.len();
    }
    assert_eq!(count, 3 << 20);
    assert_eq!(files(folder.path()), [".lock", "a/b/object"]);
}

#[tokio::test]
async fn who_does_not_finish_leaves_nothing_and_who_comes_second_writes_nothing_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let mut given_up = store.begin("a/b/object").await.unwrap();
    given_up.write(b"x").await.unwrap();
    drop(given_up);
    assert_eq!(files(folder.path()), [".lock"]);
    assert!(!folder.path().join("a").exists(), "no empty folder is left");
    let (mut first, mut second) = (store.begin("a").await.unwrap(), store.begin("a").await.unwrap());
    first.write(b"first").await.unwrap();
    second.write(b"second").await.unwrap();
    first.finish().await.unwrap();
    assert!(matches!(second.finish().await, Err(StoreError::Conflict { .. })));
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"first");
    assert_eq!(files(folder.path()), [".lock", "a"]);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_swept_and_what_is_being_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let mut alive = store.begin("a/one/snapshot").await.unwrap();
    alive.write(b"x").await.unwrap();
    store
        .write("a/two/manifest.json", b"{}", Precondition::None)
        .await
        .unwrap();
    // What a process that was killed leaves: a draft that nobody holds.
    fs::create_dir_all(folder.path().join("a/three")).unwrap();
    File::create(folder.path().join("a/three/snapshot.77-0.keelson-new")).unwrap();
    fs::create_dir_all(folder.path().join("b")).unwrap();
    File::create(folder.path().join("b/snapshot.77-0.keelson-new")).unwrap();
    assert_eq!(store.sweep("a/").await.unwrap(), 1);
    assert_eq!(store.sweep("a/").await.unwrap(), 0);
    assert!(!folder.path().join("a/three").exists());
    assert!(
        folder.path().join("b/snapshot.77-0.keelson-new").exists(),
        "it is elsewhere"
    );
    alive.finish().await.unwrap();
    assert_eq!(
        store.list("a/").await.unwrap(),
        ["a/one/snapshot", "a/two/manifest.json"]
    );
    assert_eq!(
        DirectoryStore::new(folder.path().join("none"))
            .sweep("a/")
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn paths_stay_in_the_store_and_what_is_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    for path in ["../a", "/a", "", "a/../../b"] {
        assert!(store.begin(path).await.is_err(), "{path}");
        assert!(store.open(path).await.is_err(), "{path}");
        assert!(store.size(path).await.is_err(), "{path}");
    }
    fs::create_dir(folder.path().join("folder")).unwrap();
    assert!(store.open("folder").await.is_err());
    assert!(store.size("folder").await.is_err());
    let made = std::process::Command::new("mkfifo")
        .arg(folder.path().join("pipe"))
        .status();
    assert!(made.unwrap().success());
    assert!(
        store.open("pipe").await.is_err(),
        "nobody waits for its other end"
    );
}
