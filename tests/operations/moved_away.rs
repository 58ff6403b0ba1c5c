//! A cluster that is as the spec says, and moves away from it while it is waited for to work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use keelson::execute::{Interrupt, Silent};
use keelson::ops::{ApplyOptions, AutoApprove, OperationError, Session, SessionParts};
use keelson_provider_api::{Change, Health, Kind, KindObservation, Observed, Outcome, Provider, StepContext};
use keelson_provider_simulated::MemoryStore;

use super::{block_on, session};
use crate::simulation::between::{Between, watched};

/// In the first look that finds nodes they are not ready yet, in those after it they are gone.
#[derive(Default)]
struct NodesGo {
    looks: AtomicU32,
}

#[async_trait]
impl Between for NodesGo {
    async fn carry_out(
        &self,
        provider: &dyn Provider,
        context: &StepContext<'_>,
        change: &Change,
    ) -> Outcome {
        provider.carry_out(context, change).await
    }

    fn change_seen(&self, seen: &mut KindObservation) {
        let nodes = seen.found.iter_mut().filter(|(key, _)| key.kind() == Kind::Node);
        let there: Vec<&mut Observed<_>> = nodes
            .map(|(_, observed)| observed)
            .filter(|observed| matches!(observed, Observed::Present(_)))
            .collect();
        if there.is_empty() {
            return;
        }
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        for observed in there {
            match observed {
                Observed::Present(existing) if look == 0 => {
                    existing.health = Health::Unhealthy("it is not ready yet".to_owned());
                }
                other => *other = Observed::Absent,
            }
        }
    }
}

#[test]
fn a_change_while_it_settles_is_told_as_what_it_is() {
    let (plain, world) = session();
    let nodes_go: Arc<dyn Between> = Arc::new(NodesGo::default());
    let session = Session::new(SessionParts::simulated(
        plain.spec().clone(),
        watched(&world, &nodes_go),
        Arc::new(MemoryStore::new()),
        world.clock(),
        "test",
    ));
    let applied = block_on(session.apply(&ApplyOptions::default(), &AutoApprove, &Silent, &Interrupt::new()));
    assert!(matches!(applied, Err(OperationError::MovedAway)), "{applied:?}");
}
