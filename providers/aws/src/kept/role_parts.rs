//! What there is of a role of machines: a role of IAM, its policies, and the instance profile that gives it to instances.

use keelson_aws_calls::CallError;
use keelson_aws_calls::iam::{Iam, InstanceProfile, Role};
use keelson_aws_calls::mark::Tags;
use keelson_provider_api::kinds::{self, MachineRole};
use serde_json::{Value, json};

/// The name of the policy in each role.
pub(super) const POLICY: &str = "keelson";
/// The tag that says what the machines are for that a role is for.
pub(super) const MACHINES: &str = "keelson.dev/machines";

/// The version of the policy language
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
const VERSION: &str = "2012-10-17";

/// What there is of one name below one path.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    /// The name of role and profile.
    pub(super) name: String,
    /// The role.
    pub(super) role: Option<Role>,
    /// The policies in the role, by their names.
    pub(super) policies: Vec<(String, Value)>,
    /// The ARNs of the managed policies that it has, in order.
    pub(super) attached: Vec<String>,
    /// The instance profile.
    pub(super) profile: Option<InstanceProfile>,
}

impl Parts {
    /// What there is of `name`, whatever its path.
    pub(super) async fn of(iam: &Iam, name: &str) -> Result<Self, CallError> {
        let role = iam.role(name).await?;
        let mut policies = Vec::new();
        let mut attached = Vec::new();
        if role.is_some() {
            for policy in iam.role_policies(name).await? {
                let document = iam.role_policy(name, &policy).await?;
                policies.extend(document.map(|document| (policy, document)));
            }
            attached = iam.attached_policies(name).await?;
            attached.sort();
        }
        Ok(Self {
            name: name.to_owned(),
            role,
            policies,
            attached,
            profile: iam.instance_profile(name).await?,
        })
    }

    /// Of these, what `is_ours` says of a path and tags.
    pub(super) fn that_are(mut self, is_ours: impl Fn(&str, &Tags) -> bool) -> Self {
        self.role = self.role.filter(|role| is_ours(&role.path, &role.tags));
        self.profile = self
            .profile
            .filter(|profile| is_ours(&profile.path, &profile.tags));
        if self.role.is_none() {
            self.policies.clear();
            self.attached.clear();
        }
        self
    }

    /// The tags of what there is; none where there is nothing.
    pub(super) fn tags(&self) -> Option<&Tags> {
        let of_profile = self.profile.as_ref().map(|profile| &profile.tags);
        self.role.as_ref().map(|role| &role.tags).or(of_profile)
    }

    /// The role in the catalogue's terms. In the place of the statements of what was begun and not ended stand words that say
    /// so, which no list of statements is equal to.
    pub(super) fn resource(&self, trust: &Value) -> Result<kinds::Role, String> {
        let machines = self.tags().and_then(|tags| tags.get(MACHINES));
        let machines = machines.and_then(|text| machines_of(text));
        let machines =
            machines.ok_or_else(|| format!("its tag {MACHINES} does not say what its machines are for"))?;
        let statements = match self.unfinished(trust) {
            Some(why) => Value::String(why),
            None => self.statements(),
        };
        let boundary = self
            .role
            .as_ref()
            .and_then(|role| role.permissions_boundary.clone());
        Ok(kinds::Role {
            machines,
            statements,
            boundary,
            policies: self.attached.clone(),
        })
    }

    /// Why machines do not get the role, if so.
    fn unfinished(&self, trust: &Value) -> Option<String> {
        let Some(role) = &self.role else {
            return Some("there is only its instance profile, and no role".to_owned());
        };
        let Some(profile) = &self.profile else {
            return Some("there is only its role, and no instance profile".to_owned());
        };
        if role.trust != *trust {
            return Some("its trust policy is not the one by which machines take it on".to_owned());
        }
        (profile.roles != [self.name.clone()]).then(|| match profile.roles.first() {
            Some(other) => format!("its instance profile has the role {other}"),
            None => "its instance profile has no role".to_owned(),
        })
    }

    /// The statements of all policies in the role. What is no policy as it is written here stands there as a whole.
    fn statements(&self) -> Value {
        let of_one = |(name, found): &(String, Value)| match &found["Statement"] {
            Value::Array(statements) if name == POLICY && *found == policy(&found["Statement"]) => {
                statements.clone()
            }
            _ => vec![json!({ "policy": name, "document": found })],
        };
        Value::Array(self.policies.iter().flat_map(of_one).collect())
    }
}

/// A policy of these statements.
pub(super) fn policy(statements: &Value) -> Value {
    json!({ "Version": VERSION, "Statement": statements })
}

/// By which instances take a role on.
pub(super) fn trust(region: &str) -> Value {
    let principal = json!({ "Service": ec2_service(region) });
    policy(&json!([{ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" }]))
}

/// What EC2 is called among those who take roles on. It has another name in China
/// (<https://docs.amazonaws.cn/en_us/aws/latest/userguide/ec2.html>).
pub(crate) fn ec2_service(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "ec2.amazonaws.com.cn"
    } else {
        "ec2.amazonaws.com"
    }
}

/// What a tag says that machines are for.
fn machines_of(text: &str) -> Option<MachineRole> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

/// What a tag is to say of `machines`.
pub(super) fn machines_text(machines: MachineRole) -> String {
    let value = serde_json::to_value(machines).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(trust: &Value) -> Role {
        Role {
            name: "foo-node".to_owned(),
            path: "/keelson/u1/".to_owned(),
            arn: String::new(),
            id: String::new(),
            trust: trust.clone(),
            permissions_boundary: None,
            tags: Tags::from([(MACHINES.to_owned(), machines_text(MachineRole::Worker))]),
        }
    }

    fn whole(policies: Vec<(String, Value)>) -> Parts {
        let role = role(&trust("eu-west-1"));
        let profile = InstanceProfile {
            name: role.name.clone(),
            path: role.path.clone(),
            arn: String::new(),
            id: String::new(),
            roles: vec![role.name.clone()],
            tags: role.tags.clone(),
        };
        Parts {
            name: role.name.clone(),
            role: Some(role),
            policies,
            attached: Vec::new(),
            profile: Some(profile),
        }
    }

    #[test]
    fn statements_are_seen_as_they_are_and_nothing_that_is_not_ours_is_overlooked() {
        let ours = json!([{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"] }]);
        let written = (POLICY.to_owned(), policy(&ours));
        let of_others = ("more".to_owned(), policy(&ours));
        let mut older = written.clone();
        older.1["Version"] = json!("2008-10-17");
        let mut single = written.clone();
        single.1["Statement"] = ours[0].clone();
        let cases = [
            (vec![], json!([]), true),
            (vec![written.clone()], ours.clone(), true),
            (vec![written, of_others.clone()], ours.clone(), false),
            (vec![of_others], ours.clone(), false),
            (vec![older], ours.clone(), false),
            (vec![single], ours.clone(), false),
            (vec![], ours, false),
        ];
        for (policies, statements, is_equal) in cases {
            let parts = whole(policies);
            let seen = parts.resource(&trust("eu-west-1")).unwrap().statements;
            assert_eq!(seen == statements, is_equal, "{seen}");
        }
    }

    #[test]
    fn what_is_unfinished_has_no_statements() {
        let cut: [fn(&mut Parts); 5] = [
            |parts| parts.role = None,
            |parts| parts.profile = None,
            |parts| parts.profile.as_mut().unwrap().roles.clear(),
            |parts| parts.profile.as_mut().unwrap().roles = vec!["foo-nod".to_owned()],
            |parts| parts.role.as_mut().unwrap().trust = trust("cn-north-1"),
        ];
        for (index, cut) in cut.iter().enumerate() {
            let mut parts = whole(Vec::new());
            cut(&mut parts);
            let seen = parts.resource(&trust("eu-west-1")).unwrap();
            assert!(seen.statements.is_string(), "{index}: {}", seen.statements);
        }
        let mut untold = whole(Vec::new());
        untold.role.as_mut().unwrap().tags.clear();
        assert!(untold.resource(&trust("eu-west-1")).is_err());
    }
}
