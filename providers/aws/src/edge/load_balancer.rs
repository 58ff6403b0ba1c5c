//! Load balancers: a network load balancer with a listener, and the target group that it forwards to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_aws_calls::elb::{self, BalancerAttributes, GroupAttributes, NewLoadBalancer, Owned, Scheme};
use keelson_provider_api::kinds::LoadBalancer;
use keelson_provider_api::{ErrorClass, Health, Kind, Outcome, ProviderError, ResourceKey};

use super::forwarding;
use super::look::{Balancer, Look};
use super::name::name;
use super::step::EdgeStep;
use crate::marked::{Seen, key_of_tags};
use crate::step::{late, refused};

/// One was seen to provision for more than 2 minutes
/// (<https://github.com/hashicorp/terraform-provider-aws/issues/1838>).
const ACTIVE_LIMIT: Duration = Duration::from_secs(600);
/// The port of a load balancer that does not serve: no resource has it.
const NO_PORT: u16 = 0;
/// The fact by which people know where it is reached.
const HOST_NAME: &str = "hostname";

/// The load balancers among what was seen. One that does not serve as keelson has it serve, since it was begun and not ended or
/// something of it was changed by hand, is seen with no port: an update gives it one.
pub(super) fn seen(look: &Look) -> Vec<Seen> {
    let balancers = look.balancers.iter().map(|balancer| {
        let found = &balancer.found;
        let served = served_port(look, balancer);
        Seen {
            id: found.arn.clone(),
            tags: found.tags.clone(),
            resource: Ok(resource(look, found, *served.as_ref().unwrap_or(&NO_PORT)).into()),
            health: health(&found.state, served.err()),
            created_at: None,
            facts: BTreeMap::from([(HOST_NAME.to_owned(), found.dns_name.clone())]),
        }
    });
    balancers.chain(groups_alone(look)).collect()
}

fn resource(look: &Look, found: &elb::LoadBalancer, port: u16) -> LoadBalancer {
    let subnets = found.subnets.iter().map(|id| look.name_of(Kind::Subnet, id));
    let subnets: BTreeSet<String> = subnets.collect();
    let firewalls = found
        .security_groups
        .iter()
        .map(|id| look.name_of(Kind::Firewall, id));
    let firewalls: BTreeSet<String> = firewalls.collect();
    // A name that no firewall has, where there are several.
    let firewall = firewalls.into_iter().reduce(|all, one| format!("{all}, {one}"));
    LoadBalancer {
        network: look.name_of(Kind::Network, &found.vpc),
        subnets: subnets.into_iter().collect(),
        port,
        public: found.scheme == Scheme::InternetFacing,
        allowed_cidrs: Vec::new(),
        firewall,
    }
}

/// A target group whose load balancer is not there: it is made anew, or goes with the cluster.
fn groups_alone(look: &Look) -> impl Iterator<Item = Seen> {
    let balancers = look.balancers.iter();
    let keys: BTreeSet<String> = balancers
        .filter_map(|balancer| key_of_tags(&balancer.found.tags))
        .collect();
    let groups = look.groups.iter().map(|group| &group.found);
    let alone = groups.filter(move |group| key_of_tags(&group.tags).is_some_and(|key| !keys.contains(&key)));
    alone.map(|group| Seen {
        id: group.arn.clone(),
        tags: group.tags.clone(),
        resource: Ok(LoadBalancer {
            network: look.name_of(Kind::Network, &group.vpc),
            subnets: Vec::new(),
            port: NO_PORT,
            // What most are: nobody knows.
            public: true,
            allowed_cidrs: Vec::new(),
            firewall: None,
        }
        .into()),
        health: Health::Unhealthy("there is only its target group".to_owned()),
        created_at: None,
        facts: BTreeMap::new(),
    })
}

/// The port that a load balancer serves as keelson has it serve; otherwise, what is not so.
fn served_port(look: &Look, balancer: &Balancer) -> Result<u16, &'static str> {
    let [listener] = balancer.listeners.as_slice() else {
        return Err("it has no listener, or several");
    };
    let key = key_of_tags(&balancer.found.tags).unwrap_or_default();
    let mut groups = look.groups_of(&key);
    let (Some(group), None) = (groups.next(), groups.next()) else {
        return Err("it has no target group, or several");
    };
    if listener.target_groups != std::slice::from_ref(&group.found.arn) {
        return Err("its listener does not forward to its target group");
    }
    if !forwarding::fits(&group.found, listener.port, &balancer.found.vpc) {
        return Err("its target group is no such one as its port needs");
    }
    if group.attributes != GroupAttributes::default() {
        return Err("its target group treats connections otherwise than it should");
    }
    if !balancer.cross_zone {
        return Err("it does not forward from one zone to another");
    }
    Ok(listener.port)
}

fn health(state: &str, problem: Option<&str>) -> Health {
    match (state, problem) {
        (_, Some(problem)) => Health::Unhealthy(problem.to_owned()),
        ("active", None) => Health::Healthy,
        ("active_impaired", None) => {
            Health::Impaired("it cannot take as much traffic as it should".to_owned())
        }
        ("provisioning", None) => Health::Unhealthy("it is being set up".to_owned()),
        (state, None) => Health::Unhealthy(format!("its state is `{state}`")),
    }
}

pub(super) async fn bring(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    wanted: &LoadBalancer,
) -> Result<(), Outcome> {
    if !wanted.allowed_cidrs.is_empty() {
        let problem = format!("{key} is to be reached by some alone, and only its firewall can say whom");
        return Err(Outcome::Rejected(ProviderError::new(
            ErrorClass::Permanent,
            problem,
        )));
    }
    let there = edge.owned(key).await?;
    let edge = &edge.of_incarnation(&there);
    let balancer = balancer(edge, key, wanted, &there).await?;
    forwarding::bring(edge, key, wanted.port, &balancer).await?;
    let look = || active(edge, key, &balancer.arn);
    let is_active = edge.step.until_found(ACTIVE_LIMIT, look).await?;
    is_active.ok_or_else(|| late(format!("{key} does not come to work")))
}

/// The load balancer, made where there is none, with the settings that are its own. Others with its mark go.
async fn balancer(
    edge: &EdgeStep<'_>,
    key: &ResourceKey,
    wanted: &LoadBalancer,
    there: &Owned,
) -> Result<elb::LoadBalancer, Outcome> {
    let calls = &edge.calls.elb;
    let mut subnets = Vec::new();
    for subnet in &wanted.subnets {
        subnets.push(edge.step.subnet_id(subnet).await?);
    }
    let mut security_groups = Vec::new();
    if let Some(firewall) = &wanted.firewall {
        security_groups.push(edge.step.firewall_id(firewall).await?);
    }
    let balancer = if let Some((first, doubles)) = there.load_balancers.split_first() {
        for double in doubles {
            let gone = calls.delete_load_balancer(&double.arn).await;
            gone.map_err(|error| refused(error, "delete a load balancer that was made twice"))?;
        }
        move_it(edge, first, &subnets, &security_groups).await?;
        first.clone()
    } else {
        let token = edge.step.token(key, "");
        let new = NewLoadBalancer {
            name: name(edge.step.context.cluster.name.as_str(), key.name(), &token),
            scheme: if wanted.public {
                Scheme::InternetFacing
            } else {
                Scheme::Internal
            },
            subnets,
            security_groups,
            tags: edge.step.mark(key),
        };
        let made = calls.create_load_balancer(&new).await;
        made.map_err(|error| refused(error, "make the load balancer"))?
    };
    spread(edge, &balancer).await?;
    Ok(balancer)
}

/// Has the load balancer's address in one zone forward to targets in all.
async fn spread(edge: &EdgeStep<'_>, balancer: &elb::LoadBalancer) -> Result<(), Outcome> {
    let calls = &edge.calls.elb;
    let attributes = calls.balancer_attributes(&balancer.arn).await;
    let attributes = attributes.map_err(|error| refused(error, "look at the load balancer"))?;
    if !attributes.cross_zone {
        // Whoever protects it from being deleted is not overruled.
        let attributes = BalancerAttributes {
            cross_zone: true,
            ..attributes
        };
        let set = calls.set_balancer_attributes(&balancer.arn, attributes).await;
        set.map_err(|error| refused(error, "have the load balancer forward to all zones"))?;
    }
    Ok(())
}

async fn move_it(
    edge: &EdgeStep<'_>,
    balancer: &elb::LoadBalancer,
    subnets: &[String],
    security_groups: &[String],
) -> Result<(), Outcome> {
    fn same(one: &[String], other: &[String]) -> bool {
        one.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
    }
    let calls = &edge.calls.elb;
    if !same(&balancer.subnets, subnets) {
        let set = calls.set_subnets(&balancer.arn, subnets).await;
        set.map_err(|error| refused(error, "move the load balancer to other subnets"))?;
    }
    if !same(&balancer.security_groups, security_groups) {
        let set = calls.set_security_groups(&balancer.arn, security_groups).await;
        set.map_err(|error| refused(error, "give the load balancer its security group"))?;
    }
    Ok(())
}

/// Something when the load balancer is set up.
async fn active(edge: &EdgeStep<'_>, key: &ResourceKey, arn: &String) -> Result<Option<()>, Outcome> {
    let found = edge.calls.elb.load_balancers(std::slice::from_ref(arn)).await;
    let found = found.map_err(|error| refused(error, "look at the load balancer"))?;
    let state = found.first().map_or("", |balancer| balancer.state.as_str());
    match state {
        "active" | "active_impaired" => Ok(Some(())),
        "failed" => {
            let error = ProviderError::new(
                ErrorClass::Permanent,
                format!("AWS could not set {key} up: its state is `failed`"),
            );
            let help = "see in the console of AWS why, and delete it there: keelson makes it anew";
            Err(Outcome::Indeterminate(error.with_help(help)))
        }
        _ => Ok(None),
    }
}

pub(super) async fn delete(edge: &EdgeStep<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    let there = edge.owned(key).await?;
    for balancer in &there.load_balancers {
        let gone = edge.calls.elb.delete_load_balancer(&balancer.arn).await;
        gone.map_err(|error| refused(error, "delete the load balancer"))?;
    }
    for group in &there.target_groups {
        let delete = || edge.calls.elb.delete_target_group(&group.arn);
        edge.step
            .delete_when_free(key, forwarding::FREE_LIMIT, delete)
            .await?;
    }
    Ok(())
}
