//! Large objects.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::clock::SystemClock;
use keelson_provider_api::{BoxFuture, BulkStore, Clock, Precondition, Store, StoreError};
use keelson_provider_aws::S3Store;

use crate::emulator::Emulator;
use crate::proxy::Trouble;

const MIB: usize = 1 << 20;
/// When every upload was begun, says moto.
const BEGUN: &str = "2010-11-10T20:48:33.000Z";

#[tokio::test]
async fn objects_of_any_size_come_back_as_they_were() {
    let test = "aws::bulk::objects_of_any_size_come_back_as_they_were";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    // Nothing, a byte, a part but a byte, a part, a part and a byte, several.
    for size in [0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 40 * MIB] {
        let path = format!("{size}/snapshot");
        assert_eq!(store.size(&path).await.unwrap(), None, "{size}");
        assert!(store.open(&path).await.unwrap().is_none(), "{size}");
        let written = write(&store, &path, size).await;
        assert_eq!(store.size(&path).await.unwrap(), Some(size as u64), "{size}");
        let read = read(&store, &path).await.unwrap();
        assert_eq!(read, (size, written), "{size}");
        // The object is there already.
        let again = finish(&store, &path, size).await;
        assert!(
            matches!(again, Err(StoreError::Conflict { .. })),
            "{size}: {again:?}"
        );
    }
    assert_eq!(
        emulator.uploads(),
        0,
        "no upload is left by those that were refused"
    );
}

#[tokio::test]
async fn of_two_that_finish_one_is_refused_also_without_a_look_before() {
    let test = "aws::bulk::of_two_that_finish_one_is_refused_also_without_a_look_before";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    for (path, size) in [("small", 10), ("large", 17 * MIB)] {
        write(&store, path, size).await;
        // Somebody was faster, just after whoever finishes has looked: it is told by the condition alone.
        let absent = Trouble::Answer(404, "", String::new());
        let mut writer = store.begin(path).await.unwrap();
        fill(&mut *writer, size).await;
        emulator.proxy.trouble("HEAD", path, 1, absent);
        let finished = writer.finish().await;
        assert!(
            matches!(finished, Err(StoreError::Conflict { .. })),
            "{path}: {finished:?}"
        );
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let test = "aws::bulk::a_writer_that_is_dropped_leaves_nothing";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    let mut writer = store.begin("a").await.unwrap();
    fill(&mut *writer, 35 * MIB).await;
    assert_eq!(emulator.uploads(), 1);
    drop(writer);
    for _ in 0..200 {
        if emulator.uploads() == 0 {
            break;
        }
        SystemClock.sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(emulator.uploads(), 0);
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    // A small one has not even asked for anything.
    drop(store.begin("b").await.unwrap());
}

#[tokio::test]
async fn what_killed_writers_left_is_swept_and_what_is_written_stays() {
    let test = "aws::bulk::what_killed_writers_left_is_swept_and_what_is_written_stays";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    let mut writers = Vec::new();
    for path in ["mine/1", "mine/2", "mine-too/3"] {
        let mut writer = store.begin(path).await.unwrap();
        fill(&mut *writer, 17 * MIB).await;
        writers.push(writer);
    }
    // As their process does when it is killed.
    let mut writers = writers.into_iter();
    let living = writers.next().unwrap();
    writers.for_each(std::mem::forget);
    let now = SystemClock.now();
    let written_as = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    for (age_hours, swept) in [(1, 0), (23, 0), (25, 2)] {
        let begun = written_as(now - SignedDuration::from_hours(age_hours));
        // Those below another prefix are another one's.
        emulator
            .proxy
            .trouble("GET", "uploads", 1, Trouble::Rewrite(BEGUN, begun));
        assert_eq!(store.sweep("mine/").await.unwrap(), swept, "{age_hours}");
    }
    drop(living);
    assert_eq!(store.sweep("").await.unwrap(), 1, "the one of the other prefix");
    assert_eq!(store.sweep("").await.unwrap(), 0);
}

#[tokio::test]
async fn a_day_passes_by_the_clock_that_is_given() {
    struct Early;
    impl Clock for Early {
        fn now(&self) -> Timestamp {
            BEGUN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(2)
        }
        fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
            SystemClock.sleep(duration)
        }
    }
    let test = "aws::bulk::a_day_passes_by_the_clock_that_is_given";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = S3Store::new(&emulator.settings("backups"), Arc::new(Early)).unwrap();
    let mut writer = store.begin("a").await.unwrap();
    let digest = fill(&mut *writer, 17 * MIB).await;
    assert_eq!(store.sweep("").await.unwrap(), 0);
    writer.finish().await.unwrap();
    assert_eq!(read(&store, "a").await.unwrap(), (17 * MIB, digest));
}

#[tokio::test]
async fn a_reading_goes_on_where_its_connection_broke() {
    let test = "aws::bulk::a_reading_goes_on_where_its_connection_broke";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    let size = 3 * MIB + 17;
    let digest = write(&store, "a", size).await;
    emulator.proxy.trouble("GET", "/a", 1, Trouble::CutAfter(0));
    emulator.proxy.trouble("GET", "/a", 1, Trouble::CutAfter(MIB + 1));
    emulator.proxy.trouble("GET", "/a", 1, Trouble::CutAfter(1));
    emulator.proxy.trouble("GET", "/a", 1, Trouble::CutAfter(0));
    emulator.proxy.seen();
    assert_eq!(read(&store, "a").await.unwrap(), (size, digest));
    assert_eq!(emulator.proxy.count("GET", "/a"), 5);
    // Whoever never gets a byte further gives up.
    emulator.proxy.trouble("GET", "/a", 100, Trouble::CutAfter(0));
    let given_up = read(&store, "a").await;
    assert!(
        matches!(given_up, Err(StoreError::Unavailable { verb: "read", .. })),
        "{given_up:?}"
    );
    emulator.proxy.forgive();
}

#[tokio::test]
async fn nobody_reads_two_objects_as_one() {
    let test = "aws::bulk::nobody_reads_two_objects_as_one";
    let Some(emulator) = Emulator::start_or_skip(test) else {
        return;
    };
    let store = emulator.store("backups");
    store
        .write("a", &vec![1; 2 * MIB], Precondition::None)
        .await
        .unwrap();
    emulator.proxy.trouble("GET", "/a", 1, Trouble::CutAfter(MIB));
    let mut reader = store.open("a").await.unwrap().unwrap();
    let first = reader.read().await.unwrap().unwrap();
    assert_eq!(first[0], 1);
    store
        .write("a", &vec![2; 2 * MIB], Precondition::None)
        .await
        .unwrap();
    let mut came = first.len();
    let end = loop {
        match reader.read().await {
            Ok(Some(piece)) => came += piece.len(),
            end => break end,
        }
    };
    assert!(matches!(end, Err(StoreError::Unavailable { .. })), "{end:?}");
    assert!(came <= MIB, "{came}");
    // A small object is simply read again.
    store.write("b", b"first", Precondition::None).await.unwrap();
    emulator.proxy.trouble("GET", "/b", 1, Trouble::CutAfter(2));
    emulator
        .proxy
        .trouble("GET", "/b", 1, Trouble::Answer(412, "", String::new()));
    assert_eq!(store.read("b").await.unwrap().unwrap().content, b"first");
}

/// Pseudo-random bytes, so that no part is like another one; and their digest.
async fn fill(writer: &mut dyn keelson_provider_api::BulkWriter, size: usize) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ size as u64;
    let mut left = size;
    while left > 0 {
        let mut piece = vec![0; left.min(PIECE_BYTES - 3)];
        for bytes in piece.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_le_bytes()[..bytes.len()]);
        }
        context.update(&piece);
        left -= piece.len();
        writer.write(&piece).await.unwrap();
    }
    context.finish().as_ref().to_vec()
}

async fn write(store: &S3Store, path: &str, size: usize) -> Vec<u8> {
    let mut writer = store.begin(path).await.unwrap();
    let digest = fill(&mut *writer, size).await;
    writer.finish().await.unwrap();
    digest
}

async fn finish(store: &S3Store, path: &str, size: usize) -> Result<(), StoreError> {
    let mut writer = store.begin(path).await?;
    fill(&mut *writer, size).await;
    writer.finish().await
}

async fn read(store: &S3Store, path: &str) -> Result<(usize, Vec<u8>), StoreError> {
    let mut reader = store.open(path).await?.expect("it is there");
    let mut context = digest::Context::new(&digest::SHA256);
    let mut size = 0;
    while let Some(piece) = reader.read().await? {
        assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
        size += piece.len();
        context.update(&piece);
    }
    Ok((size, context.finish().as_ref().to_vec()))
}
