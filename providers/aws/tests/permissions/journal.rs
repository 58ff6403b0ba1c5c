//! What the emulator has been asked, held against a policy.

use std::collections::{BTreeMap, BTreeSet};

use keelson_test_hosts::Moto;
use serde_json::Value;

use super::OPERATOR;

/// What a policy allows: the types of resources of each action, as ARNs have them.
pub(super) struct Allowed(BTreeMap<String, BTreeSet<String>>);

impl Allowed {
    pub(super) fn by(policy: &Value) -> Self {
        let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for statement in policy["Statement"].as_array().unwrap() {
            for action in statement["Action"].as_array().unwrap() {
                let of_action = types.entry(action.as_str().unwrap().to_owned()).or_default();
                let resources = statement["Resource"].as_array().unwrap().iter();
                of_action.extend(resources.map(|resource| type_of(resource.as_str().unwrap())));
            }
        }
        Self(types)
    }

    fn has(&self, action: &str, kind: &str) -> bool {
        self.0.get(action).is_some_and(|types| types.contains(kind))
    }
}

fn type_of(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    resource.split('/').next().unwrap_or(resource).to_owned()
}

/// How the ids of things of EC2 begin, and what ARNs call their types.
const IDS: [(&str, &str); 12] = [
    ("eipalloc-", "elastic-ip"),
    ("eni-", "network-interface"),
    ("i-", "instance"),
    ("igw-", "internet-gateway"),
    ("lt-", "launch-template"),
    ("nat-", "natgateway"),
    ("rtb-", "route-table"),
    ("sg-", "security-group"),
    ("snap-", "snapshot"),
    ("subnet-", "subnet"),
    ("vol-", "volume"),
    ("vpc-", "vpc"),
];

/// Nobody is asked whether a route may lead to its target.
const ROUTE_TARGETS: [&str; 2] = ["GatewayId", "NatGatewayId"];

/// Forgets what was asked until now.
pub(super) fn forget(moto: &Moto) {
    moto.tell("DELETE", "calls", "").unwrap();
}

/// Fails where the operator has asked for what is not `allowed`, for whoever did `what`; gives all that was asked for.
pub(super) fn check(moto: &Moto, allowed: &Allowed, what: &str) -> BTreeSet<String> {
    let told = moto.tell("GET", "calls?since=0", "").unwrap();
    let calls: Vec<Value> = serde_json::from_str(&told).unwrap();
    let mut asked = BTreeSet::new();
    let mut problems = BTreeSet::new();
    for call in calls {
        if call["caller"] != OPERATOR {
            continue;
        }
        for needed in call["permissions"].as_array().unwrap() {
            let needed = needed.as_str().unwrap();
            if !allowed.0.contains_key(needed) {
                problems.insert(format!("{needed} is not allowed"));
            }
            asked.insert(needed.to_owned());
        }
        if call["service"] == "ec2" {
            problems.extend(check_ec2(&call, allowed));
        }
    }
    assert!(problems.is_empty(), "{what}: {problems:#?}");
    asked
}

/// What is not allowed of the resources that a call names, and of those that it makes, which have to bear the mark.
fn check_ec2(call: &Value, allowed: &Allowed) -> Vec<String> {
    let action = format!("ec2:{}", call["action"].as_str().unwrap());
    let parameters: BTreeMap<&str, &str> = (call["parameters"].as_object().unwrap().iter())
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    if action.starts_with("ec2:Describe") {
        return Vec::new();
    }
    let mut problems = Vec::new();
    // What a launch template says is asked about when somebody starts instances by it.
    let said = parameters
        .iter()
        .filter(|(name, _)| !name.starts_with("LaunchTemplateData."));
    for (name, value) in said {
        let of_id = IDS.iter().find(|(beginning, _)| value.starts_with(beginning));
        if let Some((_, kind)) = of_id.filter(|_| !ROUTE_TARGETS.contains(name) && !name.contains("Tag"))
            && !allowed.has(&action, kind)
        {
            problems.push(format!("{action} is not allowed on a {kind}"));
        }
        let Some(specification) = name.strip_suffix(".ResourceType") else {
            continue;
        };
        for action in [&*action, "ec2:CreateTags"] {
            if !allowed.has(action, value) {
                problems.push(format!("{action} is not allowed to make a {value}"));
            }
        }
        if !is_marked(&parameters, specification) {
            problems.push(format!("{action} makes a {value} without a mark"));
        }
    }
    problems
}

fn is_marked(parameters: &BTreeMap<&str, &str>, specification: &str) -> bool {
    let keys = parameters.iter().filter_map(|(name, value)| {
        let tag = name.strip_prefix(specification)?.strip_suffix(".Key")?;
        (*value == "keelson.dev/cluster").then_some(tag)
    });
    let mut values = keys.map(|tag| parameters.get(&*format!("{specification}{tag}.Value")));
    values.next() == Some(Some(&"one"))
}
