//! What would keep machines from being started, found before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Ec2, InstanceType};
use keelson_provider_api::kinds::Machine;
use keelson_provider_api::{Action, Change, Finding, Resource, Severity};

use super::images::{self, Found};

/// So many types are asked for at once at the most.
const TYPES_AT_ONCE: usize = 200;

/// What is found: names by which the spec lets it pass, and what a person can do.
pub(crate) const TYPE: (&str, &str) = (
    "machine-type",
    "choose a type that the region has: aws ec2 describe-instance-type-offerings",
);
const TYPE_IN_ZONE: (&str, &str) = (
    "machine-type-in-zone",
    "choose another type or zone: aws ec2 describe-instance-type-offerings --location-type availability-zone",
);
pub(crate) const IMAGE: (&str, &str) = (
    "machine-image",
    "choose an image that this region has and that fits the machine type",
);
const UNASKED: (&str, &str) = (
    "machine-checks",
    "let keelson call what is named (docs/aws.md), or ignore this: then it turns out when the machines are started",
);

/// What EC2 says of the types that are wanted.
struct Types {
    there: BTreeMap<String, InstanceType>,
    /// Types with zones that have them.
    offered: BTreeSet<(String, String)>,
}

/// What stands in the way of the creates among `changes`, by machine.
pub(super) async fn findings(ec2: &Ec2, changes: &[&Change]) -> Vec<Finding> {
    let machines: BTreeMap<&str, &Machine> = changes.iter().filter_map(|change| created(change)).collect();
    let Some(first) = machines.keys().next() else {
        return Vec::new();
    };
    match look(ec2, &machines).await {
        Ok(findings) => findings,
        Err(error) => vec![unasked(first, error)],
    }
}

/// Nobody knows whether it would go well: for one machine as for all.
pub(crate) fn unasked(machine: &str, error: CallError) -> Finding {
    let error = error.told("look at machine types and images");
    let unasked = finding(machine, UNASKED, error.message);
    let help = error.help.or_else(|| unasked.help.clone());
    Finding { help, ..unasked }
}

fn created(change: &Change) -> Option<(&str, &Machine)> {
    match &change.action {
        Action::Create { resource, .. } => match &**resource {
            Resource::Machine(machine) => Some((change.key.name(), machine)),
            _ => None,
        },
        _ => None,
    }
}

async fn look(ec2: &Ec2, machines: &BTreeMap<&str, &Machine>) -> Result<Vec<Finding>, CallError> {
    let types = Types::of(ec2, machines).await?;
    let mut findings = Vec::new();
    // Machines of a group are alike: each image is looked for once.
    let mut images: BTreeMap<(&str, Option<&str>), Option<String>> = BTreeMap::new();
    for (&name, machine) in machines {
        let machine_type = machine.machine_type.as_deref().unwrap_or_default();
        let Some(found) = types.there.get(machine_type) else {
            let problem = format!("there is no machine type `{machine_type}` in this region");
            findings.push(finding(name, TYPE, problem));
            continue;
        };
        findings.extend(types.in_zone(name, machine_type, machine.zone.as_deref()));
        let wanted = machine.image.as_deref();
        let known = images.get(&(machine_type, wanted)).cloned();
        let problem = match known {
            Some(known) => known,
            None => match images::find(ec2, wanted, &found.architectures).await? {
                Found::Image(_) => None,
                Found::None(why) => Some(why),
            },
        };
        images.insert((machine_type, wanted), problem.clone());
        findings.extend(problem.map(|problem| finding(name, IMAGE, problem)));
    }
    Ok(findings)
}

/// Those of the types `names` that the region has, by name.
pub(crate) async fn types_there(
    ec2: &Ec2,
    names: &[String],
) -> Result<BTreeMap<String, InstanceType>, CallError> {
    let mut there = BTreeMap::new();
    for names in names.chunks(TYPES_AT_ONCE) {
        let found = ec2.instance_types(names).await?;
        there.extend(found.into_iter().map(|one| (one.name.clone(), one)));
    }
    Ok(there)
}

impl Types {
    async fn of(ec2: &Ec2, machines: &BTreeMap<&str, &Machine>) -> Result<Self, CallError> {
        let names: BTreeSet<String> = machines
            .values()
            .filter_map(|machine| machine.machine_type.clone())
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut types = Self {
            there: BTreeMap::new(),
            offered: BTreeSet::new(),
        };
        for names in names.chunks(TYPES_AT_ONCE) {
            types.there.extend(types_there(ec2, names).await?);
            types.offered.extend(ec2.offered_types(names).await?);
        }
        Ok(types)
    }

    fn in_zone(&self, machine: &str, machine_type: &str, zone: Option<&str>) -> Option<Finding> {
        let zone = zone?;
        let is_offered = self.offered.contains(&(machine_type.to_owned(), zone.to_owned()));
        (!is_offered).then(|| {
            let others = self.offered.iter().filter(|(name, _)| name == machine_type);
            let others: Vec<&str> = others.map(|(_, zone)| zone.as_str()).collect();
            let problem = format!(
                "the zone {zone} has no `{machine_type}`; it is in {}",
                others.join(", ")
            );
            finding(machine, TYPE_IN_ZONE, problem)
        })
    }
}

pub(crate) fn finding(machine: &str, (name, help): (&str, &str), problem: String) -> Finding {
    Finding {
        machine: machine.to_owned(),
        name: name.to_owned(),
        severity: Severity::Error,
        problem,
        help: Some(help.to_owned()),
        can_be_ignored: true,
    }
}
