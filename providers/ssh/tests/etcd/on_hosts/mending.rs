//! What goes wrong halfway is mended.

use std::time::Duration;

use keelson_provider_api::{Observed, Outcome};
use keelson_test_hosts::LabOptions;

use super::sleep;
use crate::fixture::{Fixture, etcdctl, fixture, key};

const WELL: [&str; 4] = [
    "a Voter healthy",
    "b Voter healthy",
    "c Voter healthy",
    "d Voter healthy",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_goes_on_from_where_it_is() {
    let Some(fixture) = fixture("mending", &LabOptions::with_hosts(5), 2048) else {
        return;
    };
    a_power_cut_between_two_writes_is_mended(&fixture).await;
    founders_that_are_interrupted_form_a_cluster_all_the_same(&fixture).await;
    one_learner_at_a_time(&fixture).await;
    removed_behind_our_back(&fixture).await;
    a_machine_that_was_made_anew(&fixture).await;
    a_disk_that_comes_back_empty(&fixture).await;
    joins_and_removals_that_are_interrupted(&fixture).await;
}

/// What is to be written next cannot be: as if the power had gone just before.
async fn a_power_cut_between_two_writes_is_mended(fixture: &Fixture) {
    let host = fixture.host("a");
    for file in ["/etc/etcd/main.member.env", "/var/lib/keelson/etcd-main.json"] {
        host.run(&format!("mkdir -p {file}.new")).unwrap();
        let cut = fixture.found("main", "a", &["a"]).await;
        assert!(matches!(cut, Outcome::Indeterminate(_)), "{file}: {cut:?}");
        host.run(&format!("rmdir {file}.new")).unwrap();
    }
    assert_eq!(fixture.found("main", "a", &["a"]).await, Outcome::Done);
    fixture.wipe("a", "uid-1").await;
    // Where it was given back before it was mended, nothing is left of it.
    host.run("mkdir -p /var/lib/keelson/etcd-main.json.new").unwrap();
    let cut = fixture.found("main", "a", &["a"]).await;
    assert!(matches!(cut, Outcome::Indeterminate(_)), "{cut:?}");
    host.run("rmdir /var/lib/keelson/etcd-main.json.new && ls /etc/etcd/main.member.env")
        .unwrap();
    fixture.wipe("a", "uid-1").await;
    host.run("! test -e /etc/etcd/main.member.env").unwrap();
}

async fn founders_that_are_interrupted_form_a_cluster_all_the_same(fixture: &Fixture) {
    let founders = ["a", "b", "c"];
    // It is begun with others, and then over again: both wait for who is not there, and neither fails.
    for others in [&founders[..2], &founders] {
        let alone = tokio::time::timeout(Duration::from_secs(5), fixture.found("main", "a", others)).await;
        assert!(alone.is_err(), "{others:?}: {alone:?}");
    }
    for patience in [100, 300, 900] {
        let alone = fixture.found("main", "a", &founders);
        tokio::time::timeout(Duration::from_millis(patience), alone)
            .await
            .ok();
    }
    // The scripts of those that were interrupted go on.
    fixture
        .expect("main", &["a Waiting it waits for the other initial members"])
        .await;
    // Two make a quorum, and the third comes late, to a cluster that has formed.
    let (a, b) = tokio::join!(
        fixture.found("main", "a", &founders),
        fixture.found("main", "b", &founders)
    );
    assert_eq!((a, b), (Outcome::Done, Outcome::Done));
    assert_eq!(fixture.seen(&key("main", "c")).await, Observed::Absent);
    assert_eq!(fixture.found("main", "c", &founders).await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL[..3]);
}

/// Another's learner is on the list and not there yet: the next one waits for it, and the first goes on.
async fn one_learner_at_a_time(fixture: &Fixture) {
    let address = fixture.host("d").address();
    let add = etcdctl(&format!(
        "--command-timeout=20s member add d --learner --peer-urls=https://{address}:2380"
    ));
    // etcd takes no other in until all that are there have been connected for five seconds.
    let add = format!("for n in $(seq 60); do if {add}; then exit 0; fi; sleep 0.5; done; exit 1");
    fixture.host("a").run(&add).unwrap();
    assert_eq!(
        fixture.seen(&key("main", "d")).await,
        Observed::Absent,
        "it was never begun"
    );
    let first = async {
        while !fixture.was_told("main:e: wait for another member that is learning") {
            sleep(100).await;
        }
        fixture.join("main", "d").await
    };
    let (d, e) = tokio::join!(first, fixture.join("main", "e"));
    assert_eq!((d, e), (Outcome::Done, Outcome::Done));
    assert_eq!(fixture.remove("main", "e").await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL);
}

async fn removed_behind_our_back(fixture: &Fixture) {
    let id = fixture.existing("main", "d").await.id;
    fixture
        .host("a")
        .run(&etcdctl(&format!("member remove {id}")))
        .unwrap();
    let left = fixture.picture("main").await;
    assert!(
        left[3].starts_with("d Waiting etcd main does not list it any more"),
        "{left:?}"
    );
    assert_eq!(fixture.update("main", "d").await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL);
    assert_ne!(fixture.existing("main", "d").await.id, id);
    let host = fixture.host("d");
    host.run("ls -d /var/lib/etcd/removed-*/member").unwrap();

    // Learners that came to nothing do not push out what had voted.
    host.run(
        "cd /var/lib/etcd && for number in 1 2 3; do mkdir -p removed-9$number/member; \
         sed 's/\"voted\": *true/\"voted\":false/' removed-2*/mark.json >removed-9$number/mark.json; done",
    )
    .unwrap();
    let id = fixture.existing("main", "d").await.id;
    fixture
        .host("a")
        .run(&etcdctl(&format!("member remove {id}")))
        .unwrap();
    assert_eq!(fixture.update("main", "d").await, Outcome::Done);
    assert_eq!(
        host.run("cd /var/lib/etcd && ls -d removed-* | cut -c 1-10")
            .unwrap(),
        "removed-20\nremoved-92\nremoved-93\n"
    );
}

async fn a_machine_that_was_made_anew(fixture: &Fixture) {
    fixture.wipe("d", "uid-1").await;
    let gone = fixture.existing("main", "d").await;
    assert_eq!(gone.host_id.as_deref(), Some("gone"), "{gone:?}");
    assert_eq!(fixture.delete(&key("main", "d"), gone).await, Outcome::Done);
    assert_eq!(fixture.join("main", "d").await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL);

    // The same without the delete: the dead entry is taken off the list before the machine joins.
    fixture.wipe("d", "uid-1").await;
    assert_eq!(fixture.join("main", "d").await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL);
}

/// A founder and one that joined: neither comes in by itself without what it voted for.
async fn a_disk_that_comes_back_empty(fixture: &Fixture) {
    for machine in ["a", "d"] {
        let host = fixture.host(machine);
        // Until etcd has tried, and said that it cannot.
        let empty = "since=$(date +%s); systemctl stop etcd.service && rm -r /var/lib/etcd/member && \
                     systemctl start --no-block etcd.service && for n in $(seq 300); do \
                     journalctl --unit etcd.service --since \"@$since\" | \
                     grep -q 'cannot fetch cluster info from peer urls' && exit 0; sleep 0.1; done; exit 1";
        host.run(empty)
            .unwrap_or_else(|error| panic!("{error}: {}", host.journal("etcd.service").unwrap()));
        let seen = fixture.existing("main", machine).await;
        assert!(
            format!("{:?}", seen.health).contains("it has no data in /var/lib/etcd"),
            "{seen:?}"
        );
        host.run("systemctl is-active etcd.service; test $? -ne 0")
            .unwrap();
        assert_eq!(fixture.remove("main", machine).await, Outcome::Done);
        assert_eq!(fixture.join("main", machine).await, Outcome::Done);
        assert_eq!(fixture.picture("main").await, WELL);
    }
}

async fn joins_and_removals_that_are_interrupted(fixture: &Fixture) {
    for patience in [400, 700, 1000, 1500, 2500] {
        let patience = Duration::from_millis(patience);
        tokio::time::timeout(patience, fixture.join("main", "e"))
            .await
            .ok();
        let seen = fixture.seen(&key("main", "e")).await;
        assert!(!matches!(seen, Observed::Unknown(_)), "{seen:?}");
    }
    assert_eq!(fixture.join("main", "e").await, Outcome::Done);
    let (key, doomed) = (key("main", "e"), fixture.existing("main", "e").await);
    for patience in [400, 600, 800, 1000] {
        let patience = Duration::from_millis(patience);
        let delete = fixture.delete(&key, doomed.clone());
        tokio::time::timeout(patience, delete).await.ok();
    }
    assert_eq!(fixture.delete(&key, doomed).await, Outcome::Done);
    assert_eq!(fixture.picture("main").await, WELL);
}
