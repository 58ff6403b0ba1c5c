//! Groups of machines that AWS keeps at their size: Auto Scaling groups, each with a launch template.
//!
//! | module | holds |
//! |---|---|
//! | `look`, `observe` | what there is of groups and their machines |
//! | `bring` | making a group, and changing one |
//! | `template` | the launch template, its versions, and what a version says |
//! | `full` | until a group holds what it is to |
//! | `machine` | machines that their group lets go, and that end |
//! | `end` | the end of a group |
//! | `tags` | what groups and machines say of themselves; `name` what a group is called |
//! | `preflight` | what would keep machines from being started |
//!
//! What a cluster owns is found by its mark, as places are ([`places`](crate::places)): the group, the launch template, and the
//! instances, which have the mark of their group from the launch template, with the digest of what they were started from. Group
//! and template have one name, which a region gives once.
//!
//! A launch template's version never changes. So a group starts machines from what it was told to as long as it names the
//! version that it was told, and that one it says of itself, too: another one is somebody else's work, or that of a run that
//! ended, and is seen as a difference. Versions that no group names any more are deleted.
//!
//! All instances are alike in this: the service that tells them about themselves wants a session and answers no container
//! (version 2, a hop limit of 1), and their root volumes are gp3 and encrypted.

mod bring;
mod end;
mod full;
mod look;
mod machine;
mod name;
mod observe;
mod preflight;
mod tags;
mod template;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use keelson_aws_calls::AwsCalls;
use keelson_aws_calls::ec2::{Instance, LaunchTemplate};
use keelson_aws_calls::scaling::Group;
use keelson_provider_api::kinds::{GroupMachine, NodeGroup};
use keelson_provider_api::{
    Action, Change, Clock, ClusterIdentity, ClusterUid, ErrorClass, Finding, FirstBoot, Kind,
    KindObservation, Outcome, Provider, ProviderError, Resource, ResourceKey, StepContext,
};

use self::look::Look;
use crate::looks::Looks;
use crate::marked::key_of;
use crate::step::{Step, never, refused};

pub(crate) use name::group_name_pattern;
pub(crate) use tags::CHANGING as CHANGING_GROUP_TAGS;

/// Auto Scaling says no numbers of calls (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-quotas.html>);
/// whoever waits for a group asks every few seconds.
const CHANGES_AT_ONCE: usize = 16;

/// Node groups of clusters in one region, and their machines.
pub struct GroupProvider {
    calls: AwsCalls,
    clock: Arc<dyn Clock>,
    first_boot: Arc<dyn FirstBoot>,
    looks: Looks<Look>,
}

impl GroupProvider {
    /// The groups in the region that `calls` are to, whose machines run what `first_boot` says when they first boot.
    pub fn new(calls: &AwsCalls, first_boot: Arc<dyn FirstBoot>, clock: Arc<dyn Clock>) -> Self {
        Self {
            calls: calls.clone(),
            clock,
            first_boot,
            looks: Looks::default(),
        }
    }
}

/// One change of a group or of a machine of one, being carried out.
struct Groups<'a> {
    step: Step<'a>,
    calls: &'a AwsCalls,
    first_boot: &'a dyn FirstBoot,
}

impl Groups<'_> {
    /// The group with the mark of `key`, also while it goes.
    async fn group(&self, key: &ResourceKey) -> Result<Option<Group>, Outcome> {
        let cluster = &self.step.context.cluster;
        let uid = cluster.uid.as_ref().map_or("", ClusterUid::as_str);
        let owned = self.calls.scaling.owned(uid).await;
        let owned = owned.map_err(|error| refused(error, "look for the group"))?;
        let is_meant = |group: &Group| key_of(cluster, &group.tags).is_some_and(|(found, _)| found == *key);
        Ok(owned.into_iter().find(is_meant))
    }

    /// The launch templates with the mark of `key`.
    async fn templates(&self, key: &ResourceKey) -> Result<Vec<LaunchTemplate>, Outcome> {
        let found = self.step.ec2.list_launch_templates(&self.step.marked(key)).await;
        let mut found = found.map_err(|error| refused(error, "look for the launch template"))?;
        found.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(found)
    }

    /// The instances with the mark of the group `key`, also those that have just ended.
    async fn instances(&self, key: &ResourceKey) -> Result<Vec<Instance>, Outcome> {
        let found = self.step.ec2.list_instances(&self.step.marked(key)).await;
        found.map_err(|error| refused(error, "look for the group's instances"))
    }

    async fn change(&self, change: &Change) -> Result<(), Outcome> {
        let key = &change.key;
        match &change.action {
            // What was begun and not ended is brought to the same end by both.
            Action::Create { resource, .. } | Action::Update { resource, .. }
                if key.kind() == Kind::NodeGroup =>
            {
                self.bring(key, group(resource)?).await
            }
            Action::Update { resource, .. } => self.let_go(key, machine(resource)?).await,
            Action::Delete { .. } if key.kind() == Kind::NodeGroup => self.end(key).await,
            Action::Delete { existing } => self.end_machine(key, machine(&existing.resource)?).await,
            Action::Create { .. } => Err(never(
                format!("{key} cannot be made by itself"),
                "set how many machines its group holds",
            )),
        }
    }
}

fn group(resource: &Resource) -> Result<&NodeGroup, Outcome> {
    match resource {
        Resource::NodeGroup(group) => Ok(group),
        other => Err(Outcome::Rejected(not_ours(other.kind()))),
    }
}

fn machine(resource: &Resource) -> Result<&GroupMachine, Outcome> {
    match resource {
        Resource::GroupMachine(machine) => Ok(machine),
        other => Err(Outcome::Rejected(not_ours(other.kind()))),
    }
}

fn not_ours(kind: Kind) -> ProviderError {
    let problem = format!("a {kind} is neither a group nor a machine of one");
    ProviderError::new(ErrorClass::Permanent, problem)
}

#[async_trait]
impl Provider for GroupProvider {
    fn name(&self) -> &'static str {
        "aws-groups"
    }

    fn kinds(&self) -> &[Kind] {
        &[Kind::NodeGroup, Kind::GroupMachine]
    }

    fn concurrency_limit(&self) -> usize {
        CHANGES_AT_ONCE
    }

    /// An instance runs after half a minute, and has ended after a minute or less: that of a group is looked at by Auto Scaling
    /// besides, and another one comes in its place.
    fn typical_duration(&self, change: &Change) -> Duration {
        Duration::from_secs(match (change.key.kind(), &change.action) {
            (Kind::NodeGroup, Action::Update { .. }) => 15,
            (_, Action::Delete { .. }) => 120,
            _ => 60,
        })
    }

    async fn observe(
        &self,
        cluster: &ClusterIdentity,
        kind: Kind,
        _wanted: &BTreeSet<ResourceKey>,
    ) -> Result<KindObservation, ProviderError> {
        let Some(uid) = &cluster.uid else {
            // Names of groups are made from the uid, and there is none yet.
            return Ok(KindObservation::default());
        };
        let look = Box::pin(self.looks.newest(&*self.clock, uid, Look::at(&self.calls, uid))).await?;
        match kind {
            Kind::NodeGroup => Ok(observe::groups(cluster, &look)),
            Kind::GroupMachine => Ok(observe::machines(cluster, &look)),
            other => Err(not_ours(other)),
        }
    }

    async fn preflight(&self, _cluster: &ClusterIdentity, changes: &[&Change]) -> Vec<Finding> {
        preflight::findings(&self.calls.ec2, changes).await
    }

    async fn carry_out(&self, context: &StepContext<'_>, change: &Change) -> Outcome {
        let groups = Groups {
            step: Step::of(&self.calls.ec2, &*self.clock, context, change),
            calls: &self.calls,
            first_boot: &*self.first_boot,
        };
        self.looks.forget();
        let done = Box::pin(groups.change(change)).await;
        self.looks.forget();
        done.map_or_else(|outcome| outcome, |()| Outcome::Done)
    }
}
