//! What machines may do in the cloud: no more than to read what they run, to publish their host keys, and where they run etcd to
//! write its backups.

use keelson_provider_api::kinds::{MachineRole, Role};
use keelson_provider_api::{Kind, ResourceKey};
use serde_json::{Value, json};

use super::blueprint::{Blueprint, MachineBlueprint};
use super::stored;
use crate::plan::DesiredState;
use crate::spec::{AwsRole, Family, Provider, StateStore};

pub(super) fn build(blueprint: &Blueprint<'_>, desired: &mut DesiredState) {
    for machine in blueprint.all_machines().chain(blueprint.any_of_groups()) {
        let mut terms = terms(blueprint, machine);
        if blueprint.family != Family::Aws || terms.instance_profile.is_some() {
            continue;
        }
        // The order in which somebody has written them says nothing.
        terms.policies.sort();
        let name = own_name(machine);
        let role = Role {
            machines: first_role(machine),
            statements: Value::Array(statements(blueprint, machine)),
            boundary: terms.permissions_boundary,
            policies: terms.policies,
        };
        desired.add(ResourceKey::new(Kind::Role, name), role);
    }
}

fn first_role(machine: &MachineBlueprint<'_>) -> MachineRole {
    let of_machine = machine.roles.iter().next();
    of_machine.copied().unwrap_or(MachineRole::Worker)
}

/// The name of the role that keelson makes for machines such as `machine`.
pub(super) fn own_name(machine: &MachineBlueprint<'_>) -> &'static str {
    match first_role(machine) {
        MachineRole::ControlPlane => "control-plane",
        MachineRole::Etcd => "etcd",
        MachineRole::Worker => "node",
        MachineRole::Bastion => "bastion",
    }
}

/// What the spec says of the role of `machine`.
fn terms(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> AwsRole {
    let Provider::Aws(aws) = &blueprint.spec.provider else {
        return AwsRole::default();
    };
    let terms = match first_role(machine) {
        MachineRole::ControlPlane | MachineRole::Etcd => &aws.roles.control_plane,
        MachineRole::Worker => &aws.roles.node,
        MachineRole::Bastion => &aws.roles.bastion,
    };
    terms.clone()
}

/// The name of the role of `machine`, where there are roles: that of an instance profile which exists already and is only used
/// follows `instance-profile/`, and nothing is planned for it.
pub(super) fn name(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Option<String> {
    let name = match terms(blueprint, machine).instance_profile {
        Some(existing) => format!("instance-profile/{existing}"),
        None => own_name(machine).to_owned(),
    };
    (blueprint.family == Family::Aws).then_some(name)
}

/// The statements of a policy for machines such as `machine`. Only a bucket of AWS asks roles.
fn statements(blueprint: &Blueprint<'_>, machine: &MachineBlueprint<'_>) -> Vec<Value> {
    let bucket = match &blueprint.spec.state_store {
        StateStore::S3(bucket) if bucket.endpoint.is_none() => bucket,
        _ => return Vec::new(),
    };
    let bucket_arn = format!("arn:{}:s3:::{}", partition(&blueprint.spec.provider), bucket.name);
    let key = |path: &str| stored::key_in_bucket(bucket, path);
    let bundles = key(&stored::bundles_of_role(blueprint.name, machine));
    let host_keys = key(&stored::host_keys_path(blueprint.name, stored::INSTANCE_ITSELF));
    let mut statements = Vec::new();
    // It runs nothing but its sshd.
    if !machine.is(MachineRole::Bastion) {
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["s3:GetObject"],
            "Resource": [format!("{bucket_arn}/{bundles}*")],
        }));
    }
    // Who may read it can tell that a write whose answer was lost has happened.
    statements.push(json!({
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": [format!("{bucket_arn}/{host_keys}")],
    }));
    if machine.is(MachineRole::Etcd) {
        let backups = key(&format!("{}/backups/etcd/*", blueprint.name));
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["s3:PutObject"],
            "Resource": [format!("{bucket_arn}/{backups}")],
        }));
        // Which keys are listed is a condition on the bucket
        // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html).
        statements.push(json!({
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [bucket_arn],
            "Condition": { "StringLike": { "s3:prefix": [backups] } },
        }));
    }
    statements
}

/// The part of AWS that a region is in (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).
fn partition(provider: &Provider) -> &'static str {
    match provider {
        Provider::Aws(aws) if aws.region.starts_with("cn-") => "aws-cn",
        Provider::Aws(aws) if aws.region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
