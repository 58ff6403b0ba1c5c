//! What a run has to remember to ask for permits.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keelson_provider_api::{Action, Change, ResourceKey};

use crate::plan::Plan;
use crate::plan::safety::DECISIVE_KINDS;

/// What there is to count before something is taken down.
pub(super) struct Permits {
    decisive: Mutex<BTreeSet<ResourceKey>>,
}

impl Permits {
    /// What counts when `plan` begins.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            decisive: Mutex::new(plan.decisive().clone()),
        }
    }

    /// Everything that is asked for by name: what the plan knew of, and what the run has made since, without what it has
    /// removed.
    pub(super) fn decisive(&self) -> BTreeSet<ResourceKey> {
        lock(&self.decisive).clone()
    }

    /// Says that `change` was carried out.
    pub(super) fn note_done(&self, change: &Change) {
        if !DECISIVE_KINDS.contains(&change.key.kind()) {
            return;
        }
        let mut decisive = lock(&self.decisive);
        if matches!(change.action, Action::Delete { .. }) {
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
