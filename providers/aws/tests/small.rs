//! Small objects, with compare-and-swap.

use keelson_provider_api::values::Secret;
use keelson_provider_api::{Precondition, Store, StoreError, with_causes};
use keelson_provider_aws::S3Store;

use crate::contract;
use crate::emulator::{Emulator, key_in, store};
use crate::proxy::Trouble;

#[tokio::test]
async fn a_bucket_keeps_what_stores_promise() {
    let test = "aws::small::a_bucket_keeps_what_stores_promise";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    // Another store's objects in the same bucket are none of its business.
    let mut settings = emulator.settings("state");
    key_in(&mut settings).session_token = Some(Secret::new("IQoJb3JpZ2lu+/=".to_owned()));
    let other = store(&settings);
    other.write("a", b"other", Precondition::Absent).await.unwrap();
    contract::check(&emulator.store("state/of clusters")).await;
    assert_eq!(other.list("").await.unwrap(), ["a"]);
    other.delete("a", Precondition::None).await.unwrap();
    let whole = emulator.store("");
    contract::check(&whole).await;
    contract::check_paths(&whole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_writers_at_once_have_one_winner() {
    let test = "aws::small::sixteen_writers_at_once_have_one_winner";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    // All the same content, too: whoever wins is told by more than that.
    let first = race(&store, "lease", &Precondition::Absent, |_| b"held".to_vec()).await;
    assert_eq!(first, 1);
    let version = store.read("lease").await.unwrap().unwrap().version;
    let by_number = |number: usize| format!("held by {number}").into_bytes();
    let second = race(&store, "lease", &Precondition::Version(version), by_number).await;
    assert_eq!(second, 1);
}

async fn race(
    store: &S3Store,
    path: &'static str,
    precondition: &Precondition,
    content: fn(usize) -> Vec<u8>,
) -> usize {
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let (store, precondition) = (store.clone(), precondition.clone());
        writers.spawn(async move { store.write(path, &content(number), precondition).await });
    }
    let ends = writers.join_all().await;
    for end in &ends {
        assert!(matches!(end, Ok(_) | Err(StoreError::Conflict { .. })), "{end:?}");
    }
    ends.iter().filter(|end| end.is_ok()).count()
}

#[tokio::test]
async fn a_list_goes_on_after_the_first_page() {
    let test = "aws::small::a_list_goes_on_after_the_first_page";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("many");
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..1003 {
        let store = store.clone();
        writers.spawn(async move {
            store
                .write(&format!("{number:05}"), b"1", Precondition::None)
                .await
                .unwrap();
        });
        if writers.len() >= 8 {
            writers.join_next().await.unwrap().unwrap();
        }
    }
    writers.join_all().await;
    let expected: Vec<String> = (0..1003).map(|number| format!("{number:05}")).collect();
    emulator.proxy.seen();
    assert_eq!(store.list("").await.unwrap(), expected);
    assert_eq!(emulator.proxy.count("GET", "list-type=2"), 2);
}

#[tokio::test]
async fn an_object_that_is_too_large_is_not_loaded() {
    let test = "aws::small::an_object_that_is_too_large_is_not_loaded";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    store
        .write("large", &vec![7; (64 << 20) + 1], Precondition::None)
        .await
        .unwrap();
    let read = store.read("large").await;
    assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
}

#[tokio::test]
async fn a_server_that_keeps_no_conditions_is_found_out() {
    let test = "aws::small::a_server_that_keeps_no_conditions_is_found_out";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("state");
    store.check_conditions().await.unwrap();
    for header in ["if-none-match", "if-match"] {
        emulator
            .proxy
            .trouble("PUT", ".keelson-probe-", 4, Trouble::WithoutField(header));
        let error = store.check_conditions().await.unwrap_err();
        let told = with_causes(&error).to_lowercase();
        assert!(told.contains(&format!("does not keep `{header}")), "{told}");
        emulator.proxy.forgive();
    }
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    // Such a server still deletes nothing else than what was asked for, but for a moment.
    emulator
        .proxy
        .trouble("DELETE", "lease", 2, Trouble::WithoutField("if-match"));
    let first = store.write("lease", b"1", Precondition::Absent).await.unwrap();
    let second = store.write("lease", b"2", Precondition::None).await.unwrap();
    let stale = store.delete("lease", Precondition::Version(first)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    // And one that knows no conditional delete, as AWS did not once, deletes.
    let unknown = "<Error><Code>NotImplemented</Code></Error>".to_owned();
    emulator.proxy.forgive();
    emulator
        .proxy
        .trouble("DELETE", "lease", 1, Trouble::Answer(501, "", unknown));
    store
        .delete("lease", Precondition::Version(second))
        .await
        .unwrap();
    assert_eq!(store.read("lease").await.unwrap(), None);
}
