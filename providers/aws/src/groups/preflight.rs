//! What would keep machines of groups from being started, found before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::Ec2;
use keelson_provider_api::kinds::NodeGroup;
use keelson_provider_api::{Action, Change, Finding, Resource};

use super::template::types;
use crate::machine::images::{self, Found};
use crate::machine::preflight::{IMAGE, TYPE, finding, types_there, unasked};

/// What stands in the way of the groups that `changes` make or change, by group. Zones are those of subnets that may not be there
/// yet: a type that one of them has not is found by the group, which takes the others.
pub(super) async fn findings(ec2: &Ec2, changes: &[&Change]) -> Vec<Finding> {
    let groups: BTreeMap<&str, &NodeGroup> = changes.iter().filter_map(|change| brought(change)).collect();
    let Some(first) = groups.keys().next() else {
        return Vec::new();
    };
    match look(ec2, &groups).await {
        Ok(findings) => findings,
        Err(error) => vec![unasked(first, error)],
    }
}

fn brought(change: &Change) -> Option<(&str, &NodeGroup)> {
    match &change.action {
        Action::Create { resource, .. } | Action::Update { resource, .. } => match &**resource {
            Resource::NodeGroup(group) => Some((change.key.name(), group)),
            _ => None,
        },
        Action::Delete { .. } => None,
    }
}

async fn look(ec2: &Ec2, groups: &BTreeMap<&str, &NodeGroup>) -> Result<Vec<Finding>, CallError> {
    let names: BTreeSet<&str> = groups.values().flat_map(|group| types(group)).collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let there = types_there(ec2, &names).await?;
    let mut findings = Vec::new();
    for (&name, group) in groups {
        let missing = types(group).into_iter().filter(|one| !there.contains_key(*one));
        findings.extend(missing.map(|one| {
            let problem = format!("there is no machine type `{one}` in this region");
            finding(name, TYPE, problem)
        }));
        let first = types(group).first().and_then(|first| there.get(*first));
        let Some(first) = first else { continue };
        let image = match images::find(ec2, group.image.as_deref(), &first.architectures).await? {
            Found::Image(image) => image,
            Found::None(why) => {
                findings.push(finding(name, IMAGE, why));
                continue;
            }
        };
        let others = types(group).into_iter().skip(1).filter_map(|one| there.get(one));
        let unfit = others.filter(|one| !one.architectures.contains(&image.architecture));
        findings.extend(unfit.map(|one| {
            let problem = format!(
                "`{}` does not run the image of `{}`, {}",
                one.name, first.name, image.id
            );
            finding(name, TYPE, problem)
        }));
    }
    Ok(findings)
}
