//! Writes: how a change comes into the world, from its first check to its effect.

use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::kinds::Kind;
use keelson_provider_api::{Action, Change, Clock, ClusterIdentity, ErrorClass, ProviderError, StepContext};

use crate::faults::Fault;
use crate::latency::drawn;
use crate::random::later;
use crate::simulated::{SimulatedWorld, holder_of};
use crate::world::{Call, Effect, Holder, Refusal, Thing, World};

/// A write that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    pub(crate) write: u64,
    pub(crate) at: Timestamp,
    pub(crate) fault: Option<Fault>,
    pub(crate) latency: Duration,
    pub(crate) hidden_for: Option<Duration>,
}

impl SimulatedWorld {
    /// Begins a write: counts it, checks its lease, refuses what cannot be, and draws what will go wrong.
    pub(crate) fn begin(&self, context: &StepContext, change: &Change) -> Result<Begun, ProviderError> {
        let write = self.count_write();
        self.maybe_strike(&context.cluster, write)?;
        let at = self.clock().now();
        self.write(context, change, at, |world, call| match decide(world, call) {
            Err(refusal) if refusal.error.class == ErrorClass::Permanent => Err(refusal),
            _ => Ok((Vec::new(), ())),
        })?;
        let mut state = self.lock();
        let count = state.faults.count(&change.to_string());
        let fault = state.faults.for_change(change, count);
        let slowness = if fault == Some(Fault::Slow) { 5 } else { 1 };
        let hidden_for = state.faults.visibility_delay(change, count);
        let options = self.options();
        Ok(Begun {
            write,
            at,
            fault,
            latency: drawn(options.like, options.seed, change, count) * slowness,
            hidden_for,
        })
    }

    /// A transaction in the name of `context`, refused when its lease has been overtaken.
    pub(crate) fn write<T>(
        &self,
        context: &StepContext,
        change: &Change,
        begun_at: Timestamp,
        decide: impl FnOnce(&World, &Call<'_>) -> Result<(Vec<Effect>, T), Refusal>,
    ) -> Result<T, ProviderError> {
        let holder = holder_of(&context.cluster)?;
        self.fenced(context, |world, now| {
            let call = Call {
                identity: &context.cluster,
                holder,
                change,
                now,
                begun_at,
            };
            decide(world, &call)
        })
    }

    /// What is done to machines that is no change of a resource, refused as well when its lease has been overtaken.
    pub(crate) fn deed(
        &self,
        context: &StepContext<'_>,
        decide: impl FnOnce(&World, &Holder, Timestamp) -> Result<Vec<Effect>, ProviderError>,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(&context.cluster)?;
        self.fenced(context, |world, now| Ok((decide(world, &holder, now)?, ())))
    }

    fn fenced<T>(
        &self,
        context: &StepContext<'_>,
        decide: impl FnOnce(&World, Timestamp) -> Result<(Vec<Effect>, T), Refusal>,
    ) -> Result<T, ProviderError> {
        let result = self.transact(|world, now| {
            let mut effects = match &context.cluster.uid {
                Some(uid) => world.fence(uid, context.fencing_generation)?,
                None => Vec::new(),
            };
            let (more, value) = decide(world, now)?;
            effects.extend(more);
            Ok((effects, value))
        });
        if matches!(&result, Err(error) if error.class == ErrorClass::Fenced) {
            self.lock().fenced += 1;
        }
        result
    }

    /// The effect of a write that has begun.
    pub(crate) fn commit(
        &self,
        context: &StepContext,
        change: &Change,
        begun: Begun,
    ) -> Result<(), ProviderError> {
        let before: Vec<(u64, Option<Thing>)> = self.write(context, change, begun.at, |world, call| {
            let effects = decide(world, call)?;
            let touched = effects
                .iter()
                .filter_map(|effect| match effect {
                    Effect::Put(thing) => Some(thing.serial),
                    Effect::Remove { serial } => Some(*serial),
                    _ => None,
                })
                .map(|serial| (serial, world.thing_by_serial(serial).cloned()))
                .collect();
            Ok((effects, touched))
        })?;
        let now = self.clock().now();
        let mut state = self.lock();
        if let Some(hidden_for) = begun.hidden_for.filter(|_| self.is_seen_late(change.key.kind())) {
            for (serial, was) in before {
                state.world.shade(serial, was, later(now, hidden_for));
            }
        }
        let is_noted =
            matches!(change.action, Action::Update { .. }) || change.key.kind() == Kind::GroupMachine;
        if let (true, Ok(holder)) = (is_noted, holder_of(&context.cluster)) {
            state.world.note_unavailable(&Call {
                identity: &context.cluster,
                holder,
                change,
                now,
                begun_at: begun.at,
            });
        }
        Ok(())
    }

    /// Infrastructure of clouds is eventually consistent; hosts and the cluster itself are asked directly.
    fn is_seen_late(&self, kind: Kind) -> bool {
        self.options().like.is_cloud() && crate::provider::is_infrastructure(kind)
    }

    /// Counts a write, and gives its number.
    pub(crate) fn count_write(&self) -> u64 {
        let mut state = self.lock();
        state.writes += 1;
        state.writes - 1
    }

    /// Lets a machine of the cluster die when the fault plan wants it at this write.
    fn maybe_strike(&self, cluster: &ClusterIdentity, write: u64) -> Result<(), ProviderError> {
        let holder = holder_of(cluster)?;
        let (death, dead) = {
            let state = self.lock();
            (state.faults.death(write), state.faults.dead.clone())
        };
        let Some((number, pause)) = death else {
            return Ok(());
        };
        let struck = self.transact(|world, now| {
            let mut mortal = world.mortal(now);
            mortal.retain(|machine| machine.holder == holder);
            mortal.retain(|machine| !dead.iter().any(|name| name == machine.key.name()));
            let count = u64::try_from(mortal.len()).unwrap_or(0);
            let index = number
                .checked_rem(count)
                .and_then(|index| usize::try_from(index).ok());
            let Some(machine) = index.and_then(|index| mortal.get(index)) else {
                return Ok((Vec::new(), None));
            };
            Ok((
                world.strike(machine, now, pause),
                Some(machine.key.name().to_owned()),
            ))
        })?;
        if let Some(name) = struck {
            let now = self.clock().now();
            let mut state = self.lock();
            state.faults.deaths += 1;
            state.faults.dead.push(name);
            state.world.note_strike(now);
        }
        Ok(())
    }
}

/// What a change does now.
fn decide(world: &World, call: &Call<'_>) -> Result<Vec<Effect>, Refusal> {
    match &call.change.action {
        Action::Create { resource, generation } => world.create(call, resource, *generation),
        Action::Update { id, resource, .. } => world.update(call, id, resource),
        Action::Delete { existing } => world.delete(call, existing),
    }
}
