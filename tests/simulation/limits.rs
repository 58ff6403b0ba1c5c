//! A provider is given no more changes at once than it takes, and not fewer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{ApplyOptions, AutoApprove};
use keelson_provider_api::{Change, Outcome, Provider, StepContext};
use keelson_provider_simulated::SimulatedProvider;

use super::between::{Between, session_with};
use super::life::{Life, NAME, block_on};
use super::specs::Shape;

/// How many calls of a provider are in flight, and how many there were at most.
#[derive(Default)]
struct Calls {
    now: usize,
    most: usize,
}

/// Counts the calls of each provider, by its name.
#[derive(Default)]
struct Counting {
    calls: Mutex<BTreeMap<String, Calls>>,
}

#[async_trait]
impl Between for Counting {
    async fn carry_out(
        &self,
        provider: &dyn Provider,
        context: &StepContext<'_>,
        change: &Change,
    ) -> Outcome {
        {
            let mut all = self.calls.lock().unwrap();
            let calls = all.entry(provider.name().to_owned()).or_default();
            calls.now += 1;
            calls.most = calls.most.max(calls.now);
        }
        let outcome = provider.carry_out(context, change).await;
        self.calls.lock().unwrap().get_mut(provider.name()).unwrap().now -= 1;
        outcome
    }
}

#[test]
fn each_provider_is_given_as_much_at_once_as_it_takes_and_no_more() {
    for (cloud, hosts) in [(4, 3), (3, 5)] {
        let shape = Shape {
            like: "digitalocean",
            control_planes: 3,
            dedicated_etcd: false,
            workers: 12,
            ..Shape::of_seed(1)
        };
        let life = Life::new(1, &shape);
        let counting = Arc::new(Counting::default());
        let between: Arc<dyn Between> = counting.clone();
        let providers: Vec<Arc<dyn Provider>> = vec![
            Arc::new(SimulatedProvider::cloud(&life.world, cloud)),
            Arc::new(SimulatedProvider::hosts(&life.world, hosts)),
        ];
        let session = session_with(&life, shape.spec(NAME, 1), providers, &between);
        block_on(async {
            session
                .apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new())
                .await
                .unwrap();
            let planned = session.plan(&Silent).await.unwrap();
            assert!(planned.plan.is_empty(), "{:?}", planned.report);
        });
        let calls = counting.calls.lock().unwrap();
        let most: Vec<(&str, usize)> = calls
            .iter()
            .map(|(name, calls)| (name.as_str(), calls.most))
            .collect();
        assert_eq!(most, [("simulated-cloud", cloud), ("simulated-hosts", hosts)]);
    }
}
