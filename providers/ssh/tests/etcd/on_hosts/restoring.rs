//! Members that are given the data of a snapshot: what stands in the way is told before anything is touched, and what was moved aside
//! stays, whoever comes after it.

mod cut_off;

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    ErrorClass, EtcdRestore, NotedContents, Outcome, Progress, ProviderError, Restoration, SnapshotContents,
    StepContext,
};
use keelson_test_hosts::LabOptions;
use tempfile::NamedTempFile;

use crate::fixture::{Fixture, etcdctl, fixture};

const HOSTS: [&str; 2] = ["a", "b"];
const ETCDUTL: &str = "/opt/keelson/bin/etcdutl";

fn context(fixture: &Fixture) -> StepContext<'_> {
    StepContext {
        cluster: fixture.identity.clone(),
        fencing_generation: fixture.generation,
        attempt: 0,
        progress: Progress::default(),
    }
}

/// A snapshot of what is there now, with what is known of it, and the file that it is in.
fn restoration(fixture: &Fixture) -> (Restoration, NamedTempFile) {
    let host = fixture.host("a");
    let save = etcdctl("snapshot save /tmp/s.db >/dev/null 2>&1");
    let said = |command: &str| host.run(command).unwrap().trim().to_owned();
    let text = said(&format!("{save} && base64 -w 0 /tmp/s.db"));
    let bytes = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
    let status: serde_json::Value =
        serde_json::from_str(&said(&format!("{ETCDUTL} snapshot status /tmp/s.db -w json"))).unwrap();
    let number = |name: &str| status[name].as_u64().unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let restoration = Restoration {
        id: "one".to_owned(),
        begun_at: jiff::Timestamp::UNIX_EPOCH,
        etcd: &MAIN,
        founders: HOSTS.map(str::to_owned).to_vec(),
        file: file.path().to_owned(),
        sha256: Digest::of_bytes(&bytes).hexadecimal(),
        size_bytes: bytes.len() as u64,
        noted: Some(NotedContents {
            contents: SnapshotContents {
                hash: u32::try_from(number("hash")).unwrap(),
                revision: number("revision"),
                total_keys: number("totalKey"),
                total_bytes: number("totalSize"),
                live: None,
            },
            etcd_version: said(&format!("{ETCDUTL} version | sed -n 's/^etcdutl version: *//p'")),
        }),
        bump_revision: 1_000_000,
        serves_kubernetes: false,
    };
    (restoration, file)
}

/// Leaves so little room on the disk of etcd's data that nothing fits there any more.
fn fill(fixture: &Fixture, host: &str) {
    let fill = "free=$(df --output=avail -B1 /var/lib/etcd | tail -n 1); \
                fallocate -l $((free - (100 << 20))) /var/lib/etcd/filler";
    fixture.host(host).run(fill).unwrap();
}

fn free(fixture: &Fixture, host: &str) {
    fixture.host(host).run("rm /var/lib/etcd/filler").unwrap();
}

fn value(fixture: &Fixture) -> String {
    let get = etcdctl("get key --print-value-only");
    fixture.host("a").run(&get).unwrap().trim().to_owned()
}

fn put(fixture: &Fixture, value: &str) {
    fixture
        .host("a")
        .run(&etcdctl(&format!("put key {value}")))
        .unwrap();
}

/// How many files of that name there are below etcd's data on `b`.
fn count(fixture: &Fixture, what: &str) -> usize {
    let list = format!("ls -d {what} 2>/dev/null; true");
    fixture.host("b").run(&list).unwrap().lines().count()
}

/// What is refused, and what it says.
fn refused(result: Result<(), ProviderError>, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent, "{error}");
    for words in words {
        assert!(error.message.contains(words), "{words}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn room_and_contents_are_looked_at_first_and_what_was_moved_aside_stays() {
    let small = |options: LabOptions, index| options.host(index, |host| host.disk_mib = Some(1024));
    let options = small(small(LabOptions::with_hosts(2), 0), 1);
    let Some(fixture) = fixture("restoring", &options, 2048) else {
        return;
    };
    for host in HOSTS {
        fixture
            .host(host)
            .run("mkdir -p /var/lib/keelson/assets")
            .unwrap();
    }
    fixture.found_all("main", &HOSTS).await;
    put(&fixture, "before");
    let (mut restoration, _file) = restoration(&fixture);
    put(&fixture, "after");
    without_room_on_any(&fixture, &restoration).await;
    not_what_was_saved(&fixture, &mut restoration).await;
    etcdutl_does_not_come_to_say(&fixture, &restoration).await;
    torn_on_the_way(&fixture, &restoration).await;
    cut_off::held_of_nobody(&fixture).await;
    cut_off::held_of_another_cluster(&fixture).await;
    cut_off::held_by_a_keelson_of_before(&fixture).await;
    cut_off::folders_that_hold_nothing(&fixture, &restoration).await;
    room_goes_meanwhile(&fixture, &restoration).await;
    cut_off::made_in_part(&fixture, &restoration).await;
    // Somebody has tidied up: it is brought anew.
    fixture.host("b").run("rm -f /var/lib/keelson/assets/*").unwrap();
    cut_off::sent_twice(&fixture, &restoration).await;
    cut_off::lost_with_the_power(&fixture, &restoration).await;
    what_was_there_is_aside(&fixture, &restoration).await;
    replaced_again_and_again(&fixture, &restoration).await;
    cut_off::given_back(&fixture).await;
}

/// All machines that lack room are named, with figures.
async fn without_room_on_any(fixture: &Fixture, restoration: &Restoration) {
    for host in HOSTS {
        fill(fixture, host);
    }
    refused(
        fixture.provider.check(&context(fixture), restoration).await,
        &[
            "a has no room for the data: ",
            "b has no room for the data: ",
            "KiB are free on the disk of /var/lib/etcd",
        ],
    );
    assert_eq!(value(fixture), "after", "nothing was touched");
    for host in HOSTS {
        free(fixture, host);
    }
    fixture
        .provider
        .check(&context(fixture), restoration)
        .await
        .unwrap();
}

/// What etcd tells of the snapshot on the machines is not what was written down: it is on none of them any more.
async fn not_what_was_saved(fixture: &Fixture, restoration: &mut Restoration) {
    let good = restoration.noted.clone();
    restoration.noted.as_mut().unwrap().contents.revision += 1;
    refused(
        fixture
            .provider
            .bring_snapshot(&context(fixture), restoration)
            .await,
        &[
            "the snapshot is not what was saved, says etcd on ",
            ": revision: it has ",
        ],
    );
    let carried = format!("/var/lib/keelson/assets/{}*", restoration.sha256);
    assert_eq!(count(fixture, &carried), 0);
    assert_eq!(value(fixture), "after", "nothing was touched");
    restoration.noted = good;
    let brought = fixture
        .provider
        .bring_snapshot(&context(fixture), restoration)
        .await;
    brought.unwrap();
    assert_eq!(count(fixture, &carried), 1);
}

/// That etcd's program is not there, or is ended by the kernel, says nothing of the snapshot: it stays where it is.
async fn etcdutl_does_not_come_to_say(fixture: &Fixture, restoration: &Restoration) {
    let b = fixture.host("b");
    b.run(&format!("mv {ETCDUTL} {ETCDUTL}.real")).unwrap();
    let rows = [
        ("true".to_owned(), "b has no etcd"),
        (
            format!("printf '#!/bin/sh\nkill -KILL $$\n' >{ETCDUTL} && chmod 755 {ETCDUTL}"),
            "signal 9 has ended etcdutl",
        ),
    ];
    for (put, words) in rows {
        b.run(&put).unwrap();
        let brought = fixture
            .provider
            .bring_snapshot(&context(fixture), restoration)
            .await;
        refused(brought, &[words]);
        let carried = format!("/var/lib/keelson/assets/{}", restoration.sha256);
        assert_eq!(count(fixture, &carried), 1, "{words}");
    }
    b.run(&format!("mv {ETCDUTL}.real {ETCDUTL}")).unwrap();
}

/// What was torn goes on where it was, and what is not the beginning of it is sent anew.
async fn torn_on_the_way(fixture: &Fixture, restoration: &Restoration) {
    let snapshot = format!("/var/lib/keelson/assets/{}", restoration.sha256);
    let rows = [
        (format!("head -c 1000 {snapshot} >{snapshot}.upload"), 1),
        (format!("head -c 1000 /dev/zero >{snapshot}.upload"), 2),
    ];
    for (beginning, expected) in rows {
        let b = fixture.host("b");
        b.run(&format!("{beginning} && rm {snapshot}")).unwrap();
        let uploads = AtomicUsize::new(0);
        let count = |action: &str| {
            uploads.fetch_add(usize::from(action.starts_with("upload ")), Ordering::Relaxed);
        };
        let context = StepContext {
            progress: Progress::to(&count),
            ..context(fixture)
        };
        let brought = fixture.provider.bring_snapshot(&context, restoration).await;
        brought.unwrap();
        assert_eq!(uploads.load(Ordering::Relaxed), expected, "{beginning}");
    }
}

/// The room goes after it was found, and whoever makes room goes on.
async fn room_goes_meanwhile(fixture: &Fixture, restoration: &Restoration) {
    fill(fixture, "b");
    refused(
        fixture.provider.place_data(&context(fixture), restoration).await,
        &["b has no room for the data: "],
    );
    free(fixture, "b");
}

async fn what_was_there_is_aside(fixture: &Fixture, restoration: &Restoration) {
    let aside = fixture.provider.set_aside(&context(fixture), restoration).await;
    let aside = aside.unwrap();
    let machines: Vec<&str> = aside.iter().map(|aside| aside.machine.as_str()).collect();
    assert_eq!(machines, HOSTS);
    assert!(aside.iter().all(|aside| aside.size_bytes > 1 << 20), "{aside:?}");
}

/// Members that come and go leave the last two of their own, and never touch what the restore has left.
async fn replaced_again_and_again(fixture: &Fixture, restoration: &Restoration) {
    for _ in 0..3 {
        assert_eq!(fixture.remove("main", "b").await, Outcome::Done);
        assert_eq!(fixture.join("main", "b").await, Outcome::Done);
    }
    let kept = "/var/lib/etcd/removed-*/kept";
    assert_eq!(count(fixture, kept), 1);
    assert!(count(fixture, "/var/lib/etcd/removed-*/member") <= 3);
    let aside = fixture.provider.set_aside(&context(fixture), restoration).await;
    assert_eq!(aside.unwrap().len(), HOSTS.len());
}
