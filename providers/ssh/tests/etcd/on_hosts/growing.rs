//! A cluster grows and shrinks.

use std::time::Instant;

use keelson_provider_api::Outcome;
use keelson_test_hosts::LabOptions;

use super::{figure, sleep};
use crate::fixture::{fixture, key};

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_to_five_loses_one_for_good_and_shrinks_to_three() {
    let Some(fixture) = fixture("growing", &LabOptions::with_hosts(6), 2048) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    // etcd takes a new member only when the others have been connected for five seconds.
    sleep(6000).await;
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
    let b = key("main", "b");
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

    // Back to three, the leader each time.
    for _ in 0..2 {
        let machine = fixture.leader("main").await;
        let doomed = fixture.existing("main", &machine).await;
        let key = key("main", &machine);
        let since = Instant::now();
        assert_eq!(fixture.delete(&key, doomed.clone()).await, Outcome::Done);
        figure("a removal of the leader", since);
        assert!(fixture.was_told(&format!("main:{machine}: let another member lead")));
        assert_eq!(fixture.delete(&key, doomed).await, Outcome::Done, "a second time");
    }
    let picture = fixture.picture("main").await;
    assert!(
        picture.len() == 3 && picture.iter().all(|line| line.ends_with(" Voter healthy")),
        "{picture:?}"
    );
}
