//! What a load balancer does with connections: a listener, and the target group that it forwards to.
//!
//! **Targets are instances, not addresses**, also where a machine has an interface and an address for life: traffic to an instance
//! goes to the first address of its first interface, which is that one. An instance has a mark, so a registration says which
//! machine it is of, and when an instance ends its registration ends with it
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-register-targets.html>); an address that nobody has
//! any more would stay registered, and whoever gets it next would be sent the clients of the API.

use std::time::Duration;

use keelson_aws_calls::elb::{
    GroupAttributes, HealthCheck, LoadBalancer, NewListener, NewTargetGroup, Owned, TargetGroup, TargetType,
};
use keelson_provider_api::{Outcome, ResourceKey};

use super::name::name;
use super::step::EdgeStep;
use crate::step::{missing, refused};

/// A target group is needed until no listener forwards to it any more.
pub(super) const FREE_LIMIT: Duration = Duration::from_secs(120);
/// Names are tried until one is free: others with the mark are there, and are no such groups as are needed.
const MOST_NAMES: usize = 8;

/// True for a target group as keelson makes one for `port` in `vpc`.
pub(super) fn fits(group: &TargetGroup, port: u16, vpc: &str) -> bool {
    group.port == port
        && group.vpc == vpc
        && group.target_type == Some(TargetType::Instance)
        && group.health_check == Some(HealthCheck::Tcp)
}

/// Has `balancer` forward what comes to `port`, and nothing else.
pub(super) async fn bring(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    port: u16,
    balancer: &LoadBalancer,
) -> Result<(), Outcome> {
    let there = edge.owned(key).await?;
    let group = group(edge, key, port, balancer, &there).await?;
    listener(edge, key, port, balancer, &group).await?;
    for other in there.target_groups.iter().filter(|other| other.arn != group.arn) {
        let delete = || edge.calls.elb.delete_target_group(&other.arn);
        edge.step.delete_when_free(key, FREE_LIMIT, delete).await?;
    }
    Ok(())
}

/// The target group, made where there is none that fits.
async fn group(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    port: u16,
    balancer: &LoadBalancer,
    there: &Owned,
) -> Result<TargetGroup, Outcome> {
    let calls = &edge.calls.elb;
    let fitting = |group: &&TargetGroup| fits(group, port, &balancer.vpc);
    let group = if let Some(group) = there.target_groups.iter().find(fitting) {
        group.clone()
    } else {
        let new = NewTargetGroup {
            name: free_name(edge, key, port, there).ok_or_else(|| missing(key))?,
            vpc: balancer.vpc.clone(),
            port,
            target_type: TargetType::Instance,
            health_check: HealthCheck::Tcp,
            tags: edge.step.mark(key),
        };
        let made = calls.create_target_group(&new).await;
        made.map_err(|error| refused(error, "make the target group"))?
    };
    let attributes = calls.group_attributes(&group.arn).await;
    let attributes = attributes.map_err(|error| refused(error, "look at the target group"))?;
    if attributes != GroupAttributes::default() {
        let set = calls
            .set_group_attributes(&group.arn, GroupAttributes::default())
            .await;
        set.map_err(|error| refused(error, "say what becomes of connections to targets that go"))?;
    }
    Ok(group)
}

fn free_name(edge: &EdgeStep<'_>, key: &ResourceKey, port: u16, there: &Owned) -> Option<String> {
    let names = (0..MOST_NAMES).map(|round| {
        let token = edge.step.token(key, &format!("targets {port} {round}"));
        name(edge.step.context.cluster.name.as_str(), key.name(), &token)
    });
    let is_free = |name: &String| there.target_groups.iter().all(|group| group.name != *name);
    names.into_iter().find(is_free)
}

/// The listener at `port`, which forwards to `group`; others go.
async fn listener(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    port: u16,
    balancer: &LoadBalancer,
    group: &TargetGroup,
) -> Result<(), Outcome> {
    let calls = &edge.calls.elb;
    let there = calls.listeners(&balancer.arn).await;
    let there = there.map_err(|error| refused(error, "look for the listener"))?;
    let (ours, others): (Vec<_>, Vec<_>) = there.into_iter().partition(|one| one.port == port);
    match ours.first() {
        Some(listener) if listener.target_groups == std::slice::from_ref(&group.arn) => {}
        Some(listener) => {
            let led = calls.forward_listener(&listener.arn, &group.arn).await;
            led.map_err(|error| refused(error, "have the listener forward to the target group"))?;
        }
        None => {
            let new = NewListener {
                load_balancer: balancer.arn.clone(),
                port,
                target_group: group.arn.clone(),
                tags: edge.step.mark(key),
            };
            let made = calls.create_listener(&new).await;
            made.map_err(|error| refused(error, "make the listener"))?;
        }
    }
    for other in others {
        let gone = calls.delete_listener(&other.arn).await;
        gone.map_err(|error| refused(error, "delete a listener at another port"))?;
    }
    Ok(())
}
