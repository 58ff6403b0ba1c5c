//! A cluster forms, and loses a machine's power.

use std::time::{Duration, Instant};

use keelson_provider_api::{ErrorClass, Outcome};
use keelson_test_hosts::LabOptions;

use super::{figure, rejected, sleep};
use crate::fixture::{Fixture, etcdctl, fixture};

#[tokio::test(flavor = "multi_thread")]
async fn three_founders_form_a_cluster_and_doing_it_again_changes_nothing() {
    let Some(fixture) = fixture("founding", &LabOptions::with_hosts(3), 2048) else {
        return;
    };
    let machines = ["a", "b", "c"];
    let since = Instant::now();
    fixture.found_all("main", &machines).await;
    figure("3 founders", since);
    for machine in machines {
        own_time(&fixture, machine);
    }
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

/// How long etcd itself took from its start to being ready.
#[expect(
    clippy::print_stderr,
    reason = "figures are for the reader of the test's output"
)]
fn own_time(fixture: &Fixture, machine: &str) {
    let moments = "systemctl show etcd.service --value --property=InactiveExitTimestampMonotonic \
                   --property=ActiveEnterTimestampMonotonic";
    let moments = fixture.host(machine).run(moments).unwrap();
    let moments: Vec<u64> = moments.lines().map(|line| line.parse().unwrap()).collect();
    let took = moments[0].abs_diff(moments[1]);
    eprintln!("figure: etcd on {machine} was ready after {} ms", took / 1000);
}

async fn the_power_goes(fixture: &Fixture) {
    let leader = fixture.leader("main").await;
    let others: Vec<&str> = ["a", "b", "c"]
        .into_iter()
        .filter(|name| *name != leader)
        .collect();
    let since = Instant::now();
    fixture.host(&leader).power_cut().unwrap();
    let write = etcdctl("--command-timeout=2s put failover done");
    while fixture.host(others[0]).run(&write).is_err() {
        assert!(since.elapsed() < Duration::from_secs(90), "no new leader");
        sleep(100).await;
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
