//! Databases that have reached their quota, and space that is given back.

use std::time::Instant;

use keelson_provider_api::etcd::MAIN;
use keelson_provider_api::{
    ClusterIdentity, ErrorClass, EtcdMaintenance, Progress, ProviderError, StepContext,
};
use keelson_provider_ssh::etcd::EtcdProvider;
use keelson_test_hosts::LabOptions;

use super::{figure, sleep};
use crate::fixture::{Fixture, etcdctl, fixture, identity};

fn context(cluster: &ClusterIdentity, fencing_generation: u64) -> StepContext<'static> {
    StepContext {
        cluster: cluster.clone(),
        fencing_generation,
        attempt: 0,
        progress: Progress::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn space_is_given_back_and_alarms_go() {
    let options = LabOptions::with_hosts(3).host(2, |host| host.disk_mib = Some(640));
    let Some(fixture) = fixture("space", &options, 24) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    let run = fixture.run().await;
    let now = context(&fixture.identity, 2);
    assert_eq!(run.disarm_alarms(&now, &MAIN).await, Ok(Vec::new()));
    fill(&fixture).await;
    compact(&fixture);
    refusals(&fixture, &run).await;
    for machine in ["a", "b", "c"] {
        let begun = Instant::now();
        let came = run.defragment(&now, &MAIN, machine).await.unwrap();
        figure(&format!("defragmenting {machine}: {came:?}"), begun);
        // The first one was defragmented before.
        assert!(came.before.bytes > 20_000_000 || machine == "a", "{came:?}");
        assert!(came.after.bytes < 8_000_000, "{came:?}");
        assert!(came.after.in_use_bytes <= came.after.bytes);
    }
    assert!(put(&fixture).is_err(), "the alarm is there");
    let gone = run.disarm_alarms(&now, &MAIN).await.unwrap();
    assert!(
        !gone.is_empty() && gone.iter().all(|alarm| alarm.starts_with("NOSPACE on ")),
        "{gone:?}"
    );
    put(&fixture).unwrap();
    assert_eq!(run.disarm_alarms(&now, &MAIN).await, Ok(Vec::new()));
    fixture
        .expect("main", &["a Voter healthy", "b Voter healthy", "c Voter healthy"])
        .await;
    without_a_quorum(&fixture, &run).await;
}

fn class_of<T: std::fmt::Debug>(result: Result<T, ProviderError>) -> ErrorClass {
    result.unwrap_err().class
}

/// A run that lost its lease, another cluster, and a disk without room.
async fn refusals(fixture: &Fixture, run: &EtcdProvider) {
    let late = context(&fixture.identity, 1);
    assert_eq!(
        class_of(run.defragment(&context(&fixture.identity, 2), &MAIN, "z").await),
        ErrorClass::Permanent
    );
    run.defragment(&context(&fixture.identity, 2), &MAIN, "a")
        .await
        .unwrap();
    assert_eq!(
        class_of(run.defragment(&late, &MAIN, "a").await),
        ErrorClass::Fenced
    );
    let other = context(&identity("uid-2"), 2);
    assert_eq!(
        class_of(run.defragment(&other, &MAIN, "a").await),
        ErrorClass::Permanent
    );
    assert_eq!(
        class_of(run.disarm_alarms(&other, &MAIN).await),
        ErrorClass::Transient
    );
    let host = fixture.host("c");
    let fill = "free=$(df --output=avail -B1 /var/lib | tail -n 1); fallocate -l $((free - (20 << 20))) /var/lib/filler";
    host.run(fill).unwrap();
    let refused = run.defragment(&context(&fixture.identity, 2), &MAIN, "c").await;
    assert_eq!(class_of(refused), ErrorClass::Permanent);
    host.run("rm /var/lib/filler").unwrap();
}

async fn without_a_quorum(fixture: &Fixture, run: &EtcdProvider) {
    let now = context(&fixture.identity, 2);
    for machine in ["b", "c"] {
        fixture.host(machine).run("systemctl stop etcd.service").unwrap();
    }
    assert_eq!(
        class_of(run.defragment(&now, &MAIN, "a").await),
        ErrorClass::Transient
    );
    assert_eq!(
        class_of(run.defragment(&now, &MAIN, "b").await),
        ErrorClass::Transient
    );
    assert_eq!(
        class_of(run.disarm_alarms(&now, &MAIN).await),
        ErrorClass::Transient
    );
}

/// Writes a key of a megabyte anew.
fn put(fixture: &Fixture) -> Result<String, String> {
    let put = format!(
        "head -c 1000000 /dev/zero | tr '\\0' x | {}",
        etcdctl("--command-timeout=60s put big")
    );
    fixture.host("a").run(&put).map_err(|error| error.to_string())
}

/// Writes until the database is full.
async fn fill(fixture: &Fixture) {
    for _ in 0..200 {
        match put(fixture) {
            Ok(_) => sleep(10).await,
            Err(error) if error.contains("database space exceeded") => return,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is never full")
}

/// Forgets everything but the newest revision of each key, and waits until that is done everywhere.
fn compact(fixture: &Fixture) {
    let status = fixture
        .host("a")
        .run(&etcdctl("get big --keys-only --write-out=json"))
        .unwrap();
    let (_, rest) = status.split_once("\"revision\":").unwrap();
    let revision: String = rest.chars().take_while(char::is_ascii_digit).collect();
    fixture
        .host("a")
        .run(&etcdctl(&format!("compact --physical {revision}")))
        .unwrap();
}
