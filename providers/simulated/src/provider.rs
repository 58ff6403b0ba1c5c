//! The world as providers see it: one for the cloud's infrastructure, one for machines and what runs on them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keelson_provider_api::kinds::{KINDS, Kind, Lifetime};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ErrorClass, KindObservation, Outcome, Provider, ProviderError,
    ResourceKey, StepContext,
};

use crate::faults::{CrashMoment, Fault};
use crate::latency::{DRAIN, LOOK, drains, typical};
use crate::random::later;
use crate::simulated::SimulatedWorld;
use crate::world::{Call, Settled, World};
use crate::write::Begun;

/// How many changes a provider takes at once unless the caller says otherwise.
const CONCURRENCY: usize = 128;

/// How long a change waits for what it needs, and for what it made to work.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it looks meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// One side of a simulated world.
#[derive(Debug, Clone)]
pub struct SimulatedProvider {
    world: SimulatedWorld,
    name: &'static str,
    kinds: Vec<Kind>,
    concurrency_limit: usize,
}

/// True for the kinds that `simulated-cloud` looks after.
pub(crate) fn is_infrastructure(kind: Kind) -> bool {
    kind == Kind::Leftover || matches!(kind.info().lifetime, Lifetime::Own | Lifetime::Group)
}

/// Both sides of `world`: `simulated-cloud` and `simulated-hosts`.
pub fn providers(world: &SimulatedWorld) -> Vec<Arc<dyn Provider>> {
    vec![
        Arc::new(SimulatedProvider::cloud(world, CONCURRENCY)),
        Arc::new(SimulatedProvider::hosts(world, CONCURRENCY)),
    ]
}

impl SimulatedProvider {
    /// The infrastructure of `world`: networks, load balancers, DNS, machines.
    pub fn cloud(world: &SimulatedWorld, concurrency_limit: usize) -> Self {
        Self::side(world, "simulated-cloud", true, concurrency_limit)
    }

    /// What runs on the machines of `world`, and the snapshots that are taken there.
    pub fn hosts(world: &SimulatedWorld, concurrency_limit: usize) -> Self {
        Self::side(world, "simulated-hosts", false, concurrency_limit)
    }

    fn side(
        world: &SimulatedWorld,
        name: &'static str,
        infrastructure: bool,
        concurrency_limit: usize,
    ) -> Self {
        let kinds = KINDS
            .iter()
            .map(|info| info.kind)
            .filter(|&kind| is_infrastructure(kind) == infrastructure);
        Self {
            world: world.clone(),
            name,
            kinds: kinds.collect(),
            concurrency_limit,
        }
    }

    async fn sleep(&self, duration: Duration) {
        self.world.clock().sleep(duration).await;
        self.world.alive().await;
    }

    async fn attempt(&self, context: &StepContext<'_>, change: &Change) -> Result<(), Outcome> {
        self.world.alive().await;
        let begun = self.world.begin(context, change).map_err(Outcome::Rejected)?;
        if let Some(fault @ (Fault::Before | Fault::Throttled)) = begun.fault {
            self.sleep(LOOK).await;
            return Err(Outcome::Rejected(fault.error()));
        }
        self.wait_for_ground(context, change, begun).await?;
        if drains(change) {
            let pause = DRAIN.saturating_add(begun.latency);
            self.world
                .write(context, change, begun.at, |world, call| {
                    Ok((world.cordon(call, pause).into_iter().collect(), ()))
                })
                .map_err(Outcome::Rejected)?;
            self.sleep(DRAIN).await;
        }
        self.sleep(begun.latency).await;
        self.world
            .crash_here(begun.write, CrashMoment::BeforeEffect)
            .await;
        self.world
            .commit(context, change, begun)
            .map_err(Outcome::Rejected)?;
        self.world.crash_here(begun.write, CrashMoment::AfterEffect).await;
        if begun.fault == Some(Fault::After) {
            return Err(Outcome::Indeterminate(Fault::After.error()));
        }
        self.wait_for_result(context, change, begun).await
    }

    /// Waits for what the change stands on. Nothing has been done yet.
    async fn wait_for_ground(
        &self,
        context: &StepContext<'_>,
        change: &Change,
        begun: Begun,
    ) -> Result<(), Outcome> {
        if is_infrastructure(change.key.kind()) {
            return Ok(());
        }
        let deadline = later(begun.at, PATIENCE);
        loop {
            let (waiting, now) = self
                .world
                .write(context, change, begun.at, |world, call| {
                    Ok((Vec::new(), (ground(world, call), call.now)))
                })
                .map_err(Outcome::Rejected)?;
            let Some(why) = waiting else {
                return Ok(());
            };
            if now >= deadline {
                return Err(Outcome::Rejected(out_of_patience(change, &why)));
            }
            self.sleep(PAUSE).await;
        }
    }

    /// Waits until what was made works. The effect is there, so whatever ends this early leaves a change of which
    /// the caller has to look what became of it.
    async fn wait_for_result(
        &self,
        context: &StepContext<'_>,
        change: &Change,
        begun: Begun,
    ) -> Result<(), Outcome> {
        let kind = change.key.kind();
        let is_group = matches!(kind, Kind::NodeGroup | Kind::GroupMachine);
        let is_delete = matches!(change.action, Action::Delete { .. });
        if !is_group && (is_infrastructure(kind) || is_delete) {
            return Ok(());
        }
        let deadline = later(self.world.clock().now(), PATIENCE);
        loop {
            let (why, now) = match self
                .settle(context, change, begun.at)
                .map_err(Outcome::Indeterminate)?
            {
                (Settled::Done, _) => return Ok(()),
                (Settled::Next(_), _) => continue,
                (Settled::Lost(why), _) => {
                    return Err(Outcome::Indeterminate(ProviderError::new(
                        ErrorClass::Transient,
                        why,
                    )));
                }
                (Settled::Waiting(why), now) => (why, now),
            };
            if now >= deadline {
                return Err(Outcome::Indeterminate(out_of_patience(change, &why)));
            }
            self.sleep(PAUSE).await;
        }
    }

    fn settle(
        &self,
        context: &StepContext<'_>,
        change: &Change,
        begun_at: Timestamp,
    ) -> Result<(Settled, Timestamp), ProviderError> {
        self.world.write(context, change, begun_at, |world, call| {
            let settled = world.settled(call);
            let effects = match &settled {
                Settled::Next(effects) => effects.clone(),
                _ => Vec::new(),
            };
            Ok((effects, (settled, call.now)))
        })
    }
}

fn ground(world: &World, call: &Call<'_>) -> Option<String> {
    match &call.change.action {
        Action::Create { resource, .. } => world.create_waits_for(call, resource),
        Action::Update { .. } => None,
        Action::Delete { .. } => world.delete_waits_for(call),
    }
}

fn out_of_patience(change: &Change, why: &str) -> ProviderError {
    let minutes = PATIENCE.as_secs() / 60;
    ProviderError::new(
        ErrorClass::Transient,
        format!("{} did not become ready in {minutes}m: {why}", change.key),
    )
}

#[async_trait]
impl Provider for SimulatedProvider {
    fn name(&self) -> &str {
        self.name
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    fn concurrency_limit(&self) -> usize {
        self.concurrency_limit
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        typical(self.world.options().like, change)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        self.world.alive().await;
        let fault = self.world.lock().faults.for_look(kind);
        self.sleep(LOOK).await;
        match fault {
            Some(error) => Err(error),
            None => self
                .world
                .look(|world, now| world.observe(cluster, kind, wanted, now)),
        }
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        match self.attempt(context, change).await {
            Ok(()) => Outcome::Done,
            Err(outcome) => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
