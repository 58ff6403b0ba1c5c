//! Firewalls: security groups.

use std::collections::BTreeMap;
use std::time::Duration;

use keelson_aws_calls::ec2::{DescribedRules, SecurityGroup};
use keelson_provider_api::kinds::Firewall;
use keelson_provider_api::{Health, Kind, Outcome, ResourceKey};

use super::look::Look;
use super::rules::{described, firewalls_let_in, is_of_controllers, rules};
use crate::marked::Seen;
use crate::step::{Step, late, missing, refused};

/// The groups of a cluster are made together, and some let in others.
const OTHERS_LIMIT: Duration = Duration::from_secs(60);
/// Interfaces of what is gone keep a group for minutes.
const FREE_LIMIT: Duration = Duration::from_secs(300);

/// The firewalls among what was seen.
pub(super) fn seen(look: &Look) -> Vec<Seen> {
    let groups = look.groups.iter().map(|group| Seen {
        id: group.id.clone(),
        tags: group.tags.clone(),
        resource: Ok(Firewall {
            network: look.name_of(Kind::Network, &group.vpc),
            rules: rules(&group.ingress, |id| look.name_of(Kind::Firewall, id)),
        }
        .into()),
        health: Health::Healthy,
        created_at: None,
        facts: BTreeMap::new(),
    });
    groups.collect()
}

pub(super) async fn bring(step: &Step<'_>, key: &ResourceKey, firewall: &Firewall) -> Result<(), Outcome> {
    let group = group(step, key, firewall).await?;
    let mut others = BTreeMap::new();
    for name in firewalls_let_in(&firewall.rules) {
        others.insert(name, other_group(step, name).await?);
    }
    let wanted = described(&firewall.rules, &others);
    let found = &group.ingress;
    let mut opened = wanted.clone();
    opened.retain(|rule, _| !found.contains_key(rule));
    let mut told = wanted.clone();
    told.retain(|rule, purpose| found.get(rule).is_some_and(|found| found != purpose));
    let mut closed = found.clone();
    closed.retain(|rule, purpose| !wanted.contains_key(rule) && !is_of_controllers(purpose));
    // Whoever is still to come in is let in before others are shut out.
    let done = step.ec2.authorize_ingress(&group.id, &opened).await;
    done.map_err(|error| refused(error, "let in who may come"))?;
    let done = step.ec2.describe_ingress(&group.id, &told).await;
    done.map_err(|error| refused(error, "say what is let in for what"))?;
    shut_out(step, &group.id, &closed).await
}

async fn shut_out(step: &Step<'_>, group: &str, rules: &DescribedRules) -> Result<(), Outcome> {
    let closed = step.ec2.revoke_ingress(group, rules).await;
    closed.map_err(|error| refused(error, "shut out who may not come"))
}

/// The id of the group of the firewall `name`. One that is being made is waited for.
async fn other_group(step: &Step<'_>, name: &str) -> Result<String, Outcome> {
    let other = ResourceKey::new(Kind::Firewall, name);
    let look = || async { Ok(groups(step, &other).await?.into_iter().next()) };
    let group = step.until_found(OTHERS_LIMIT, look).await?;
    let group = group.ok_or_else(|| late(format!("{other}, which is let in, is not there")))?;
    Ok(group.id)
}

async fn group(step: &Step<'_>, key: &ResourceKey, firewall: &Firewall) -> Result<SecurityGroup, Outcome> {
    if let Some(group) = groups(step, key).await?.into_iter().next() {
        return Ok(group);
    }
    let vpc = step.network_id(&firewall.network).await?;
    let name = format!("{} {}", step.context.cluster.name, key.name());
    let about = format!("who may reach {} of {}", key.name(), step.context.cluster.name);
    let made = step
        .ec2
        .create_security_group(&vpc, &name, &about, &step.mark(key))
        .await;
    match made {
        // A name is given once in a network: it is an earlier one, which shows or will.
        Err(error) if error.is(&["InvalidGroup.Duplicate"]) => {}
        made => drop(made.map_err(|error| refused(error, "make the security group"))?),
    }
    groups(step, key)
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| missing(key))
}

async fn groups(step: &Step<'_>, key: &ResourceKey) -> Result<Vec<SecurityGroup>, Outcome> {
    let groups = step.ec2.list_security_groups(&step.marked(key)).await;
    let mut groups = groups.map_err(|error| refused(error, "look for the security group"))?;
    groups.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(groups)
}

/// Groups that let in each other need each other: each shuts everybody out first.
pub(super) async fn delete(step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
    for group in groups(step, key).await? {
        shut_out(step, &group.id, &group.ingress).await?;
        let delete = || step.ec2.delete_security_group(&group.id);
        step.delete_when_free(key, FREE_LIMIT, delete).await?;
    }
    Ok(())
}
