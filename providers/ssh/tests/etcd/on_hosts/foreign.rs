//! What is not the cluster's is not touched, and a run that has lost the lease touches nothing.

use keelson_provider_api::{ErrorClass, Observed, Outcome, Owner};
use keelson_test_hosts::LabOptions;

use super::rejected;
use crate::fixture::{Fixture, fixture, identity, key};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_someone_elses_stays() {
    let Some(mut fixture) = fixture("foreign", &LabOptions::with_hosts(3), 2048) else {
        return;
    };
    fixture.found_all("main", &["a"]).await;
    let before = fixture.traces("main", &["a"]);
    let first = fixture.existing("main", "a").await;
    let refused = fixture.remove("main", "a").await;
    assert!(
        rejected(&refused).1.contains("the only voter of etcd main"),
        "{refused:?}"
    );

    // Another life of the cluster comes to the same machines.
    fixture.identity = identity("uid-2");
    for machine in ["a", "b"] {
        let refused = fixture.found("main", machine, &["a", "b"]).await;
        let (class, message) = rejected(&refused);
        assert_eq!(class, ErrorClass::Permanent);
        assert!(
            message.starts_with("a has a member of etcd main of the cluster prod.example.com"),
            "{message}"
        );
    }
    assert_eq!(
        rejected(&fixture.join("main", "a").await).0,
        ErrorClass::Permanent
    );
    let Observed::Present(seen) = fixture.seen(&key("main", "a")).await else {
        panic!("it is in the way")
    };
    assert!(
        matches!(&seen.owner, Owner::Other(owner) if owner.contains("uid-1")),
        "{seen:?}"
    );
    rejected(&fixture.delete(&key("main", "a"), seen).await);
    // Whatever it may take for its own.
    assert_eq!(fixture.delete(&key("main", "a"), first).await, Outcome::Done);
    fixture.wipe("a", "uid-2").await;
    assert_eq!(fixture.traces("main", &["a"]), before);
    assert!(fixture.picture("main").await.is_empty());

    data_without_a_mark(&fixture).await;
    a_founder_that_is_silent(&fixture).await;
    fixture.identity = identity("uid-1");
    a_later_run_has_the_say(&mut fixture).await;
    a_machine_that_is_given_back_has_nothing(&fixture).await;
}

async fn data_without_a_mark(fixture: &Fixture) {
    let host = fixture.host("b");
    host.run("mkdir -p /var/lib/etcd/member/wal && echo precious >/var/lib/etcd/member/wal/0")
        .unwrap();
    let refused = fixture.found("main", "b", &["b"]).await;
    let (class, message) = rejected(&refused);
    assert_eq!(class, ErrorClass::Permanent);
    assert_eq!(
        message,
        "/var/lib/etcd on b has data that no mark of keelson's explains"
    );
    assert_eq!(
        rejected(&fixture.join("main", "b").await).0,
        ErrorClass::Permanent
    );
    assert!(
        rejected(&fixture.found("main", "c", &["b", "c"]).await)
            .1
            .contains("on b has data")
    );
    fixture.wipe("b", "uid-2").await;
    assert_eq!(host.run("cat /var/lib/etcd/member/wal/0").unwrap(), "precious\n");
    host.run("rm -r /var/lib/etcd/member").unwrap();
}

async fn a_founder_that_is_silent(fixture: &Fixture) {
    fixture.host("c").power_cut().unwrap();
    let refused = fixture.found("main", "b", &["b", "c"]).await;
    let (class, message) = rejected(&refused);
    assert_eq!(class, ErrorClass::Unreachable);
    assert!(
        message.starts_with("c, a founder of etcd main, does not answer"),
        "{message}"
    );
    fixture
        .host("b")
        .run("! test -e /var/lib/keelson/etcd-main.json")
        .unwrap();
    fixture.host("c").start().unwrap();
    fixture.host("c").wait_for_ssh().unwrap();
}

async fn a_later_run_has_the_say(fixture: &mut Fixture) {
    fixture.generation = 5;
    assert_eq!(fixture.snapshot("main:later", "main").await, Outcome::Done);
    fixture.generation = 4;
    let class = ErrorClass::Fenced;
    let message = "a: a later run of keelson, generation 5, has been on this machine";
    assert_eq!(
        rejected(&fixture.snapshot("main:earlier", "main").await),
        (class, message)
    );
    fixture.generation = 5;
}

async fn a_machine_that_is_given_back_has_nothing(fixture: &Fixture) {
    for _ in 0..2 {
        fixture.wipe("a", "uid-1").await;
        let left = fixture
            .host("a")
            .run(
                "ls -d /var/lib/etcd/* /var/lib/etcd*.removed* /var/lib/keelson/etcd* /var/lib/keelson/snapshots \
                 /etc/etcd/*.member.env 2>/dev/null; systemctl is-enabled etcd.service; systemctl is-active \
                 etcd.service; true",
            )
            .unwrap();
        assert_eq!(left, "disabled\ninactive\n");
    }
    assert!(fixture.picture("main").await.is_empty());
}
