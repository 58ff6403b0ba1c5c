//! Snapshots are taken, looked at, restored from and deleted.

use keelson_provider_api::{Existing, Health, Kind, Observed, Outcome, ResourceKey};
use keelson_test_hosts::LabOptions;

use super::rejected;
use crate::fixture::{Fixture, etcdctl, fixture};

fn key() -> ResourceKey {
    ResourceKey::new(Kind::EtcdSnapshot, "main:20260101T000000Z")
}

async fn existing(fixture: &Fixture) -> Existing {
    match fixture.seen(&key()).await {
        Observed::Present(existing) => existing,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_once_checked_and_can_be_restored() {
    let Some(fixture) = fixture("snapshots", &LabOptions::with_hosts(2), 2048) else {
        return;
    };
    let none = fixture.snapshot(key().name(), "main").await;
    assert_eq!(rejected(&none).1, "there is no etcd main to take a snapshot of");
    fixture.found_all("main", &["a", "b"]).await;
    fixture.host("a").run(&etcdctl("put precious kept")).unwrap();
    assert_eq!(fixture.seen(&key()).await, Observed::Absent);
    assert_eq!(fixture.snapshot(key().name(), "main").await, Outcome::Done);
    let taken = existing(&fixture).await;
    assert_eq!(taken.health, Health::Healthy);
    assert_ne!(
        taken.facts["machine"],
        fixture.leader("main").await,
        "a follower has less to do"
    );
    assert_eq!(taken.facts["revision"], "2");
    assert_eq!(
        fixture.snapshot(key().name(), "main").await,
        Outcome::Done,
        "a second time"
    );
    assert_eq!(existing(&fixture).await, taken);

    let host = fixture.host(&taken.facts["machine"]);
    let file = &taken.facts["file"];
    host.run(&format!(
        "/opt/keelson/bin/etcdutl snapshot restore {file} --data-dir /tmp/restored --name x \
         --initial-cluster x=http://127.0.0.1:1 --initial-advertise-peer-urls http://127.0.0.1:1 && \
         grep -qa precious /tmp/restored/member/snap/db && test \"$(stat -c %a {file})\" = 600"
    ))
    .unwrap();

    // It needs no quorum to be seen.
    fixture.host("a").run("systemctl stop etcd.service").unwrap();
    fixture.host("b").run("systemctl stop etcd.service").unwrap();
    assert_eq!(existing(&fixture).await, taken);
    host.run(&format!("truncate -s 100 {file}")).unwrap();
    assert!(matches!(existing(&fixture).await.health, Health::Unhealthy(_)));

    assert_eq!(fixture.delete(&key(), taken.clone()).await, Outcome::Done);
    assert_eq!(fixture.seen(&key()).await, Observed::Absent);
    assert_eq!(
        fixture.delete(&key(), taken).await,
        Outcome::Done,
        "a second time"
    );
}
