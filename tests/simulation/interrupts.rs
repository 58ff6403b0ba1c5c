//! A stop at any moment of a create: what is in flight is finished, nothing fails, the lease is free at once, and the
//! next run goes on.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use keelson::execute::{Event, Interrupt, Reporter, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, ClusterRecord, OperationError};
use keelson_provider_api::Store;

use super::life::{Life, NAME, Operation, Run, block_on};
use super::specs::Shape;

/// Asks for the stop at the so-manieth event.
struct StopAt {
    interrupt: Interrupt,
    event: usize,
    seen: AtomicUsize,
    /// The etcd clusters that have got members.
    begun: Mutex<BTreeSet<String>>,
}

impl Reporter for StopAt {
    fn report(&self, event: &Event) {
        if let Event::StepDone { key, .. } = event
            && let Some(cluster) = key.etcd_cluster()
        {
            self.begun.lock().unwrap().insert(cluster.to_owned());
        }
        if self.seen.fetch_add(1, Ordering::Relaxed) == self.event {
            self.interrupt.stop();
        }
    }
}

#[test]
fn a_stop_at_any_event_leaves_the_lease_free_and_nothing_failed() {
    let mut stopped = 0;
    for seed in 0..6 {
        let shape = Shape {
            control_planes: 3,
            separate_events: seed % 2 == 0,
            ..Shape::of_seed(seed)
        };
        for event in (0..120).step_by(3) {
            block_on(async {
                let mut life = Life::new(seed, &shape);
                let session = life.session(shape.spec(NAME, seed));
                let interrupt = Interrupt::new();
                let reporter = StopAt {
                    interrupt: interrupt.clone(),
                    event,
                    seen: AtomicUsize::new(0),
                    begun: Mutex::default(),
                };
                let options = ApplyOptions::default();
                match session.apply(&options, &AutoApprove, &reporter, &interrupt).await {
                    Ok(_) => {}
                    Err(OperationError::Interrupted(_)) => stopped += 1,
                    Err(error) => panic!("seed {seed}, event {event}: {error:?}"),
                }
                if let Some(record) = life.store.read(&format!("{NAME}/cluster.json")).await.unwrap() {
                    let record: ClusterRecord = serde_json::from_slice(&record.content).unwrap();
                    assert_eq!(
                        record.etcd_clusters,
                        *reporter.begun.lock().unwrap(),
                        "seed {seed}, event {event}: what has data is written down"
                    );
                }
                let operation = Operation::Apply(shape.clone());
                let again = life.run(&operation, &Silent).await;
                assert!(
                    matches!(again, Run::Done),
                    "seed {seed}, event {event}: {again:?}"
                );
                life.check(&operation).await.unwrap();
            });
        }
    }
    assert!(stopped > 120, "{stopped} runs were stopped");
}
