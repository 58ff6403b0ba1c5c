//! Members come, go, fail and come back.

use std::time::{Duration, Instant};

use keelson_provider_api::{ErrorClass, Outcome};
use keelson_test_hosts::LabOptions;

use crate::fixture::{Fixture, etcdctl, fixture};

async fn a_while() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

fn rejected(outcome: &Outcome) -> (ErrorClass, &str) {
    match outcome {
        Outcome::Rejected(error) => (error.class, &error.message),
        other => panic!("{other:?}"),
    }
}

/// Figures for whoever asks how long things take: `--nocapture` shows them.
#[expect(
    clippy::print_stderr,
    reason = "figures are for the reader of the test's output"
)]
fn figure(what: &str, since: Instant) {
    eprintln!("figure: {what}: {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_founders_form_a_cluster_and_doing_it_again_changes_nothing() {
    let Some(fixture) = fixture("founding", &LabOptions::with_hosts(3), 2048) else {
        return;
    };
    let machines = ["a", "b", "c"];
    let since = Instant::now();
    fixture.found_all("main", &machines).await;
    figure("3 founders", since);
    let well = ["a Voter healthy", "b Voter healthy", "c Voter healthy"];
    let since = Instant::now();
    assert_eq!(fixture.picture("main").await, well);
    figure("a look at 3 machines", since);
    let before = fixture.traces("main", &machines);
    fixture.found_all("main", &machines).await;
    assert_eq!(fixture.traces("main", &machines), before, "a second time");
    assert_eq!(
        fixture.join("main", "b").await,
        Outcome::Done,
        "it is a voter already"
    );
    assert_eq!(fixture.traces("main", &machines), before);

    // Events beside it, and neither knows of the other.
    assert!(fixture.picture("events").await.is_empty());
    fixture.found_all("events", &machines).await;
    assert_eq!(fixture.picture("events").await, well);
    assert_eq!(fixture.traces("main", &machines), before);
    let [main, events] = [
        fixture.existing("main", "a").await,
        fixture.existing("events", "a").await,
    ];
    assert_ne!(main.id, events.id);
    assert_eq!(
        events.facts["client URL"],
        format!("https://{}:2382", fixture.host("a").address())
    );

    the_power_goes(&fixture).await;
}

async fn the_power_goes(fixture: &Fixture) {
    let leader = fixture.leader("main").await;
    let others: Vec<&str> = ["a", "b", "c"]
        .into_iter()
        .filter(|name| *name != leader)
        .collect();
    let since = Instant::now();
    fixture.host(&leader).power_cut().unwrap();
    let write = etcdctl("--command-timeout=200ms put failover done");
    while fixture.host(others[0]).run(&write).is_err() {
        assert!(since.elapsed() < Duration::from_secs(30), "no new leader");
        a_while().await;
    }
    figure("failover until a write", since);
    let picture = fixture.picture("main").await;
    let lost = picture.iter().find(|line| line.starts_with(&leader)).unwrap();
    assert!(
        lost.starts_with(&format!("{leader} Voter {leader} does not answer: ")),
        "{picture:?}"
    );
    assert_eq!(
        picture.iter().filter(|line| line.ends_with("healthy")).count(),
        2,
        "{picture:?}"
    );
    let refused = fixture.remove("main", others[0]).await;
    let (class, message) = rejected(&refused);
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("would lose its quorum"), "{message}");
    fixture.host(&leader).start().unwrap();
    fixture.host(&leader).wait_for_ssh().unwrap();
    fixture
        .expect("main", &["a Voter healthy", "b Voter healthy", "c Voter healthy"])
        .await;
    fixture
        .expect(
            "events",
            &["a Voter healthy", "b Voter healthy", "c Voter healthy"],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_to_five_loses_one_for_good_and_shrinks_to_three() {
    let Some(fixture) = fixture("growing", &LabOptions::with_hosts(6), 2048) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    let since = Instant::now();
    assert_eq!(fixture.join("main", "d").await, Outcome::Done);
    figure("a join", since);
    let before = fixture.traces("main", &["a", "d"]);
    assert_eq!(fixture.join("main", "d").await, Outcome::Done, "a second time");
    assert_eq!(fixture.traces("main", &["a", "d"]), before);
    assert_eq!(fixture.remove("main", "d").await, Outcome::Done);
    assert_eq!(
        fixture.picture("main").await,
        ["a Voter healthy", "b Voter healthy", "c Voter healthy"]
    );

    // Two at once: etcd takes one learner at a time, and the other waits.
    let since = Instant::now();
    let (d, e) = tokio::join!(fixture.join("main", "d"), fixture.join("main", "e"));
    figure("two joins at once", since);
    assert_eq!(
        (d, e),
        (Outcome::Done, Outcome::Done),
        "{:?}",
        fixture.told.lock().unwrap()
    );
    let five = ["a", "b", "c", "d", "e"].map(|name| format!("{name} Voter healthy"));
    assert_eq!(fixture.picture("main").await, five);

    // One is lost for good, and another takes its place.
    fixture.host("b").power_cut().unwrap();
    let doomed = fixture.existing("main", "b").await;
    let b = crate::fixture::key("main", "b");
    assert_eq!(fixture.delete(&b, doomed.clone()).await, Outcome::Done);
    assert_eq!(fixture.delete(&b, doomed).await, Outcome::Done, "a second time");
    assert_eq!(fixture.join("main", "f").await, Outcome::Done);
    let five = ["a", "c", "d", "e", "f"].map(|name| format!("{name} Voter healthy"));
    assert_eq!(fixture.picture("main").await, five);

    // What comes back finds itself removed, and what is left of it is not wanted any more.
    fixture.host("b").start().unwrap();
    fixture.host("b").wait_for_ssh().unwrap();
    let left = fixture.existing("main", "b").await;
    assert!(
        format!("{:?}", left.health).contains("does not list it any more"),
        "{left:?}"
    );
    assert_eq!(fixture.remove("main", "b").await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, five);
    fixture
        .host("b")
        .run("! systemctl is-active etcd.service && ! test -e /var/lib/etcd/member")
        .unwrap();

    for machine in ["e", "f"] {
        let since = Instant::now();
        let doomed = fixture.existing("main", machine).await;
        let key = crate::fixture::key("main", machine);
        assert_eq!(fixture.delete(&key, doomed.clone()).await, Outcome::Done);
        figure("a removal", since);
        assert_eq!(fixture.delete(&key, doomed).await, Outcome::Done, "a second time");
    }
    assert_eq!(
        fixture.picture("main").await,
        ["a Voter healthy", "c Voter healthy", "d Voter healthy"]
    );
}
