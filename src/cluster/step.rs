//! One change while it is carried out: what it speaks to, and whether it may have had an effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use keelson_provider_api::{Clock, ClusterUid, ErrorClass, Outcome, Patience, ProviderError, StepContext};

use super::connection::{Connection, Connections};
use super::trouble::Trouble;

/// One change while it is carried out.
pub(super) struct Step<'a> {
    pub(super) context: &'a StepContext<'a>,
    pub(super) clock: &'a dyn Clock,
    pub(super) uid: ClusterUid,
    connections: &'a Connections,
    /// True once something may have been changed.
    touched: AtomicBool,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        context: &'a StepContext<'a>,
        clock: &'a dyn Clock,
        connections: &'a Connections,
    ) -> Result<Self, ProviderError> {
        let Some(uid) = context.cluster.uid.clone() else {
            let name = &context.cluster.name;
            let message = format!("cluster {name} has no uid yet, so nothing can be its own");
            return Err(permanent(message));
        };
        Ok(Self {
            context,
            clock,
            uid,
            connections,
            touched: AtomicBool::new(false),
        })
    }

    /// A connection to an API server.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, ProviderError> {
        self.connections.get(&self.context.cluster).await
    }

    pub(super) fn tell(&self, action: &str) {
        self.context.progress.tell(action);
    }

    /// Patience for `limit` from now on.
    pub(super) fn patience(&self, limit: Duration) -> Patience<'_> {
        Patience::of(self.clock, limit)
    }

    /// Notes that something was changed, or may have been.
    pub(super) fn touch(&self) {
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Keeps account of a call that changes something.
    pub(super) fn wrote<T>(&self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        if result
            .as_ref()
            .map_or_else(|trouble| !trouble.is_without_effect(), |_| true)
        {
            self.touch();
        }
        result
    }

    /// What the change came to.
    pub(super) fn outcome(&self, result: Result<(), ProviderError>) -> Outcome {
        match result {
            Ok(()) => Outcome::Done,
            Err(error) if self.touched.load(Ordering::Relaxed) => Outcome::Indeterminate(error),
            Err(error) => Outcome::Rejected(error),
        }
    }

    /// The error in how something ended that others carried out for this step.
    pub(super) fn failed(&self, outcome: Outcome) -> Result<(), ProviderError> {
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Rejected(error) => Err(error),
            Outcome::Indeterminate(error) => {
                self.touch();
                Err(error)
            }
        }
    }
}

/// An error that stays until someone does something.
pub(super) fn permanent(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Permanent, message)
}

/// An error that passes by itself.
pub(super) fn transient(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorClass::Transient, message)
}
