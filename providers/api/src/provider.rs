//! Who carries changes out, and how a change can end.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::identity::ClusterIdentity;
use crate::key::ResourceKey;
use crate::kinds::Kind;
use crate::observed::KindObservation;

/// One place where resources live: a cloud, a set of machines, a running cluster, the simulated world.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The provider's name in events and messages.
    fn name(&self) -> &str;

    /// The kinds that this provider looks after.
    fn kinds(&self) -> &[Kind];

    /// How many changes it can take at once. The first members of an etcd wait for each other, so whoever makes them takes at
    /// least as many as there are.
    fn concurrency_limit(&self) -> usize;

    /// How long `change` typically takes, for forecasts.
    fn typical_duration(&self, change: &Change) -> Duration;

    /// Looks at everything of `kind` that the cluster owns, and at whatever holds one of the names in `wanted`.
    ///
    /// # Errors
    /// When the kind could not be looked at as a whole; nothing is then known of it.
    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError>;

    /// Looks, before anything is touched, for what would keep `changes` from succeeding or what they would harm. What
    /// it finds is all shown at once, and nothing is carried out unless the user ignores each error among it by its name.
    async fn preflight(&self, _cluster: &ClusterIdentity, _changes: &[&Change]) -> Vec<Finding> {
        Vec::new()
    }

    /// Carries `change` out. Doing it twice has the effect of doing it once.
    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome;
}

/// How bad something is that was found on a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It works today and may not tomorrow: it is told, and stops nothing.
    Warning,
    /// It stands in the way: nothing is carried out while it is there.
    Error,
}

/// Something about a machine, or about the state store, that stands in the way, or that someone should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The machine; empty for what is about the state store.
    pub machine: String,
    /// The finding's name, by which `spec.preflight.ignore` lets it pass: `swap`, `port-2379`.
    pub name: String,
    /// Whether it stands in the way.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment.
    pub problem: String,
    /// What a person can do about it.
    pub help: Option<String>,
    /// False for what nobody may ignore, such as a machine that belongs to another cluster.
    pub can_be_ignored: bool,
}

/// Tells what a step is doing, while it does it.
#[derive(Clone, Default)]
pub struct Progress<'a>(Option<&'a (dyn Fn(&str) + Send + Sync)>);

impl<'a> Progress<'a> {
    /// Progress that goes to `listener`, which is quick and does not fail.
    pub fn to(listener: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        Self(Some(listener))
    }

    /// Tells of one action: a lower-case fragment such as `start etcd.service`.
    pub fn tell(&self, action: &str) {
        if let Some(listener) = self.0 {
            listener(action);
        }
    }
}

impl fmt::Debug for Progress<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}

/// In whose name a change is carried out.
#[derive(Debug, Clone)]
pub struct StepContext<'a> {
    /// The cluster.
    pub cluster: ClusterIdentity,
    /// The lease's fencing generation; a host that has seen a higher one refuses.
    pub fencing_generation: u64,
    /// How often this step was tried before in this run.
    pub attempt: u32,
    /// Where to tell what is being done.
    pub progress: Progress<'a>,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done, or had been done before.
    Done,
    /// It was refused and surely had no effect.
    Rejected(ProviderError),
    /// It may have had an effect: look again before anything else.
    Indeterminate(ProviderError),
}

/// What a provider says went wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    /// What to expect from trying again.
    pub class: ErrorClass,
    /// What went wrong: a lower-case fragment with the provider's own words.
    pub message: String,
    /// What a person can do about it.
    pub help: Option<String>,
}

/// What to expect from trying again: the more it takes to get over it, the later it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    /// It passes by itself; try again after a while.
    Transient,
    /// The machine does not answer; try again, for as long as a machine may be silent.
    Unreachable,
    /// Too many calls; try again after a longer while.
    Throttled,
    /// It stays as it is until someone changes something.
    Permanent,
    /// Nothing that the provider does can succeed until someone changes something, as with a full disk under it: stop
    /// everything.
    Unusable,
    /// Another run of keelson holds the lease by now; stop everything.
    Fenced,
}

impl ErrorClass {
    /// True when the same may succeed later, without anyone's doing.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Transient | Self::Unreachable | Self::Throttled => true,
            Self::Permanent | Self::Unusable | Self::Fenced => false,
        }
    }
}

impl ProviderError {
    /// An error of `class`, without help.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            help: None,
        }
    }

    /// The same error with what a person can do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
