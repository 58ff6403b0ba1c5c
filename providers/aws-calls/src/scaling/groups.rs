//! Groups: creating, listing, changing, deleting them.

use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, Tag};

use crate::failure::{CallError, Called as _};
use crate::mark::{CLUSTER, Tags};
use crate::whole::{every_page, next, promised};

use super::members::Member;
use super::{Launch, Scaling, count, number};

const CREATE: &str = "CreateAutoScalingGroup";
const DESCRIBE: &str = "DescribeAutoScalingGroups";
const DELETE: &str = "DeleteAutoScalingGroup";
/// How many groups a call names at most, which is a page of what it answers
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>).
const BATCH: usize = 50;

/// How many instances a group has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// As few may there be.
    pub min: u32,
    /// As many may there be.
    pub max: u32,
    /// As many shall there be now; none leaves that as it is, and is `min` in a create.
    pub desired: Option<u32>,
}

/// When a group takes an instance for unwell and replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Whether its load balancers are asked as well, beside EC2.
    pub asks_load_balancers: bool,
    /// How long a new instance is left alone.
    pub grace_seconds: u32,
}

/// A group to create.
#[derive(Debug, Clone)]
pub struct NewGroup {
    /// Its name, one in the region.
    pub name: String,
    /// The subnets its instances are spread over.
    pub subnets: Vec<String>,
    /// What its instances are started from.
    pub launch: Launch,
    /// How many there are.
    pub sizes: Sizes,
    /// When one is replaced.
    pub health_check: HealthCheck,
    /// The ARNs of the target groups that its instances are registered with.
    pub target_groups: Vec<String>,
    /// Its mark. Instances have theirs from the launch template.
    pub tags: Tags,
}

/// What shall be otherwise with a group; what is none stays.
#[derive(Debug, Clone, Default)]
pub struct GroupChanges {
    /// Other subnets.
    pub subnets: Option<Vec<String>>,
    /// What instances are started from, from now on.
    pub launch: Option<Launch>,
    /// How many there are.
    pub sizes: Option<Sizes>,
    /// When one is replaced.
    pub health_check: Option<HealthCheck>,
}

/// A group that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The subnets its instances are spread over.
    pub subnets: Vec<String>,
    /// What its instances are started from; none where that is no launch template.
    pub launch: Option<Launch>,
    /// How many there are; `desired` is always said.
    pub sizes: Sizes,
    /// When one is replaced.
    pub health_check: HealthCheck,
    /// The ARNs of the target groups that its instances are registered with.
    pub target_groups: Vec<String>,
    /// The processes that do not run.
    pub suspended: Vec<String>,
    /// True while it goes, after a deletion that is forced.
    pub is_going: bool,
    /// Its instances, also those that come and go.
    pub members: Vec<Member>,
    /// Its tags.
    pub tags: Tags,
}

impl Scaling {
    /// Creates a group. The call is sent once: there is no client token for it, and a name that is taken is refused.
    ///
    /// # Errors
    ///
    /// When the name is taken (`AlreadyExists`), when it is refused, and when the answer is lost.
    pub async fn create_group(&self, new: &NewGroup) -> Result<(), CallError> {
        let target_groups = (!new.target_groups.is_empty()).then(|| new.target_groups.clone());
        self.clients
            .once
            .create_auto_scaling_group()
            .auto_scaling_group_name(&new.name)
            .vpc_zone_identifier(new.subnets.join(","))
            .set_launch_template(new.launch.alone())
            .set_mixed_instances_policy(new.launch.mixed())
            .min_size(number(new.sizes.min))
            .max_size(number(new.sizes.max))
            .set_desired_capacity(new.sizes.desired.map(number))
            .health_check_type(word_of(&new.health_check))
            .health_check_grace_period(number(new.health_check.grace_seconds))
            .set_target_group_arns(target_groups)
            .set_tags(Some(written(&new.name, &new.tags)))
            .send()
            .await
            .called(CREATE)
            .map(drop)
    }

    /// Those of the groups `names` that are there.
    ///
    /// # Errors
    ///
    /// When Auto Scaling refuses or cannot be asked.
    pub async fn groups(&self, names: &[String]) -> Result<Vec<Group>, CallError> {
        let mut found = Vec::new();
        // A call that names none is answered with all.
        for batch in names.chunks(BATCH) {
            found.extend(self.described(batch, None).await?);
        }
        Ok(found)
    }

    /// The groups that have the tag `key` with this very value.
    ///
    /// # Errors
    ///
    /// When Auto Scaling refuses or cannot be asked.
    pub async fn groups_tagged(&self, key: &str, value: &str) -> Result<Vec<Group>, CallError> {
        let filter = Filter::builder().name(format!("tag:{key}")).values(value).build();
        let mut found = self.described(&[], Some(filter)).await?;
        // A filter has wildcards.
        found.retain(|group| group.tags.get(key).is_some_and(|given| given == value));
        Ok(found)
    }

    /// The groups that have the mark of the cluster `uid`.
    ///
    /// # Errors
    ///
    /// When Auto Scaling refuses or cannot be asked.
    pub async fn owned(&self, uid: &str) -> Result<Vec<Group>, CallError> {
        self.groups_tagged(CLUSTER, uid).await
    }

    /// Changes a group. Instances that are there stay as they are.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn update_group(&self, name: &str, changes: &GroupChanges) -> Result<(), CallError> {
        let (launch, sizes) = (changes.launch.as_ref(), changes.sizes);
        let health_check = changes.health_check.as_ref();
        self.clients
            .patient
            .update_auto_scaling_group()
            .auto_scaling_group_name(name)
            .set_vpc_zone_identifier(changes.subnets.as_ref().map(|subnets| subnets.join(",")))
            .set_launch_template(launch.and_then(Launch::alone))
            .set_mixed_instances_policy(launch.and_then(Launch::mixed))
            .set_min_size(sizes.map(|sizes| number(sizes.min)))
            .set_max_size(sizes.map(|sizes| number(sizes.max)))
            .set_desired_capacity(sizes.and_then(|sizes| sizes.desired).map(number))
            .set_health_check_type(health_check.map(|check| word_of(check).to_owned()))
            .set_health_check_grace_period(health_check.map(|check| number(check.grace_seconds)))
            .send()
            .await
            .called("UpdateAutoScalingGroup")
            .map(drop)
    }

    /// Says how many instances there shall be, within the bounds of the group.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn set_desired(&self, name: &str, desired: u32) -> Result<(), CallError> {
        let call = self
            .clients
            .patient
            .set_desired_capacity()
            .auto_scaling_group_name(name);
        let answer = call
            .desired_capacity(number(desired))
            .honor_cooldown(false)
            .send()
            .await;
        answer.called("SetDesiredCapacity").map(drop)
    }

    /// Gives a group these tags too; a tag that is there gets the new value. Its instances have their tags from the launch template.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn tag_group(&self, name: &str, tags: &Tags) -> Result<(), CallError> {
        if tags.is_empty() {
            return Ok(());
        }
        let call = self.clients.patient.create_or_update_tags();
        let answer = call.set_tags(Some(written(name, tags))).send().await;
        answer.called("CreateOrUpdateTags").map(drop)
    }

    /// Has a group no longer do `processes`, for example `Terminate` and `ReplaceUnhealthy`.
    ///
    /// # Errors
    ///
    /// When the group is not there, when it is refused or cannot be asked for.
    pub async fn suspend(&self, name: &str, processes: &[&str]) -> Result<(), CallError> {
        // Without any, all would be suspended.
        if processes.is_empty() {
            return Ok(());
        }
        let call = self
            .clients
            .patient
            .suspend_processes()
            .auto_scaling_group_name(name);
        let answer = call.set_scaling_processes(Some(owned(processes))).send().await;
        answer.called("SuspendProcesses").map(drop)
    }

    /// Has a group do `processes` again.
    ///
    /// # Errors
    ///
    /// When the group is not there, when it is refused or cannot be asked for.
    pub async fn resume(&self, name: &str, processes: &[&str]) -> Result<(), CallError> {
        // Without any, all would be resumed.
        if processes.is_empty() {
            return Ok(());
        }
        let call = self
            .clients
            .patient
            .resume_processes()
            .auto_scaling_group_name(name);
        let answer = call.set_scaling_processes(Some(owned(processes))).send().await;
        answer.called("ResumeProcesses").map(drop)
    }

    /// Deletes a group: one without instances, or with `force` also its instances, which end first.
    ///
    /// # Errors
    ///
    /// When it has instances and is not forced (`ResourceInUse`), when it is refused or cannot be asked for; not when it is gone
    /// or goes.
    pub async fn delete_group(&self, name: &str, force: bool) -> Result<(), CallError> {
        let call = self
            .clients
            .patient
            .delete_auto_scaling_group()
            .auto_scaling_group_name(name);
        let answer = call.force_delete(force).send().await.called(DELETE);
        let Err(error) = answer else { return Ok(()) };
        // What is not there has no code of its own.
        if !error.is(&["ValidationError", "ResourceInUse", "ScalingActivityInProgress"]) {
            return Err(error);
        }
        let found = self.described(&[name.to_owned()], None).await?;
        if found.iter().all(|group| group.is_going) {
            return Ok(());
        }
        Err(error)
    }

    async fn described(&self, names: &[String], filter: Option<Filter>) -> Result<Vec<Group>, CallError> {
        let filter = &filter;
        let found = every_page(DESCRIBE, |from| async move {
            let call = self.clients.patient.describe_auto_scaling_groups();
            let call = call
                .set_auto_scaling_group_names((!names.is_empty()).then(|| names.to_vec()))
                .set_filters(filter.clone().map(|filter| vec![filter]))
                .set_next_token(from);
            let answer = call.send().await.called(DESCRIBE)?;
            Ok((
                answer.auto_scaling_groups.unwrap_or_default(),
                next(answer.next_token),
            ))
        });
        found.await?.into_iter().map(read).collect()
    }
}

fn word_of(check: &HealthCheck) -> &'static str {
    if check.asks_load_balancers { "ELB" } else { "EC2" }
}

fn owned(processes: &[&str]) -> Vec<String> {
    processes.iter().map(|&process| process.to_owned()).collect()
}

fn written(group: &str, tags: &Tags) -> Vec<Tag> {
    let one = |(key, value): (&String, &String)| {
        Tag::builder()
            .resource_type("auto-scaling-group")
            .resource_id(group)
            .key(key)
            .value(value)
            .propagate_at_launch(false)
            .build()
    };
    tags.iter().map(one).collect()
}

fn read(found: AutoScalingGroup) -> Result<Group, CallError> {
    let subnets = found.vpc_zone_identifier.unwrap_or_default();
    let subnets = subnets.split(',').map(str::trim);
    let checks = found.health_check_type.unwrap_or_default();
    let tags = found.tags.unwrap_or_default();
    let suspended = found.suspended_processes.unwrap_or_default();
    let members = found.instances.unwrap_or_default();
    Ok(Group {
        name: promised(DESCRIBE, "name", found.auto_scaling_group_name)?,
        arn: found.auto_scaling_group_arn.unwrap_or_default(),
        subnets: subnets
            .filter(|subnet| !subnet.is_empty())
            .map(str::to_owned)
            .collect(),
        launch: Launch::read(found.launch_template, found.mixed_instances_policy),
        sizes: Sizes {
            min: count(found.min_size),
            max: count(found.max_size),
            desired: Some(count(found.desired_capacity)),
        },
        health_check: HealthCheck {
            asks_load_balancers: checks.split(',').any(|check| check.trim() == "ELB"),
            grace_seconds: count(found.health_check_grace_period),
        },
        target_groups: found.target_group_arns.unwrap_or_default(),
        suspended: suspended.into_iter().filter_map(|one| one.process_name).collect(),
        is_going: found.status.is_some_and(|status| status == "Delete in progress"),
        members: members.into_iter().filter_map(Member::read).collect(),
        tags: tags
            .into_iter()
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect(),
    })
}
