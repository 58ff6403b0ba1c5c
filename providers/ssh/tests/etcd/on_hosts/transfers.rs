//! Snapshots that are read from elsewhere.

use keelson_provider_api::bulk::PIECE_BYTES;
use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{ErrorClass, EtcdMaintenance, Kind, Progress, Provider, WrittenSnapshot};
use keelson_provider_ssh::etcd::EtcdProvider;
use keelson_test_hosts::LabOptions;
use tokio::sync::mpsc;

use crate::fixture::{Fixture, etcdctl, fixture, identity, whole};

const FOLDER: &str = "/var/lib/keelson/snapshots";

/// Writes keys of a megabyte each that cannot be made smaller.
pub(super) fn put_megabytes(fixture: &Fixture, count: u32) {
    let put = etcdctl("put big-$number");
    let command = format!(
        "for number in $(seq {count}); do head -c 750000 /dev/urandom | base64 -w 0 | {put} >/dev/null || exit 1; done"
    );
    fixture.host("a").run(&command).unwrap();
}

pub(super) async fn write(fixture: &Fixture, run: &EtcdProvider) -> WrittenSnapshot {
    let written = run
        .write_snapshot(&fixture.identity, &MAIN, &Progress::default())
        .await;
    written.unwrap()
}

/// What comes from the byte `from` on, over one connection.
async fn rest(fixture: &Fixture, run: &EtcdProvider, snapshot: &WrittenSnapshot, from: u64) -> Vec<u8> {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(1);
    let taking = async {
        let mut bytes = Vec::new();
        while let Some(piece) = receiver.recv().await {
            assert!(piece.len() <= PIECE_BYTES);
            bytes.extend(piece);
        }
        bytes
    };
    let reading = run.read_snapshot(&fixture.identity, snapshot, from, sender);
    let (bytes, read) = tokio::join!(taking, reading);
    read.unwrap();
    bytes
}

fn class_of<T: std::fmt::Debug>(
    result: Result<T, keelson_provider_api::ProviderError>,
) -> (ErrorClass, String) {
    let error = result.unwrap_err();
    (error.class, error.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_on_its_way_is_read_whole_and_goes() {
    let Some(fixture) = fixture("transfers", &LabOptions::with_hosts(2), 2048) else {
        return;
    };
    fixture.found_all("main", &["a", "b"]).await;
    put_megabytes(&fixture, 5);
    let run = fixture.run().await;
    reads_what_was_written(&fixture, &run).await;
    damage_is_found(&fixture, &run).await;
    others_are_refused(&fixture, &run).await;
    many_at_once(&fixture, &run).await;
    what_was_left_goes(&fixture, &run).await;
}

async fn reads_what_was_written(fixture: &Fixture, run: &EtcdProvider) {
    let snapshot = write(fixture, run).await;
    assert_ne!(
        snapshot.machine,
        fixture.leader("main").await,
        "a follower has less to do"
    );
    assert_eq!(snapshot.contents.revision, 6);
    assert!(snapshot.contents.total_bytes > 5_000_000 && snapshot.etcd_version.starts_with("3."));
    let host = fixture.host(&snapshot.machine);
    let path = format!("{FOLDER}/{}.transfer", snapshot.file);
    assert_eq!(
        host.run(&format!("stat -c %a {path} {path}/db; ls {path}"))
            .unwrap(),
        "700\n600\ndb\nowner\n"
    );
    let listed = run
        .observe(
            &fixture.identity,
            Kind::EtcdSnapshot,
            &std::collections::BTreeSet::new(),
        )
        .await
        .unwrap();
    assert!(listed.found.is_empty(), "it is none that stays: {listed:?}");

    let bytes = whole(run, &fixture.identity, &snapshot, |_| ()).await.unwrap();
    assert_eq!(bytes.len() as u64, snapshot.size_bytes);
    assert_eq!(Digest::of_bytes(&bytes).hexadecimal(), snapshot.sha256);
    let size = snapshot.size_bytes;
    for from in [0, 1, 4_000_001, size - 1, size] {
        let expected = &bytes[usize::try_from(from).unwrap()..];
        assert!(
            rest(fixture, run, &snapshot, from).await == expected,
            "from {from}"
        );
    }
    for _ in 0..2 {
        run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
        assert_eq!(host.run(&format!("ls -A {FOLDER}")).unwrap(), "");
    }
    let gone = whole(run, &fixture.identity, &snapshot, |_| ()).await;
    let (class, message) = class_of(gone);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("any more"), "{message}");
}

async fn damage_is_found(fixture: &Fixture, run: &EtcdProvider) {
    let snapshot = write(fixture, run).await;
    let host = fixture.host(&snapshot.machine);
    let path = format!("{FOLDER}/{}.transfer/db", snapshot.file);
    host.run(&format!(
        "byte=$(tail -c +3000001 {path} | head -c 1 | od -An -tu1); \
         printf \"\\\\$(printf %o $((byte ^ 1)))\" | dd of={path} bs=1 seek=3000000 conv=notrunc status=none"
    ))
    .unwrap();
    let (class, message) = class_of(whole(run, &fixture.identity, &snapshot, |_| ()).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("is not what was written there"), "{message}");
    host.run(&format!("truncate -s -1 {path}")).unwrap();
    let (class, message) = class_of(whole(run, &fixture.identity, &snapshot, |_| ()).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("has changed"), "{message}");
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
}

/// Machines and snapshots of another cluster.
async fn others_are_refused(fixture: &Fixture, run: &EtcdProvider) {
    let snapshot = write(fixture, run).await;
    let other = identity("uid-2");
    let host = fixture.host(&snapshot.machine);
    let (class, message) = class_of(run.write_snapshot(&other, &MAIN, &Progress::default()).await);
    assert_eq!(
        (class, message.as_str()),
        (
            ErrorClass::Permanent,
            "there is no etcd main to take a snapshot of"
        )
    );
    let (class, message) = class_of(whole(run, &other, &snapshot, |_| ()).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("another cluster's"), "{message}");
    assert_eq!(
        class_of(run.discard_snapshot(&other, &snapshot).await).0,
        ErrorClass::Permanent
    );
    fixture.wipe(&snapshot.machine, "uid-2").await;

    host.run("echo '{\"uid\":\"uid-2\",\"name\":\"x\"}' >/var/lib/keelson/host.json")
        .unwrap();
    let (class, message) = class_of(whole(run, &fixture.identity, &snapshot, |_| ()).await);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(
        message.contains("belongs to another cluster, uid uid-2"),
        "{message}"
    );
    let (class, _) = class_of(run.discard_snapshot(&fixture.identity, &snapshot).await);
    assert_eq!(class, ErrorClass::Permanent);
    let elsewhere = write(fixture, run).await;
    assert_ne!(elsewhere.machine, snapshot.machine);
    run.discard_snapshot(&fixture.identity, &elsewhere).await.unwrap();
    host.run("rm /var/lib/keelson/host.json").unwrap();
    whole(run, &fixture.identity, &snapshot, |_| ()).await.unwrap();
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
}

/// Two runs of keelson, two saves each.
async fn many_at_once(fixture: &Fixture, run: &EtcdProvider) {
    let other = fixture.run().await;
    let all = tokio::join!(
        write(fixture, run),
        write(fixture, &other),
        write(fixture, run),
        write(fixture, &other)
    );
    let all: [WrittenSnapshot; 4] = all.into();
    let names: std::collections::BTreeSet<_> = all.iter().map(|snapshot| &snapshot.file).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for snapshot in &all {
        whole(&other, &fixture.identity, snapshot, |_| ()).await.unwrap();
        run.discard_snapshot(&fixture.identity, snapshot).await.unwrap();
    }
}

/// What a keelson leaves that is killed: nobody has ever come back for it.
async fn what_was_left_goes(fixture: &Fixture, run: &EtcdProvider) {
    let (old, young) = (write(fixture, run).await, write(fixture, run).await);
    let host = fixture.host(&old.machine);
    assert_eq!(young.machine, old.machine);
    let age = |name: &str| format!("touch -d '16 minutes ago' {FOLDER}/{name}.transfer");
    let make = |name: &str, owner: &str| {
        let path = format!("{FOLDER}/{name}.transfer");
        format!(
            "mkdir {path} && touch {path}/db && printf '%s' '{owner}' >{path}/owner && {}",
            age(name)
        )
    };
    // One whose power went before it had written, another cluster's, and one that somebody reads for long.
    host.run(&format!("mkdir {FOLDER}/torn.transfer && {}", age("torn")))
        .unwrap();
    host.run(&make("others", "\"clusterUid\":\"uid-2\"")).unwrap();
    host.run(&make("read", "\"clusterUid\":\"uid-1\"")).unwrap();
    host.run(&format!(
        "setsid -f flock --shared {FOLDER}/read.transfer sleep 60 >/dev/null 2>&1"
    ))
    .unwrap();
    host.run(&age(&old.file)).unwrap();
    let next = write(fixture, run).await;
    assert_eq!(next.machine, old.machine);
    let left = host.run(&format!("ls {FOLDER}")).unwrap();
    let mut expected = [&next.file, &young.file, "others", "read"].map(|name| format!("{name}.transfer\n"));
    expected.sort();
    let mut left: Vec<_> = left.lines().map(|line| format!("{line}\n")).collect();
    left.sort();
    assert_eq!(left, expected);
    // A machine that is given back has nothing of ours.
    host.run(&format!("pkill -f '[s]leep 60'; rm -r {FOLDER}/others.transfer"))
        .unwrap();
    fixture.wipe(&next.machine, "uid-1").await;
    host.run(&format!("! test -e {FOLDER}")).unwrap();
}
