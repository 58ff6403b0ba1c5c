//! Making a group, and changing one.

use std::time::Duration;

use keelson_aws_calls::mark::{GENERATION, Tags};
use keelson_aws_calls::scaling::{Group, GroupChanges, HealthCheck, Launch, NewGroup, Sizes};
use keelson_provider_api::kinds::NodeGroup;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{Outcome, ResourceKey};

use super::name::group_name;
use super::template::{mix, taken};
use super::{Groups, tags};
use crate::machine::parts::PROFILE_LIMIT;
use crate::step::{late, never, refused};

/// Its instances end first, which takes minutes.
pub(super) const GONE_LIMIT: Duration = Duration::from_secs(900);

/// What Auto Scaling says of what it does not know yet, and of a group that does something else just now
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html>). It has no other word for a template, version or
/// profile that was just made.
const NOT_YET: &[&str] = &[
    "ResourceContention",
    "ScalingActivityInProgress",
    "ValidationError",
];

/// Whether nodes are well, Kubernetes sees; an instance that EC2 finds broken is replaced. A new one is looked at from its start.
const HEALTH_CHECK: HealthCheck = HealthCheck {
    asks_load_balancers: false,
    grace_seconds: 0,
};

impl Groups<'_> {
    /// The group is as it is wanted, and holds as many machines as it is to.
    pub(super) async fn bring(&self, key: &ResourceKey, wanted: &NodeGroup) -> Result<(), Outcome> {
        let name = group_name(&self.step.context.cluster, key.name());
        let mut asked = tags::of(wanted).ok_or_else(|| {
            never(
                format!("the labels and taints of {key} are longer than tags of AWS can hold"),
                "give the group fewer or shorter labels and taints",
            )
        })?;
        let found = self.standing(key).await?;
        let marks = self.marks(key, found.as_ref()).await?;
        let launch = self.launch(key, wanted, marks.clone()).await?;
        let (template, number) = Box::pin(self.template(key, &name, &marks, &launch)).await?;
        let launch = Launch {
            template: template.clone(),
            version: number.to_string(),
            mix: mix(wanted),
        };
        let mut subnets = Vec::new();
        for subnet in &wanted.subnets {
            subnets.push(self.step.subnet_id(subnet).await?);
        }
        asked.extend([tags::of_launch(&launch.template, &launch.version)]);
        if let Some(group) = found {
            self.alter(key, wanted, &group, launch, subnets, asked).await?;
        } else {
            let new = NewGroup {
                name,
                subnets,
                launch,
                sizes: Sizes {
                    min: wanted.min,
                    max: wanted.max,
                    desired: Some(wanted.replicas),
                },
                health_check: HEALTH_CHECK,
                target_groups: Vec::new(),
                tags: marks.into_iter().chain(asked).collect(),
            };
            self.make(key, &new).await?;
        }
        self.tidy(&template, number).await?;
        self.until_full(key).await?;
        self.starts_from(key, &wanted.template()).await
    }

    /// The group with the mark of `key`, once none goes any more that has it.
    async fn standing(&self, key: &ResourceKey) -> Result<Option<Group>, Outcome> {
        let settled = || async {
            let found = self.group(key).await?;
            let is_going = found.as_ref().is_some_and(|group| group.is_going);
            Ok((!is_going).then_some(found))
        };
        let settled = self.step.until_found(GONE_LIMIT, settled).await?;
        settled.ok_or_else(|| late(format!("an earlier {key} is still being deleted")))
    }

    /// The mark of `key`: the incarnation is the one that is there, whoever changes it.
    async fn marks(&self, key: &ResourceKey, found: Option<&Group>) -> Result<Tags, Outcome> {
        let mut marks = self.step.mark(key);
        let there = if let Some(group) = found {
            group.tags.get(GENERATION).cloned()
        } else {
            let first = self.templates(key).await?.into_iter().next();
            first.and_then(|template| template.tags.get(GENERATION).cloned())
        };
        marks.extend(there.map(|generation| (GENERATION.to_owned(), generation)));
        Ok(marks)
    }

    async fn make(&self, key: &ResourceKey, new: &NewGroup) -> Result<(), Outcome> {
        let scaling = &self.calls.scaling;
        self.step
            .context
            .progress
            .tell(&format!("make the group {}", new.name));
        let make = || scaling.create_group(new);
        let Err(error) = self.step.again_while(NOT_YET, PROFILE_LIMIT, make).await else {
            return Ok(());
        };
        if !error.is(&["AlreadyExists"]) {
            return Err(refused(error, &format!("make {key}")));
        }
        let found = scaling.groups(std::slice::from_ref(&new.name)).await;
        let found = found.map_err(|error| refused(error, "look whose the group is"))?;
        let other = found.into_iter().next();
        let tags = other.map(|group| group.tags);
        Err(taken(self, key, "Auto Scaling group", &new.name, tags.as_ref()))
    }

    /// A group that is there is as it is wanted. Where something scales it, it holds as many machines as before, as far as it may.
    async fn alter(
        &self,
        key: &ResourceKey,
        wanted: &NodeGroup,
        group: &Group,
        launch: Launch,
        subnets: Vec<String>,
        asked: Tags,
    ) -> Result<(), Outcome> {
        let scaling = &self.calls.scaling;
        let changes = changes(wanted, group, launch, subnets);
        if let Some(changes) = changes {
            self.step
                .context
                .progress
                .tell(&format!("change the group {}", group.name));
            let alter = || scaling.update_group(&group.name, &changes);
            let altered = self.step.again_while(NOT_YET, PROFILE_LIMIT, alter).await;
            altered.map_err(|error| refused(error, &format!("change {key}")))?;
        }
        // What is said is true by now.
        let mut asked = asked;
        asked.retain(|tag, value| group.tags.get(tag) != Some(value));
        let said = scaling.tag_group(&group.name, &asked).await;
        said.map_err(|error| refused(error, &format!("say what {key} was asked to be")))
    }

    /// Where no machine of the group `key` starts from anything but `template`, nothing else is kept for first boots.
    pub(super) async fn starts_from(&self, key: &ResourceKey, template: &Digest) -> Result<(), Outcome> {
        let mut instances = self.instances(key).await?.into_iter();
        let is_other = |tags: &Tags| tags::template(tags) != *template;
        if instances.any(|instance| instance.is_alive() && is_other(&instance.tags)) {
            return Ok(());
        }
        let cluster = &self.step.context.cluster;
        let over = self
            .first_boot
            .group_starts_from(cluster, key.name(), Some(template));
        over.await.map_err(Outcome::Rejected)
    }
}

/// What of a group is to be otherwise, if anything.
fn changes(
    wanted: &NodeGroup,
    group: &Group,
    launch: Launch,
    mut subnets: Vec<String>,
) -> Option<GroupChanges> {
    let now = group.sizes.desired.unwrap_or_default();
    let sizes = Sizes {
        min: wanted.min,
        max: wanted.max,
        desired: Some(wanted.replicas_from(now)),
    };
    let is_sized = group.sizes == sizes;
    let sizes = Sizes {
        // Not said where it is right: something may set another one just now.
        desired: sizes.desired.filter(|desired| *desired != now),
        ..sizes
    };
    let mut there = group.subnets.clone();
    there.sort();
    subnets.sort();
    let changes = GroupChanges {
        subnets: (there != subnets).then_some(subnets),
        launch: (group.launch.as_ref() != Some(&launch)).then_some(launch),
        sizes: (!is_sized).then_some(sizes),
        health_check: (group.health_check != HEALTH_CHECK).then_some(HEALTH_CHECK),
    };
    let is_some = changes.subnets.is_some()
        || changes.launch.is_some()
        || changes.sizes.is_some()
        || changes.health_check.is_some();
    is_some.then_some(changes)
}
