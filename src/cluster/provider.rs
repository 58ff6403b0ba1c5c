//! The provider: which change goes where.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::{
    Action, BoxFuture, Change, Clock, ClusterIdentity, Kind, KindObservation, Kubelets, Observed, Outcome,
    Progress, Provider, ProviderError, ReachApi, Resource, ResourceKey, StepContext,
};

use super::addon::{self, AddonObjects};
use super::connection::{Connection, Connections};
use super::credentials::CredentialSource;
use super::drain::{self, DrainOptions, Drained, Emptied};
use super::node::{self, Seen};
use super::step::{Step, permanent};
use super::trouble::Trouble;

/// Nodes wait for their kubelets most of the time.
const CONCURRENCY: usize = 16;

/// How often nodes are looked at whose kubelets have not reported for too long, and the time between: together longer than
/// kubelets take to report again, which is ten seconds.
const NODE_LOOKS: u32 = 6;
const NODE_LOOKS_PAUSE: Duration = Duration::from_millis(2500);

/// What a [`ClusterProvider`] is made of.
#[derive(Clone)]
pub struct ClusterParts {
    /// Reaches API servers.
    pub reach: Arc<dyn ReachApi>,
    /// Starts and stops kubelets.
    pub kubelets: Arc<dyn Kubelets>,
    /// Issues the certificates that API servers are shown.
    pub credentials: Arc<dyn CredentialSource>,
    /// Knows what add-ons are made of.
    pub addons: Arc<dyn AddonObjects>,
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
}

/// A look through a connection.
type Looking<'a, T> = BoxFuture<'a, Result<T, Trouble>>;

/// Nodes and add-ons of a running cluster.
pub struct ClusterProvider {
    kubelets: Arc<dyn Kubelets>,
    addons: Arc<dyn AddonObjects>,
    clock: Arc<dyn Clock>,
    connections: Connections,
    /// The nodes whose kubelets were waited for in vain, until they are heard of again.
    silent: Mutex<BTreeSet<String>>,
}

impl ClusterProvider {
    /// The provider of these parts. It connects when it is first asked for something.
    pub fn new(parts: ClusterParts) -> Self {
        Self {
            kubelets: parts.kubelets,
            addons: parts.addons,
            connections: Connections::new(parts.reach, parts.credentials, parts.clock.clone()),
            clock: parts.clock,
            silent: Mutex::default(),
        }
    }

    /// Keeps new pods off `node`, or lets them come again.
    ///
    /// # Errors
    /// When the API server does not answer, or there is no such node.
    pub async fn cordon(
        &self,
        cluster: &ClusterIdentity,
        node: &str,
        is_cordoned: bool,
    ) -> Result<(), ProviderError> {
        let connection = self.connections.get(cluster).await?;
        drain::cordon(&connection, node, is_cordoned).await
    }

    /// Cordons `node` and moves its pods elsewhere, as [`DrainOptions`] say. What is done is told to `progress`.
    ///
    /// # Errors
    /// When the API server does not answer, there is no such node, nothing is heard of its kubelet any more, or pods are
    /// still on it after the time that the options give: then with their names, and the budgets that forbid it.
    pub async fn drain(
        &self,
        cluster: &ClusterIdentity,
        node: &str,
        options: &DrainOptions,
        progress: &Progress<'_>,
    ) -> Result<Drained, ProviderError> {
        let connection = self.connections.get(cluster).await?;
        match drain::drain(&connection, self.clock.as_ref(), node, options, progress).await? {
            Emptied::Yes(drained) => Ok(drained),
            Emptied::Not(why) => Err(permanent(format!(
                "nothing is heard of the kubelet of {node}, so its pods cannot be told to end: {why}"
            ))
            .with_help(format!(
                "bring {node} back and run the command again; if it is gone for good, take it out of the spec: `keelson \
                 apply` removes the node, and its pods come elsewhere"
            ))),
        }
    }

    /// Cordons `node` and moves its pods elsewhere, before its machine changes; true where it is cordoned then. Where no API
    /// server answers pods stay.
    ///
    /// # Errors
    /// When pods are still on it after ten minutes, with the budgets that forbid it, or the API server refuses.
    pub(super) async fn empty(&self, context: &StepContext<'_>, node: &str) -> Result<bool, ProviderError> {
        let connection = match self.connections.get(&context.cluster).await {
            Ok(connection) => connection,
            Err(error) if error.class.may_pass() => {
                let told =
                    format!("no API server answers, so the pods of {node} stay where they are: {error}");
                context.progress.tell(&told);
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        node::empty(&connection, self.clock.as_ref(), node, &context.progress).await
    }

    /// Lets pods come again to a node that [`empty`](Self::empty) has cordoned.
    ///
    /// # Errors
    /// When the API server does not answer, or refuses.
    pub(super) async fn refill(&self, context: &StepContext<'_>, node: &str) -> Result<(), ProviderError> {
        let connection = self.connections.get(&context.cluster).await?;
        node::refill(&connection, node, &context.progress).await
    }

    /// A change that is carried out here and elsewhere.
    ///
    /// # Errors
    /// When the cluster has not begun.
    pub(super) fn step<'a>(&'a self, context: &'a StepContext<'a>) -> Result<Step<'a>, ProviderError> {
        Step::new(context, self.clock.as_ref(), &self.connections)
    }

    /// False while no control plane was ever made, so that nothing can be in the API.
    ///
    /// # Errors
    /// When a machine that could be one does not say.
    pub(super) async fn has_control_plane(&self, cluster: &ClusterIdentity) -> Result<bool, ProviderError> {
        self.connections.has_control_plane(cluster).await
    }

    /// What the API knows of nodes right now.
    ///
    /// # Errors
    /// When no API server answers, or it refuses.
    pub(super) async fn nodes(&self, cluster: &ClusterIdentity) -> Result<Seen, ProviderError> {
        self.look_once_at_nodes(cluster).await
    }

    /// Looks through a connection, and once more through a new one where the connection was what failed.
    pub(super) async fn look<'a, T>(
        &self,
        cluster: &ClusterIdentity,
        look: &(dyn Fn(Arc<Connection>) -> Looking<'a, T> + Send + Sync),
    ) -> Result<T, ProviderError> {
        let looking = "look at the cluster";
        match look(self.connections.get(cluster).await?).await {
            Err(trouble) if trouble.is_of_connection() => {
                let connection = self.connections.get(cluster).await?;
                let again = look(connection).await;
                again.map_err(|trouble| trouble.into_error(looking))
            }
            result => result.map_err(|trouble| trouble.into_error(looking)),
        }
    }

    async fn observe_addons(
        &self,
        cluster: &ClusterIdentity,
        wanted: &BTreeSet<ResourceKey>,
    ) -> KindObservation {
        let seen = self
            .look(cluster, &|connection| {
                Box::pin(async move { addon::observe(&connection, cluster, wanted).await })
            })
            .await;
        seen.unwrap_or_else(|error| {
            let unknown = |key: &ResourceKey| (key.clone(), Observed::Unknown(error.to_string()));
            KindObservation {
                found: wanted.iter().map(unknown).collect(),
                ..KindObservation::default()
            }
        })
    }

    async fn observe_nodes(
        &self,
        cluster: &ClusterIdentity,
        wanted: &BTreeSet<ResourceKey>,
    ) -> KindObservation {
        let names: BTreeSet<String> = wanted.iter().map(|key| key.name().to_owned()).collect();
        let (joined, in_api) = futures_util::future::join(
            self.kubelets.joined(cluster, &names),
            self.look_at_nodes(cluster, &names),
        )
        .await;
        node::observe(cluster, &names, &joined, &in_api, self.clock.now())
    }

    /// What the API knows of nodes. Where no API server answered for a while, kubelets had nobody to report to: they get a moment
    /// before they count as silent. Those that had it and were not heard of since get none again.
    async fn look_at_nodes(
        &self,
        cluster: &ClusterIdentity,
        names: &BTreeSet<String>,
    ) -> Result<Seen, ProviderError> {
        let mut seen = self.look_once_at_nodes(cluster).await?;
        let mut awaited = self.newly_silent(names, &seen.silent(names));
        for _ in 1..NODE_LOOKS {
            if awaited.is_empty() {
                return Ok(seen);
            }
            self.clock.sleep(NODE_LOOKS_PAUSE).await;
            seen = self.look_once_at_nodes(cluster).await?;
            awaited = &awaited & &seen.silent(names);
        }
        self.known_silent().extend(awaited);
        Ok(seen)
    }

    async fn look_once_at_nodes(&self, cluster: &ClusterIdentity) -> Result<Seen, ProviderError> {
        self.look(cluster, &|connection| {
            Box::pin(async move { node::look(&connection).await })
        })
        .await
    }

    /// Those of `names` that are `silent`, and were not before.
    fn newly_silent(&self, names: &BTreeSet<String>, silent: &BTreeSet<String>) -> BTreeSet<String> {
        let mut known = self.known_silent();
        known.retain(|name| silent.contains(name) || !names.contains(name));
        silent - &*known
    }

    fn known_silent(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn change(&self, step: &Step<'_>, change: &Change) -> Result<(), ProviderError> {
        let name = change.key.name();
        let kubelets = self.kubelets.as_ref();
        match (&change.action, change.resource()) {
            (Action::Create { generation, .. }, Resource::Addon(wanted)) => {
                let objects = self.addons.objects(&step.context.cluster, name, wanted).await?;
                addon::apply(step, name, wanted, objects, *generation).await
            }
            (Action::Update { .. }, Resource::Addon(wanted)) => {
                let objects = self.addons.objects(&step.context.cluster, name, wanted).await?;
                addon::apply(step, name, wanted, objects, 0).await
            }
            (Action::Delete { .. }, Resource::Addon(_)) => addon::remove(step, name).await,
            (Action::Create { generation, .. }, Resource::Node(wanted)) => {
                node::create(step, kubelets, wanted, *generation).await
            }
            (Action::Update { .. }, Resource::Node(wanted)) => node::update(step, kubelets, wanted).await,
            (Action::Delete { existing }, Resource::Node(_)) => {
                node::delete(step, kubelets, name, existing).await
            }
            (_, other) => Err(not_of_cluster(other.kind())),
        }
    }
}

fn not_of_cluster(kind: Kind) -> ProviderError {
    permanent(format!("{kind} is not a kind that lives in a cluster's API"))
}

#[async_trait]
impl Provider for ClusterProvider {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::Node, Kind::Addon]
    }

    fn concurrency_limit(&self) -> usize {
        CONCURRENCY
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (&change.action, change.resource()) {
            (Action::Create { .. }, Resource::Node(_)) => 15,
            (Action::Delete { .. }, Resource::Node(_)) => 40,
            (Action::Delete { .. }, _) => 5,
            _ => 2,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        if !matches!(kind, Kind::Node | Kind::Addon) {
            return Err(not_of_cluster(kind));
        }
        // Where nobody knows, the rest of the look tells why.
        if let Ok(false) = self.has_control_plane(cluster).await {
            return Ok(KindObservation::default());
        }
        Ok(match kind {
            Kind::Addon => self.observe_addons(cluster, wanted).await,
            _ => self.observe_nodes(cluster, wanted).await,
        })
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        match self.step(context) {
            Ok(step) => step.outcome(self.change(&step, change).await),
            Err(error) => Outcome::Rejected(error),
        }
    }
}
