//! Machines that fail while a snapshot is written or read.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use keelson_provider_api::EtcdMaintenance;
use keelson_provider_api::values::Digest;
use keelson_test_hosts::{Host, LabOptions};

use super::transfers::{put_megabytes, write};
use super::{figure, sleep};
use crate::fixture::{Fixture, fixture, whole};

const FOLDER: &str = "/var/lib/keelson/snapshots";
const ETCDCTL: &str = "/opt/keelson/bin/etcdctl";
/// By then another machine has written the snapshot, however slow it is; a writer by itself has 20 minutes.
const MOVED_ON: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn where_a_machine_fails_another_one_writes_and_a_reader_goes_on() {
    let options = (0..3).fold(LabOptions::with_hosts(3), |options, index| {
        options.host(index, |host| host.disk_mib = Some(900))
    });
    let Some(fixture) = fixture("losses", &options, 2048) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    put_megabytes(&fixture, 24);
    let leader = fixture.leader("main").await;
    let mut followers = ["a", "b", "c"].into_iter().filter(|name| *name != leader);
    let (first, second) = (followers.next().unwrap(), followers.next().unwrap());
    no_room_on(&fixture, first, second).await;
    a_member_dies_while_it_writes(&fixture, first, second).await;
    power_goes_while_it_writes(&fixture, first, second).await;
    power_goes_while_it_is_read(&fixture).await;
}

/// There is too little room for a snapshot beside its margin, and enough for the member; then none in the middle of writing.
async fn no_room_on(fixture: &Fixture, first: &str, second: &str) {
    let run = fixture.run().await;
    let host = fixture.host(first);
    let fill = "free=$(df --output=avail -B1 /var/lib | tail -n 1); fallocate -l $((free - (100 << 20))) /var/lib/filler";
    host.run(fill).unwrap();
    let snapshot = write(fixture, &run).await;
    assert_eq!(snapshot.machine, second);
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
    host.run("rm /var/lib/filler").unwrap();

    // The room goes after it was found.
    let fill = "free=$(df --output=avail -B1 /var/lib | tail -n 1); fallocate -l $((free - (8 << 20))) /var/lib/filler";
    before_saving(host, fill);
    let snapshot = write(fixture, &run).await;
    assert_eq!(snapshot.machine, second);
    assert_eq!(
        host.run(&format!("ls -A {FOLDER}")).unwrap(),
        "",
        "nothing is left of it"
    );
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
    as_before(host);
    host.run("rm /var/lib/filler").unwrap();
}

async fn a_member_dies_while_it_writes(fixture: &Fixture, first: &str, second: &str) {
    let run = fixture.run().await;
    let host = fixture.host(first);
    before_saving(host, "systemctl stop etcd.service");
    let begun = Instant::now();
    let snapshot = write(fixture, &run).await;
    figure("a snapshot whose first writer's etcd has died", begun);
    assert!(begun.elapsed() < MOVED_ON);
    assert_eq!(snapshot.machine, second);
    assert_eq!(
        host.run(&format!("ls -A {FOLDER}")).unwrap(),
        "",
        "nothing is left of it"
    );
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
    as_before(host);
    host.run("systemctl start etcd.service").unwrap();
    well(fixture).await;
}

async fn power_goes_while_it_writes(fixture: &Fixture, first: &str, second: &str) {
    let run = fixture.run().await;
    let host = fixture.host(first);
    before_saving(host, "touch /tmp/saving; sleep 60");
    let cut = async {
        while host.run("test -e /tmp/saving").is_err() {
            sleep(100).await;
        }
        host.power_cut().unwrap();
    };
    let begun = Instant::now();
    let (snapshot, ()) = tokio::join!(write(fixture, &run), cut);
    figure("a snapshot whose first writer lost its power", begun);
    assert_eq!(snapshot.machine, second);
    assert!(begun.elapsed() < MOVED_ON);
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
    host.start().unwrap();
    host.wait_for_ssh().unwrap();
    as_before(host);
    well(fixture).await;

    // What it has begun is there, and goes when the next one is written there.
    host.run(&format!(
        "test -e {FOLDER}/*.transfer/owner && touch -d '16 minutes ago' {FOLDER}/*.transfer"
    ))
    .unwrap();
    let next = write(fixture, &run).await;
    assert_eq!(next.machine, first, "the leader has stayed the same");
    assert_eq!(
        host.run(&format!("ls -A {FOLDER}")).unwrap(),
        format!("{}.transfer\n", next.file)
    );
    run.discard_snapshot(&fixture.identity, &next).await.unwrap();
}

async fn power_goes_while_it_is_read(fixture: &Fixture) {
    let run = fixture.run().await;
    let snapshot = write(fixture, &run).await;
    assert!(snapshot.size_bytes > 20_000_000, "{snapshot:?}");
    let host = fixture.host(&snapshot.machine);
    let cut_at = Mutex::new(None);
    let begun = Instant::now();
    let bytes = whole(&run, &fixture.identity, &snapshot, |bytes| {
        let mut cut_at = cut_at.lock().unwrap();
        if cut_at.is_none() && bytes > 2_000_000 {
            *cut_at = Some(bytes);
            host.power_cut().unwrap();
            host.start().unwrap();
        }
    });
    let bytes = bytes.await.unwrap();
    figure("reading over a power cut", begun);
    assert_eq!(Digest::of_bytes(&bytes).hexadecimal(), snapshot.sha256);
    run.discard_snapshot(&fixture.identity, &snapshot).await.unwrap();
}

async fn well(fixture: &Fixture) {
    fixture
        .expect("main", &["a Voter healthy", "b Voter healthy", "c Voter healthy"])
        .await;
}

/// Has a host do something each time that etcdctl is to save a snapshot, before it does.
fn before_saving(host: &Host, command: &str) {
    host.run(&format!("mv {ETCDCTL} {ETCDCTL}.real")).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'snapshot save'*) {command} ;; esac\nexec {ETCDCTL}.real \"$@\"\n"
    );
    host.write_file(ETCDCTL, script).unwrap();
    host.run(&format!("chmod 755 {ETCDCTL}")).unwrap();
}

fn as_before(host: &Host) {
    host.run(&format!("mv {ETCDCTL}.real {ETCDCTL}")).unwrap();
}
