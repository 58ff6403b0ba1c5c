//! What every store promises: any [`Store`] can be given to it, empty. Providers with a store of their own go through
//! it too.

use keelson_provider_api::store::ObjectVersion;
use keelson_provider_api::{Precondition, Store, StoreError};

/// What a deed leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Conflict,
}

/// What a deed asks for: the versions are those of the object before the deed, and of an earlier write of it.
#[derive(Debug, Clone, Copy)]
enum Asks {
    Nothing,
    Absent,
    Current,
    Stale,
}

/// Whether the object is there, what is asked for, and how writing and deleting end.
const CASES: &[(bool, Asks, End, End)] = &[
    (false, Asks::Nothing, End::Done, End::Done),
    (false, Asks::Absent, End::Done, End::Done),
    (false, Asks::Stale, End::Conflict, End::Conflict),
    (true, Asks::Nothing, End::Done, End::Done),
    (true, Asks::Absent, End::Conflict, End::Conflict),
    (true, Asks::Current, End::Done, End::Done),
    (true, Asks::Stale, End::Conflict, End::Conflict),
];

/// Goes through all of it. It leaves nothing.
pub(crate) async fn check(store: &dyn Store) {
    for (number, (is_there, asks, written, deleted)) in CASES.iter().enumerate() {
        let case = format!("object there: {is_there}, asked for: {asks:?}");
        let path = format!("case-{number}/object");
        let before = prepare(store, &path, *is_there, *asks).await;
        let end = store.write(&path, b"new", before.asked.clone()).await;
        expect(&case, *written, end.as_ref().map(drop));
        let content: &[u8] = if *written == End::Done { b"new" } else { b"old" };
        let there = store.read(&path).await.unwrap();
        if *is_there || *written == End::Done {
            let there = there.unwrap_or_else(|| panic!("{case}: it is gone"));
            assert_eq!(there.content, content, "{case}");
            assert_eq!(
                there.version,
                end.unwrap_or(before.current.unwrap_or(there.version.clone())),
                "{case}"
            );
        } else {
            assert_eq!(there, None, "{case}");
        }
        let before = prepare(store, &path, *is_there, *asks).await;
        let end = store.delete(&path, before.asked).await;
        expect(&case, *deleted, end.as_ref().copied());
        let is_left = store.read(&path).await.unwrap().is_some();
        assert_eq!(is_left, *is_there && *deleted == End::Conflict, "{case}");
        store.delete(&path, Precondition::None).await.unwrap();
    }
    check_lists(store).await;
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
}

struct Before {
    asked: Precondition,
    current: Option<ObjectVersion>,
}

async fn prepare(store: &dyn Store, path: &str, is_there: bool, asks: Asks) -> Before {
    let earlier = store.write(path, b"earlier", Precondition::None).await.unwrap();
    let current = store.write(path, b"old", Precondition::None).await.unwrap();
    if !is_there {
        store.delete(path, Precondition::None).await.unwrap();
    }
    let asked = match asks {
        Asks::Nothing => Precondition::None,
        Asks::Absent => Precondition::Absent,
        Asks::Current => Precondition::Version(current.clone()),
        Asks::Stale => Precondition::Version(earlier),
    };
    Before {
        asked,
        current: is_there.then_some(current),
    }
}

fn expect(case: &str, expected: End, found: Result<(), &StoreError>) {
    match (expected, found) {
        (End::Done, Ok(())) | (End::Conflict, Err(StoreError::Conflict { .. })) => {}
        (expected, found) => panic!("{case}: {expected:?} was expected, and it is {found:?}"),
    }
}

async fn check_lists(store: &dyn Store) {
    let paths = ["a-b/1", "a/1", "a/b/2", "a/ü &<+%.txt", "ab"];
    for path in paths.iter().rev() {
        store
            .write(path, path.as_bytes(), Precondition::Absent)
            .await
            .unwrap();
    }
    let lists: [(&str, &[&str]); 6] = [
        ("", &paths),
        ("a/", &["a/1", "a/b/2", "a/ü &<+%.txt"]),
        ("a/b", &["a/b/2"]),
        ("ab", &["ab"]),
        ("a/ü", &["a/ü &<+%.txt"]),
        ("c/", &[]),
    ];
    for (prefix, listed) in lists {
        assert_eq!(store.list(prefix).await.unwrap(), listed, "{prefix}");
    }
    for path in paths {
        let read = store.read(path).await.unwrap().unwrap();
        assert_eq!(read.content, path.as_bytes());
        store
            .delete(path, Precondition::Version(read.version))
            .await
            .unwrap();
    }
}

/// For stores whose objects lie beside others: no path leads out of them.
pub(crate) async fn check_paths(store: &dyn Store) {
    for path in ["", "/a", "../a", "a/../../b"] {
        assert!(store.read(path).await.is_err(), "{path}");
        assert!(
            store.write(path, b"1", Precondition::None).await.is_err(),
            "{path}"
        );
        assert!(store.delete(path, Precondition::None).await.is_err(), "{path}");
    }
    assert!(store.list("../").await.is_err());
}
