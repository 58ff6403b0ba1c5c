//! Node groups whose machines join by themselves: [`GroupsJoin`] stands before the provider that makes them.
//!
//! That provider knows machines and nothing of what runs on them. What there is to do in the cluster is done here: the token that
//! machines join with is there before they come, a node is emptied before its machine goes, and a step has not ended before the
//! nodes are Ready of the machines that it has brought.

mod nodes;
mod token;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_provider_api::kinds::GroupMachine;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{
    Action, Change, ClusterIdentity, Disruption, Existing, Finding, Health, Kind, KindObservation, Observed,
    Outcome, Provider, ProviderError, Resource, ResourceKey, StepContext,
};

pub use self::token::JoiningTokens;
pub(super) use self::token::TYPE as TOKEN_TYPE;

use super::node::Seen;
use super::provider::ClusterProvider;
use super::step::Step;

/// What it typically takes to move the pods of a node, and a machine from its start to a node that is Ready, for forecasts.
const DRAIN: Duration = Duration::from_secs(20);
const JOIN: Duration = Duration::from_secs(60);

/// The provider of groups and their machines, for a cluster that these join.
pub struct GroupsJoin {
    groups: Arc<dyn Provider>,
    cluster: Arc<ClusterProvider>,
    tokens: Arc<dyn JoiningTokens>,
}

impl GroupsJoin {
    /// Machines of `groups` join `cluster` with one of `tokens`.
    pub fn new(
        groups: Arc<dyn Provider>,
        cluster: Arc<ClusterProvider>,
        tokens: Arc<dyn JoiningTokens>,
    ) -> Self {
        Self {
            groups,
            cluster,
            tokens,
        }
    }

    /// The groups, as the cluster has them: one is well when its nodes are, and is not what it should be when nobody can join it.
    async fn in_cluster(&self, cluster: &ClusterIdentity, mut seen: KindObservation) -> KindObservation {
        let is_there = |observed: &Observed<Existing>| matches!(observed, Observed::Present(_));
        if !seen.found.values().any(is_there) {
            return seen;
        }
        // Before there is a control plane, machines that run are all that there can be.
        if let Ok(false) = self.cluster.has_control_plane(cluster).await {
            return seen;
        }
        let nodes = self.cluster.nodes(cluster).await;
        let is_open = token::is_there(&self.cluster, self.tokens.as_ref(), cluster).await;
        for (key, observed) in &mut seen.found {
            if let Observed::Present(existing) = observed {
                judge(key.name(), existing, &nodes);
                if let (Ok(false), Resource::NodeGroup(group)) = (&is_open, &mut existing.resource) {
                    group.settings = Digest::of_bytes(b"");
                }
            }
        }
        seen
    }

    async fn change(&self, step: &Step<'_>, change: &Change) -> Result<(), ProviderError> {
        match (&change.action, change.resource()) {
            (Action::Create { .. } | Action::Update { .. }, Resource::NodeGroup(_)) => {
                token::apply(step, self.tokens.as_ref()).await?;
                self.make(step, change).await?;
                self.until_ready(step, change.key.name()).await
            }
            // Of a cluster that goes, nobody takes the pods.
            (Action::Delete { .. }, _) if change.disruption != Disruption::Drain => {
                self.make(step, change).await
            }
            (Action::Delete { .. }, Resource::NodeGroup(_)) => {
                let names = self.machines(&step.context.cluster).await?;
                let names = names.into_iter().filter(|one| one.group == change.key.name());
                let names: Vec<String> = names.map(|one| one.node).collect();
                nodes::empty(step, &self.cluster, &names).await?;
                self.make(step, change).await?;
                nodes::delete(step, &names).await
            }
            (Action::Delete { .. }, Resource::GroupMachine(machine)) => {
                let names = [machine.node.clone()];
                nodes::empty(step, &self.cluster, &names).await?;
                self.make(step, change).await?;
                nodes::delete(step, &names).await?;
                self.until_ready(step, &machine.group).await
            }
            (_, Resource::GroupMachine(machine)) => {
                self.make(step, change).await?;
                self.until_ready(step, &machine.group).await
            }
            _ => self.make(step, change).await,
        }
    }

    async fn make(&self, step: &Step<'_>, change: &Change) -> Result<(), ProviderError> {
        let outcome = self.groups.carry_out(step.context, change).await;
        if matches!(outcome, Outcome::Done) {
            step.touch();
        }
        step.failed(outcome)
    }

    /// Waits until the nodes are Ready of the machines that were started from what the group starts them from now.
    async fn until_ready(&self, step: &Step<'_>, group: &str) -> Result<(), ProviderError> {
        let mut waiting = nodes::Waiting::begin(step, group);
        loop {
            let expected = self.newest(&step.context.cluster, group).await?;
            if waiting.until_ready(&expected).await? {
                return Ok(());
            }
        }
    }

    /// The machines of `group` that were started from what it starts machines from now.
    async fn newest(&self, cluster: &ClusterIdentity, group: &str) -> Result<Vec<String>, ProviderError> {
        let key = ResourceKey::new(Kind::NodeGroup, group);
        let wanted = BTreeSet::from([key.clone()]);
        let seen = self.groups.observe(cluster, Kind::NodeGroup, &wanted).await?;
        let template = match seen.found.get(&key) {
            Some(Observed::Present(Existing {
                resource: Resource::NodeGroup(group),
                ..
            })) => group.template(),
            // Somebody has deleted it meanwhile, which the next look shows.
            _ => return Ok(Vec::new()),
        };
        let machines = self.machines(cluster).await?.into_iter();
        let newest = machines.filter(|one| one.group == group && one.template == template && !one.detached);
        Ok(newest.map(|one| one.node).collect())
    }

    async fn machines(&self, cluster: &ClusterIdentity) -> Result<Vec<GroupMachine>, ProviderError> {
        let nobody = BTreeSet::new();
        let seen = self.groups.observe(cluster, Kind::GroupMachine, &nobody).await?;
        let machine = |observed: Observed<Existing>| match observed {
            Observed::Present(Existing {
                resource: Resource::GroupMachine(machine),
                ..
            }) => Some(machine),
            _ => None,
        };
        Ok(seen.found.into_values().filter_map(machine).collect())
    }
}

/// Lowers what is said of the health of the group `name` by how its nodes are.
fn judge(name: &str, existing: &mut Existing, seen: &Result<Seen, ProviderError>) {
    let Resource::NodeGroup(group) = &existing.resource else {
        return;
    };
    if existing.health != Health::Healthy {
        return;
    }
    let problem = match seen {
        Ok(seen) => nodes::lacking(name, group.replicas, seen),
        Err(error) => Some(format!("the API says nothing of its nodes: {error}")),
    };
    if let Some(problem) = problem {
        existing.health = Health::Unhealthy(problem);
    }
}

#[async_trait]
impl Provider for GroupsJoin {
    fn name(&self) -> &str {
        self.groups.name()
    }

    fn kinds(&self) -> &[Kind] {
        self.groups.kinds()
    }

    fn concurrency_limit(&self) -> usize {
        self.groups.concurrency_limit()
    }

    fn typical_duration(&self, change: &Change) -> Duration {
        let drain = match change.disruption {
            Disruption::Drain => DRAIN,
            _ => Duration::ZERO,
        };
        let join = match (&change.action, change.key.kind()) {
            (Action::Delete { .. }, Kind::NodeGroup) => Duration::ZERO,
            _ => JOIN,
        };
        self.groups.typical_duration(change).saturating_add(drain + join)
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let seen = self.groups.observe(cluster, kind, wanted).await?;
        Ok(match kind {
            Kind::NodeGroup => self.in_cluster(cluster, seen).await,
            _ => seen,
        })
    }

    async fn preflight(&self, cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        self.groups.preflight(cluster, changes).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        match self.cluster.step(context) {
            Ok(step) => step.outcome(self.change(&step, change).await),
            Err(error) => Outcome::Rejected(error),
        }
    }
}
