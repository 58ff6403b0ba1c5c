//! The handle to a world: what providers, tests and commands share.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use keelson_provider_api::{
    Clock, ClusterIdentity, ErrorClass, Existing, ProviderError, Resource, ResourceKey, with_causes,
};
use tokio::sync::watch;

use crate::clock::VirtualClock;
use crate::faults::{CrashMoment, CrashPoint, FaultPlan, Faults};
use crate::log::{Locked, WorldLog, WorldLogError};
use crate::options::SimulatedOptions;
use crate::world::{Effect, EtcdCopy, Holder, Refusal, Violation, World};

/// A world, and the clock that it runs on. Clones share both.
#[derive(Debug, Clone)]
pub struct SimulatedWorld {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: SimulatedOptions,
    clock: Arc<VirtualClock>,
    state: Mutex<State>,
    crashed: watch::Sender<bool>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    log: Option<WorldLog>,
    pub(crate) faults: Faults,
    pub(crate) writes: u64,
    pub(crate) fenced: u64,
}

impl Drop for Shared {
    /// Whoever changed the world and then waited, until nodes were Ready, leaves that moment to the next process: time does
    /// not go back between two commands.
    fn drop(&mut self) {
        let now = self.clock.now();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.writes == 0 {
            return;
        }
        if let Some(log) = &mut state.log {
            // A process that ends waits for nobody, and nothing is wrong with a world whose time is a little behind.
            let _ = log.pass_time(&mut state.world, now, || {
                World::new(self.options.like, self.options.seed, self.options.start)
            });
        }
    }
}

impl SimulatedWorld {
    /// An empty world in memory.
    pub fn in_memory(options: SimulatedOptions) -> Self {
        let world = World::new(options.like, options.seed, options.start);
        Self::with(options, world, None)
    }

    /// The world that is kept in `directory`: an empty one the first time. Time begins at `options.start` or at
    /// the last thing that happened there, whichever is later.
    ///
    /// # Errors
    /// When the directory cannot be read or made, or when what it holds is damaged or a world like another
    /// platform; it is left as it is then.
    pub fn open(directory: &Path, options: SimulatedOptions) -> Result<Self, WorldLogError> {
        let fresh = || World::new(options.like, options.seed, options.start);
        let mut world = fresh();
        let mut log = WorldLog::open(directory, options.like)?;
        // Under the lock: what a crash has torn may be cut off and written over by another process meanwhile.
        log.lock()?.catch_up(&mut world, fresh)?;
        Ok(Self::with(options, world, Some(log)))
    }

    fn with(options: SimulatedOptions, world: World, log: Option<WorldLog>) -> Self {
        let clock = VirtualClock::new(options.start.max(world.last_moment()), options.speed);
        let state = State {
            world,
            log,
            faults: Faults::new(FaultPlan::new(options.seed, options.fault_percent)),
            writes: 0,
            fenced: 0,
        };
        Self {
            shared: Arc::new(Shared {
                options,
                clock: Arc::new(clock),
                state: Mutex::new(state),
                crashed: watch::Sender::new(false),
            }),
        }
    }

    /// A world in memory that begins as this one is now and goes its own way: for trying what would follow from a
    /// change, or from a crash at one moment or another, without living the past again. Call it while nothing is
    /// under way.
    #[must_use]
    pub fn fork(&self) -> Self {
        let (world, faults, writes, fenced) = {
            let state = self.lock();
            (
                state.world.clone(),
                state.faults.clone(),
                state.writes,
                state.fenced,
            )
        };
        let options = self.shared.options;
        let fork = Self::with(
            SimulatedOptions {
                start: self.shared.clock.now(),
                ..options
            },
            world,
            None,
        );
        {
            let mut state = fork.lock();
            state.faults = faults;
            state.writes = writes;
            state.fenced = fenced;
        }
        fork
    }

    /// The clock that the world runs on.
    pub fn clock(&self) -> Arc<VirtualClock> {
        Arc::clone(&self.shared.clock)
    }

    /// How the world began.
    pub fn options(&self) -> SimulatedOptions {
        self.shared.options
    }

    /// Puts a bare machine there, for worlds like SSH. A host that stands there at that address stays as it is.
    ///
    /// # Errors
    /// When the world is kept on disk and cannot be written.
    pub fn add_host(&self, name: &str, address: &str) -> Result<(), ProviderError> {
        self.transact(|world, _| Ok((world.stand(name, address), ())))
    }

    /// Puts something there that belongs to another cluster.
    ///
    /// # Errors
    /// When `cluster` has no uid, or the world is kept on disk and cannot be written.
    pub fn add_foreign(
        &self,
        cluster: &ClusterIdentity,
        key: ResourceKey,
        resource: Resource,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(cluster)?;
        self.transact(|world, now| Ok((vec![world.plant(holder, key, resource, now)], ())))
    }

    /// Puts something there that nobody owns up to, for example a DNS record that was made by hand.
    ///
    /// # Errors
    /// When the world is kept on disk and cannot be written.
    pub fn add_unowned(&self, who: &str, key: ResourceKey, resource: Resource) -> Result<(), ProviderError> {
        let holder = Holder::Other(who.to_owned());
        self.transact(|world, now| Ok((vec![world.plant(holder, key, resource, now)], ())))
    }

    /// Kills a machine: in a cloud it is gone for good, a bare one is dark for `pause`. Does nothing when the
    /// cluster has no machine of that name.
    ///
    /// # Errors
    /// When the world is kept on disk and cannot be written.
    pub fn kill_machine(
        &self,
        cluster: &ClusterIdentity,
        name: &str,
        pause: Duration,
    ) -> Result<(), ProviderError> {
        let holder = holder_of(cluster)?;
        self.transact(|world, now| {
            let effects = world
                .machine(&holder, name)
                .map(|machine| world.strike(machine, now, pause));
            Ok((effects.unwrap_or_default(), ()))
        })?;
        let now = self.shared.clock.now();
        self.lock().world.note_strike(now);
        Ok(())
    }

    /// Loses a machine for good with all that lies on it, and nothing waits for it: as one in a cloud that was killed, or a bare
    /// one that was forgotten and installed anew. Does nothing when the cluster has no machine of that name.
    ///
    /// # Errors
    /// When the world is kept on disk and cannot be written.
    pub fn lose_machine(&self, cluster: &ClusterIdentity, name: &str) -> Result<(), ProviderError> {
        let holder = holder_of(cluster)?;
        self.transact(|world, now| {
            let machine = world.machine(&holder, name);
            let effects = machine.map(|machine| world.without_machine(machine));
            Ok((effects.unwrap_or_default(), now))
        })
        .map(|now| self.lock().world.note_strike(now))
    }

    /// Replaces what may go wrong from now on.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.lock().faults = Faults::new(plan);
    }

    /// Sets the write at which keelson is gone, counted from the beginning of the world in this process. From that
    /// moment on no call ends any more until [`Self::restart`].
    pub fn crash_at(&self, point: Option<CrashPoint>) {
        self.lock().faults.crash_at = point;
    }

    /// Waits for the crash that [`Self::crash_at`] asked for; for ever if there is none.
    pub async fn crashed(&self) {
        let mut crashed = self.shared.crashed.subscribe();
        if crashed.wait_for(|&crashed| crashed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets calls end again, as for a new process after a crash; takes the crash point away.
    pub fn restart(&self) {
        self.lock().faults.crash_at = None;
        self.shared.crashed.send_replace(false);
    }

    /// How many writes have begun in this process: calls to change something, whether they succeeded or not.
    pub fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// How many calls were refused because their fencing generation had been overtaken.
    pub fn fenced_writes(&self) -> u64 {
        self.lock().fenced
    }

    /// Every rule that was broken so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().world.violations().to_vec()
    }

    /// Everything that `cluster` has, by id.
    pub fn footprint(&self, cluster: &ClusterIdentity) -> BTreeMap<String, Existing> {
        let now = self.shared.clock.now();
        self.lock().world.footprint(cluster, now)
    }

    /// Everything that `cluster` does not have, by id: to be the same before and after.
    pub fn foreign(&self, cluster: &ClusterIdentity) -> BTreeMap<String, Existing> {
        let now = self.shared.clock.now();
        self.lock().world.foreign(cluster, now)
    }

    /// Every copy of the data of the etcd `name`, `main` or `events`, that is on the cluster's machines: served, put there or
    /// moved aside. None where the cluster has no uid.
    pub fn etcd_copies(&self, cluster: &ClusterIdentity, name: &str) -> Vec<EtcdCopy> {
        let now = self.shared.clock.now();
        let holder = Holder::of(cluster);
        holder.map_or_else(Vec::new, |holder| {
            self.lock().world.etcd_copies(&holder, name, now)
        })
    }

    /// The cluster's machines that were brought a snapshot for a restore, and have neither been given its data nor forgotten it.
    pub fn brought_snapshots(&self, cluster: &ClusterIdentity) -> BTreeSet<String> {
        let holder = Holder::of(cluster);
        holder.map_or_else(BTreeSet::new, |holder| self.lock().world.brought(&holder))
    }

    /// The most workers of each group that were away at the same moment.
    pub fn unavailable_peak(&self) -> BTreeMap<String, usize> {
        self.lock().world.unavailable_peak().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held can only come from a test's closure; the world is whole between effects.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never ends once keelson is gone.
    pub(crate) async fn alive(&self) {
        if *self.shared.crashed.borrow() {
            std::future::pending::<()>().await;
        }
    }

    /// Where keelson is gone if this is the moment for it.
    pub(crate) async fn crash_here(&self, write: u64, moment: CrashMoment) {
        let point = CrashPoint {
            write_index: write,
            moment,
        };
        if self.lock().faults.crash_at == Some(point) {
            self.shared.crashed.send_replace(true);
        }
        self.alive().await;
    }

    /// Brings the world up to date with what other processes wrote, and looks at it.
    pub(crate) fn look<T>(&self, see: impl FnOnce(&World, Timestamp) -> T) -> Result<T, ProviderError> {
        let mut state = self.lock();
        let State { world, log, .. } = &mut *state;
        let mut locked = self.locked(world, log)?;
        let now = self.shared.clock.now();
        let_pass(world, locked.as_mut(), now)?;
        Ok(see(world, now))
    }

    /// The log of a world that is kept on disk, with the world brought up to date by it.
    fn locked<'a>(
        &self,
        world: &mut World,
        log: &'a mut Option<WorldLog>,
    ) -> Result<Option<Locked<'a>>, ProviderError> {
        let Some(log) = log else {
            return Ok(None);
        };
        let mut locked = log.lock().map_err(on_disk)?;
        locked.catch_up(world, || self.fresh()).map_err(on_disk)?;
        self.shared.clock.advance_to(world.last_moment());
        Ok(Some(locked))
    }

    /// Decides and applies in one step, which other processes see as a whole or not at all.
    pub(crate) fn transact<T>(
        &self,
        decide: impl FnOnce(&World, Timestamp) -> Result<(Vec<Effect>, T), Refusal>,
    ) -> Result<T, ProviderError> {
        let mut state = self.lock();
        let State { world, log, .. } = &mut *state;
        let mut locked = self.locked(world, log)?;
        let now = self.shared.clock.now();
        let_pass(world, locked.as_mut(), now)?;
        let (effects, result) = match decide(world, now) {
            Ok((effects, value)) => (effects, Ok(value)),
            Err(refusal) => (refusal.noted, Err(refusal.error)),
        };
        if effects.is_empty() {
            return result;
        }
        if let Some(locked) = &mut locked {
            locked.append(now, &effects).map_err(on_disk)?;
        }
        world.apply(now, effects);
        let_pass(world, locked.as_mut(), now)?;
        if let Some(locked) = &mut locked {
            // The effects are written; a log that stays long for now is no reason to call them refused.
            let _ = locked.compact(world);
        }
        result
    }

    fn fresh(&self) -> World {
        let options = self.shared.options;
        World::new(options.like, options.seed, options.start)
    }
}

/// Lets everything happen that happens by itself.
fn let_pass(world: &mut World, locked: Option<&mut Locked<'_>>, now: Timestamp) -> Result<(), ProviderError> {
    let effects = world.by_itself(now);
    if effects.is_empty() {
        return Ok(());
    }
    if let Some(locked) = locked {
        locked.append(now, &effects).map_err(on_disk)?;
    }
    world.apply(now, effects);
    Ok(())
}

pub(crate) fn holder_of(cluster: &ClusterIdentity) -> Result<Holder, ProviderError> {
    Holder::of(cluster).ok_or_else(|| {
        ProviderError::new(
            ErrorClass::Permanent,
            format!(
                "cluster {} has no uid yet, so nothing can belong to it",
                cluster.name
            ),
        )
    })
}

/// An error of the file under the world, with its causes.
#[expect(clippy::needless_pass_by_value, reason = "it is used as a mapping function")]
fn on_disk(error: WorldLogError) -> ProviderError {
    ProviderError::new(ErrorClass::Unusable, with_causes(&error)).with_help(error.help())
}
