//! Disks and databases that are full.

use keelson_provider_api::Outcome;
use keelson_test_hosts::{Host, LabOptions};

use super::sleep;
use crate::fixture::{etcdctl, fixture};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_and_a_full_database_are_told_in_words() {
    let options = LabOptions::with_hosts(3).host(2, |host| host.disk_mib = Some(640));
    let Some(fixture) = fixture("disks", &options, 24) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    let host = fixture.host("c");
    host.fill_disk().unwrap();
    for _ in 0..12 {
        put_megabyte(fixture.host("a")).await.unwrap();
    }
    // The two others acknowledge what c has yet to write.
    let expected = "c Voter no space is left on the disk of /var/lib/etcd on c";
    let mut picture = fixture.picture("main").await;
    for _ in 0..60 {
        if picture[2].starts_with(expected) {
            break;
        }
        sleep(500).await;
        picture = fixture.picture("main").await;
    }
    assert_eq!(picture[..2], ["a Voter healthy", "b Voter healthy"]);
    assert!(picture[2].starts_with(expected), "{picture:?}");
    // Whoever has room writes the snapshot.
    assert_eq!(fixture.snapshot("main:1", "main").await, Outcome::Done);
    host.free_disk().unwrap();
    fixture
        .expect("main", &["a Voter healthy", "b Voter healthy", "c Voter healthy"])
        .await;

    while put_megabyte(fixture.host("a")).await.is_ok() {
        sleep(10).await;
    }
    let picture = fixture.picture("main").await;
    let alarm = "Voter alarm NOSPACE: its database has reached its quota, and etcd takes no more writes; raise etcd.quota, or \
                 compact and defragment it, then: etcdctl alarm disarm";
    assert!(picture.iter().any(|line| line.ends_with(alarm)), "{picture:?}");
}

/// Writes a key of 1 MB; fails when the database is full. Where the full disk was the leader's, the others elect another first,
/// and what was asked of the old one fails.
async fn put_megabyte(host: &Host) -> Result<(), String> {
    let put = format!(
        "head -c 1000000 /dev/zero | tr '\\0' x | {} >/dev/null",
        etcdctl("put big")
    );
    let mut refusals = Vec::new();
    for _ in 0..10 {
        match host.run(&put) {
            Ok(_) => return Ok(()),
            Err(error) if error.to_string().contains("database space exceeded") => {
                return Err(error.to_string());
            }
            Err(error) => refusals.push(error.to_string()),
        }
        sleep(1000).await;
    }
    panic!("no leader was elected: {refusals:#?}");
}
