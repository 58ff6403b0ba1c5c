//! What a run has to remember to ask for permits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keelson_provider_api::{Change, ResourceKey};

use crate::plan::Plan;
use crate::plan::safety::{DECISIVE_KINDS, QuorumPermit};

/// What there is to count before something is taken down, and who holds a permit.
pub(super) struct Permits {
    decisive: Mutex<BTreeSet<ResourceKey>>,
    /// The machines of steps that hold a permit, by the step's index.
    held: Mutex<BTreeMap<usize, String>>,
    /// The machines of steps that failed because they did not answer.
    silent: Mutex<BTreeSet<String>>,
    /// One asks at a time: who was permitted is counted by the next.
    asking: tokio::sync::Mutex<()>,
}

/// A permit, for one attempt. As long as it is held, its machine counts as out of service for everyone else.
pub(super) struct Held<'a> {
    permits: &'a Permits,
    index: usize,
    permit: QuorumPermit,
}

impl Held<'_> {
    /// The resource that may be taken down.
    pub(super) fn key(&self) -> &ResourceKey {
        self.permit.key()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        lock(&self.permits.held).remove(&self.index);
    }
}

/// The right to look and to ask; a permit that is given is held before the next one looks.
pub(super) struct Asking<'a> {
    permits: &'a Permits,
    index: usize,
    going_down: BTreeSet<String>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl<'a> Asking<'a> {
    /// The machines of others that held a permit when the turn came. Who gives one back meanwhile still counts: the look
    /// may be older than what it did.
    pub(super) fn going_down(&self) -> &BTreeSet<String> {
        &self.going_down
    }

    /// Keeps a permit that was given for something on `machine`.
    pub(super) fn hold(self, permit: QuorumPermit, machine: Option<&str>) -> Held<'a> {
        if let Some(machine) = machine {
            lock(&self.permits.held).insert(self.index, machine.to_owned());
        }
        Held {
            permits: self.permits,
            index: self.index,
            permit,
        }
    }
}

impl Permits {
    /// What counts when `plan` begins.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            decisive: Mutex::new(plan.decisive().clone()),
            held: Mutex::default(),
            silent: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Waits for the turn of step `index` to look and to ask.
    pub(super) async fn ask(&self, index: usize) -> Asking<'_> {
        let turn = self.asking.lock().await;
        Asking {
            permits: self,
            index,
            going_down: lock(&self.held).values().cloned().collect(),
            _turn: turn,
        }
    }

    /// Everything that is asked for by name: what the plan knew of, and what the run has made since, without what it has
    /// removed.
    pub(super) fn decisive(&self) -> BTreeSet<ResourceKey> {
        lock(&self.decisive).clone()
    }

    /// Says that a step on `machine` has failed because that did not answer.
    pub(super) fn note_silent(&self, machine: Option<&str>) {
        lock(&self.silent).extend(machine.map(str::to_owned));
    }

    /// Says that these machines answer: what they were given up for is over.
    pub(super) fn note_answers<'a>(&self, machines: impl IntoIterator<Item = &'a str>) {
        let mut silent = lock(&self.silent);
        for machine in machines {
            silent.remove(machine);
        }
    }

    /// The machines that were given up because they did not answer, and have not answered since.
    pub(super) fn silent_machines(&self) -> BTreeSet<String> {
        lock(&self.silent).clone()
    }

    /// Says that `change` was carried out.
    pub(super) fn note_done(&self, change: &Change) {
        if !DECISIVE_KINDS.contains(&change.key.kind()) {
            return;
        }
        let mut decisive = lock(&self.decisive);
        if change.is_removal() {
            decisive.remove(&change.key);
        } else {
            decisive.insert(change.key.clone());
        }
    }
}

/// Nothing that holds a lock here can leave half a change behind, so a panic elsewhere is no reason to stop.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
