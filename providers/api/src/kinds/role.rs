//! What machines may do in the cloud.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Catalogued, Effect, Field, Lifetime, MachineRole};
use crate::key::ResourceKey;

/// What machines may do in the cloud's own API: on AWS a role of IAM that instances assume, and the instance profile that
/// gives it to them
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// What the machines that it is for are for.
    pub machines: MachineRole,

    /// The statements of its policy, a list as IAM has them; an empty one for machines that may do nothing
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html>).
    pub statements: Value,

    /// The ARN of the policy that it can never go beyond, where the account asks for one
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,

    /// The ARNs of further policies that it has, which are somebody else's, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

impl Catalogued for Role {
    const SUMMARY: &'static str = "What machines may do in the cloud's own API.";
    const LIFETIME: Lifetime = Lifetime::Own;
    const FIELDS: &'static [Field] = &[
        Field::new("machines", Effect::Immutable),
        Field::new("statements", Effect::InPlace),
        Field::new("boundary", Effect::InPlace),
        Field::new("policies", Effect::InPlace),
    ];

    fn references(&self) -> Vec<ResourceKey> {
        Vec::new()
    }
}

#[cfg(test)]
impl Role {
    pub(super) fn sample() -> Self {
        Self {
            machines: MachineRole::ControlPlane,
            statements: serde_json::json!([]),
            boundary: Some("boundary".to_owned()),
            policies: vec!["audit".to_owned()],
        }
    }
}
