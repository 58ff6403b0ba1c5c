//! A member is cut off while a client writes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use keelson_test_hosts::LabOptions;

use super::{figure, sleep};
use crate::fixture::{etcdctl, fixture};

/// Writes 15,000 keys, more than a thousand a second where the machine is not busy: 120 at once, to the endpoints in `$1`. Says
/// which batches were acknowledged. etcd takes up to 128 operations in a transaction.
const WRITER: &str = r#"
batch=0
while [ "$batch" -lt 125 ]; do
    batch=$((batch + 1))
    (
        { echo; for n in $(seq 120); do echo "put k/$batch/$n x"; done; echo; echo; } |
            CTL --endpoints="$1" --command-timeout=2s txn >/dev/null 2>&1 && echo "$batch"
    ) &
    sleep 0.08
done
wait
"#;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_when_the_leader_is_cut_off() {
    let Some(fixture) = fixture("cutting", &LabOptions::with_hosts(3), 2048) else {
        return;
    };
    fixture.found_all("main", &["a", "b", "c"]).await;
    let leader = fixture.leader("main").await;
    let others: Vec<_> = fixture
        .lab
        .hosts()
        .iter()
        .filter(|host| host.name() != leader)
        .collect();
    let endpoints: Vec<String> = others
        .iter()
        .map(|host| format!("https://{}:2379", host.address()))
        .collect();
    let certificates = "env ETCDCTL_API=3 /opt/keelson/bin/etcdctl --cacert=/etc/etcd/pki/ca.crt \
                        --cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key";
    let writer = WRITER.replace("CTL", certificates);
    others[0].write_file("/tmp/writer", writer).unwrap();
    let command = format!("sh /tmp/writer {}", endpoints.join(","));
    let begun = Instant::now();
    let (acknowledged, took) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| others[0].run(&command).unwrap());
        std::thread::sleep(Duration::from_secs(3));
        fixture.host(&leader).cut_network().unwrap();
        let acknowledged = writer.join().unwrap();
        let batches = acknowledged.lines().map(|line| line.parse::<u32>().unwrap());
        (batches.collect::<BTreeSet<u32>>(), begun.elapsed())
    });

    let picture = fixture.picture("main").await;
    let cut = picture.iter().find(|line| line.starts_with(&leader)).unwrap();
    assert!(
        cut.contains(&format!("Voter {leader} does not answer")),
        "{picture:?}"
    );
    assert_eq!(
        picture.iter().filter(|line| line.ends_with(" healthy")).count(),
        2,
        "{picture:?}"
    );
    let since = Instant::now();
    fixture.host(&leader).heal_network().unwrap();
    fixture
        .expect("main", &["a Voter healthy", "b Voter healthy", "c Voter healthy"])
        .await;
    figure("back after a cut", since);

    let last = *acknowledged.last().unwrap();
    assert!(acknowledged.len() > 60 && last > 100, "{acknowledged:?}");
    eprintln_count(&acknowledged, took);
    sleep(1000).await;
    for host in fixture.lab.hosts() {
        let keys = host
            .run(&etcdctl("get k/ --prefix --keys-only --consistency=s"))
            .unwrap();
        let keys: BTreeSet<&str> = keys.lines().filter(|line| !line.is_empty()).collect();
        for batch in &acknowledged {
            for n in 1..=120 {
                assert!(
                    keys.contains(format!("k/{batch}/{n}").as_str()),
                    "{}: {batch}",
                    host.name()
                );
            }
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "figures are for the reader of the test's output"
)]
fn eprintln_count(acknowledged: &BTreeSet<u32>, took: Duration) {
    eprintln!(
        "figure: {} of 125 transactions of 120 keys were acknowledged in {took:.1?}",
        acknowledged.len()
    );
}
