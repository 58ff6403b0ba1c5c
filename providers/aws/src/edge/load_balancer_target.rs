//! Targets of load balancers: instances that are registered in the target group.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use keelson_aws_calls::elb::{Target, TargetGroup, TargetHealth};
use keelson_provider_api::kinds::LoadBalancerTarget;
use keelson_provider_api::{
    ClusterIdentity, ErrorClass, Existing, Health, Kind, KindObservation, Observed, Outcome, Owner,
    ProviderError, ResourceKey,
};

use super::look::Look;
use super::step::EdgeStep;
use crate::instances;
use crate::marked::key_of;
use crate::step::{late, missing, refused};

/// A load balancer takes one to three minutes to send to a target that is new, though two checks 10 s apart find it well: the same
/// bound as for load balancers elsewhere (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/pod_readiness_gate/>).
const HEALTHY_LIMIT: Duration = Duration::from_secs(300);
/// Connections have half a minute to end ([`keelson_aws_calls::elb::GroupAttributes`]), and that shows later.
const DRAINED_LIMIT: Duration = Duration::from_secs(180);

/// The targets among what was seen: those whose instance is there.
pub(super) fn seen(cluster: &ClusterIdentity, look: &Look) -> KindObservation {
    let mut observation = KindObservation::default();
    for group in &look.groups {
        let Some((balancer, _)) = key_of(cluster, &group.found.tags) else {
            continue;
        };
        let targets = group.targets.iter().filter(|target| !is_leaving(target));
        for target in targets {
            let mut instances = look.instances.iter();
            let Some(instance) = instances.find(|instance| instance.id == target.target.id) else {
                continue;
            };
            let machine = key_of(cluster, &instance.tags).filter(|(key, _)| key.kind() == Kind::Machine);
            let Some((machine, _)) = machine else {
                continue;
            };
            let resource = LoadBalancerTarget {
                load_balancer: balancer.name().to_owned(),
                machine: machine.name().to_owned(),
            };
            let existing = Existing {
                resource: resource.into(),
                id: instance.id.clone(),
                owner: Owner::ThisCluster,
                health: health(target),
                created_at: Timestamp::UNIX_EPOCH,
                generation: 0,
                host_id: Some(instance.id.clone()),
                facts: BTreeMap::new(),
            };
            let key = ResourceKey::new(Kind::LoadBalancerTarget, machine.name());
            observation.found.insert(key, Observed::Present(existing));
        }
    }
    observation
}

/// True for a target that was deregistered and still has connections.
fn is_leaving(target: &TargetHealth) -> bool {
    target.state.ends_with("draining")
}

/// The states are those of
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html#target-health-states>.
fn health(target: &TargetHealth) -> Health {
    if target.is_healthy() {
        return Health::Healthy;
    }
    Health::Unhealthy(match (target.state.as_str(), target.description.as_str()) {
        ("initial", _) => "it was registered just now".to_owned(),
        (state, "") => format!("it is {state}: {}", target.reason),
        (state, description) => format!("it is {state}: {description}"),
    })
}

pub(super) async fn bring(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    wanted: &LoadBalancerTarget,
) -> Result<(), Outcome> {
    let group = group(edge, &wanted.load_balancer).await?;
    let instance = instance(edge, &wanted.machine).await?;
    let there = target(edge, &group, &instance).await?;
    if there.is_none_or(|there| is_leaving(&there)) {
        let target = Target {
            id: instance.clone(),
            port: None,
        };
        let registered = edge.calls.elb.register(&group.arn, &[target]).await;
        registered.map_err(|error| {
            if error.is(&["InvalidTarget"]) {
                // It does not run just now.
                let problem = format!("{instance} cannot be registered yet: {error}");
                return Outcome::Rejected(ProviderError::new(ErrorClass::Transient, problem));
            }
            refused(error, "register the machine")
        })?;
    }
    let is_healthy = || async {
        let there = target(edge, &group, &instance).await?;
        Ok(there.filter(TargetHealth::is_healthy).map(drop))
    };
    if edge.step.until_found(HEALTHY_LIMIT, is_healthy).await?.is_some() {
        return Ok(());
    }
    let there = target(edge, &group, &instance).await?;
    let why = there.map(|there| health(&there));
    let why = why
        .as_ref()
        .and_then(Health::trouble)
        .unwrap_or("it is not registered");
    Err(late(format!("the load balancer does not find {key} well: {why}")))
}

/// The target group of the load balancer `name`.
async fn group(edge: &EdgeStep<'_>, name: &str) -> Result<TargetGroup, Outcome> {
    let key = ResourceKey::new(Kind::LoadBalancer, name);
    let groups = edge.owned(&key).await?.target_groups;
    groups.into_iter().next().ok_or_else(|| missing(&key))
}

/// The instance that is the machine `name`.
async fn instance(edge: &EdgeStep<'_>, name: &str) -> Result<String, Outcome> {
    let key = ResourceKey::new(Kind::Machine, name);
    let first = instances::of_key(&edge.step, &key).await?.into_iter().next();
    first.map(|instance| instance.id).ok_or_else(|| missing(&key))
}

async fn target(
    edge: &EdgeStep<'_>,
    group: &TargetGroup,
    instance: &str,
) -> Result<Option<TargetHealth>, Outcome> {
    let targets = edge.calls.elb.target_health(&group.arn).await;
    let targets = targets.map_err(|error| refused(error, "look at the targets"))?;
    Ok(targets.into_iter().find(|one| one.target.id == instance))
}

/// Deregisters all instances that are, or were, the machine.
pub(super) async fn delete(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    target: &LoadBalancerTarget,
    id: &str,
) -> Result<(), Outcome> {
    let machine = ResourceKey::new(Kind::Machine, &*target.machine);
    let instances = edge.calls.ec2.list_instances(&edge.step.marked(&machine)).await;
    let instances = instances.map_err(|error| refused(error, "look for the machine"))?;
    let is_it = |target: &TargetHealth| {
        target.target.id == id || instances.iter().any(|instance| instance.id == target.target.id)
    };
    let balancer = ResourceKey::new(Kind::LoadBalancer, &*target.load_balancer);
    for group in edge.owned(&balancer).await?.target_groups {
        let registered = || async {
            let targets = edge.calls.elb.target_health(&group.arn).await;
            let mut targets = targets.map_err(|error| refused(error, "look at the targets"))?;
            targets.retain(is_it);
            Ok::<_, Outcome>(targets)
        };
        let leaving = registered().await?;
        let leaving: Vec<Target> = leaving
            .into_iter()
            .filter(|one| !is_leaving(one))
            .map(|one| one.target)
            .collect();
        let gone = edge.calls.elb.deregister(&group.arn, &leaving).await;
        gone.map_err(|error| refused(error, "deregister the machine"))?;
        let is_drained = || async { Ok(registered().await?.is_empty().then_some(())) };
        let drained = edge.step.until_found(DRAINED_LIMIT, is_drained).await?;
        drained.ok_or_else(|| late(format!("{key} still has connections")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_told_in_words() {
        let cases = [
            ("healthy", "", "", None),
            (
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
                Some("it was registered just now"),
            ),
            (
                "unhealthy",
                "Target.FailedHealthChecks",
                "Health checks failed",
                Some("it is unhealthy: Health checks failed"),
            ),
            (
                "unused",
                "Target.NotInUse",
                "",
                Some("it is unused: Target.NotInUse"),
            ),
        ];
        for (state, reason, description, trouble) in cases {
            let target = TargetHealth {
                target: Target {
                    id: "i-1".to_owned(),
                    port: Some(6443),
                },
                state: state.to_owned(),
                reason: reason.to_owned(),
                description: description.to_owned(),
            };
            assert_eq!(health(&target).trouble(), trouble);
            assert!(!is_leaving(&target));
        }
    }
}
