//! Until a group holds what it is to.

use std::time::Duration;

use keelson_aws_calls::scaling::{Group, Member};
use keelson_provider_api::{Outcome, ResourceKey};

use super::Groups;
use crate::step::{late, refused};

/// An instance runs after a minute; many of them, and those without an operating system between (`metal`), after more. One that
/// cannot be had for want of capacity is tried again for as long.
const LIMIT: Duration = Duration::from_secs(1800);

/// True for an instance that its group has let go, or is about to
/// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>).
pub(super) fn is_let_go(member: &Member) -> bool {
    matches!(member.lifecycle.as_str(), "Detaching" | "Detached")
}

/// How many of a group's instances are in service.
fn in_service(group: &Group) -> usize {
    let serving = group
        .members
        .iter()
        .filter(|member| member.is_in_service() && member.is_healthy);
    serving.count()
}

fn desired(group: &Group) -> u32 {
    group.sizes.desired.unwrap_or_default()
}

/// True for a group that has as many instances in service as it is to hold.
pub(super) fn is_full(group: &Group) -> bool {
    u32::try_from(in_service(group)).is_ok_and(|count| count == desired(group))
}

/// What a group that is not full lacks, and what Auto Scaling says of that.
pub(super) fn lacks(group: &Group, failure: Option<&str>) -> String {
    let (count, desired) = (in_service(group), desired(group));
    let mut text = format!("{count} of {desired} machines are in service");
    if !group.suspended.is_empty() {
        text = format!("{text}; it is kept from {}", group.suspended.join(", "));
    }
    match failure {
        Some(failure) => format!("{text}; Auto Scaling says: {failure}"),
        None => text,
    }
}

impl Groups<'_> {
    /// Waits until the group `key` is there and holds what it is to.
    pub(super) async fn until_full(&self, key: &ResourceKey) -> Result<(), Outcome> {
        let full = || async { Ok(self.group(key).await?.filter(is_full).map(drop)) };
        match self.step.until_found(LIMIT, full).await? {
            Some(()) => Ok(()),
            None => Err(self.not_full(key).await?),
        }
    }

    /// Waits until the group `key` holds what it is to without the instance `left`; a group that is gone, or goes, holds all that
    /// it is to.
    pub(super) async fn until_full_without(&self, key: &ResourceKey, left: &str) -> Result<(), Outcome> {
        let full = || async {
            let group = self.group(key).await?.filter(|group| !group.is_going);
            Ok(group
                .is_none_or(|group| is_full(&group) && !has(&group, left))
                .then_some(()))
        };
        match self.step.until_found(LIMIT, full).await? {
            Some(()) => Ok(()),
            None => Err(self.not_full(key).await?),
        }
    }

    async fn not_full(&self, key: &ResourceKey) -> Result<Outcome, Outcome> {
        let Some(group) = self.group(key).await? else {
            return Ok(late(format!("{key} does not show")));
        };
        let failure = self.calls.scaling.last_failure(&group.name).await;
        let failure = failure.map_err(|error| refused(error, "look at what the group did"))?;
        let lacks = lacks(&group, failure.as_deref());
        Ok(late(format!("{key}, {}: {lacks}", group.name)))
    }
}

fn has(group: &Group, instance: &str) -> bool {
    group.members.iter().any(|member| member.id == instance)
}

#[cfg(test)]
mod tests {
    use keelson_aws_calls::scaling::{HealthCheck, Sizes};

    use super::*;

    fn member(lifecycle: &str, is_healthy: bool) -> Member {
        Member {
            id: "i-1".to_owned(),
            zone: "a".to_owned(),
            instance_type: "m6i.large".to_owned(),
            lifecycle: lifecycle.to_owned(),
            is_healthy,
            template_version: None,
            is_protected: false,
        }
    }

    fn group(desired: u32, members: Vec<Member>, suspended: &[&str]) -> Group {
        Group {
            name: "nodes".to_owned(),
            arn: String::new(),
            subnets: Vec::new(),
            launch: None,
            sizes: Sizes {
                min: 0,
                max: 9,
                desired: Some(desired),
            },
            health_check: HealthCheck {
                asks_load_balancers: false,
                grace_seconds: 0,
            },
            target_groups: Vec::new(),
            suspended: suspended.iter().map(|&one| one.to_owned()).collect(),
            is_going: false,
            members,
            tags: keelson_aws_calls::mark::Tags::new(),
        }
    }

    #[test]
    fn a_group_is_full_when_as_many_serve_as_it_is_to_hold_and_says_what_it_lacks() {
        let serving = || member("InService", true);
        let pending = || member("Pending", true);
        assert!(is_full(&group(0, vec![], &[])));
        assert!(is_full(&group(
            1,
            vec![serving(), member("Terminating", true)],
            &[]
        )));
        assert!(!is_full(&group(1, vec![serving(), serving()], &[])));
        let cases = [
            (
                group(2, vec![serving(), pending()], &[]),
                None,
                "1 of 2 machines are in service",
            ),
            (
                group(1, vec![member("InService", false)], &["Launch"]),
                Some("no capacity"),
                "0 of 1 machines are in service; it is kept from Launch; Auto Scaling says: no capacity",
            ),
        ];
        for (group, failure, expected) in cases {
            assert!(!is_full(&group));
            assert_eq!(lacks(&group, failure), expected);
        }
    }
}
