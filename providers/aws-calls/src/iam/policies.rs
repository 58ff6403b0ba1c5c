//! Policies of roles: in the role itself, and such as many share.

use serde_json::Value;

use crate::failure::{CallError, Called as _};
use crate::whole::{deleted, every_page, if_there, next};

use super::Iam;
use super::document::decoded;

const GET: &str = "GetRolePolicy";
const LIST: &str = "ListRolePolicies";
const LIST_ATTACHED: &str = "ListAttachedRolePolicies";

impl Iam {
    /// Puts a policy into a role, instead of one of its name.
    ///
    /// # Errors
    ///
    /// When the role is not there, when the policy is none or too long, when it is refused or cannot be asked for.
    pub async fn put_role_policy(&self, role: &str, name: &str, policy: &Value) -> Result<(), CallError> {
        let call = self.clients.patient.put_role_policy().role_name(role);
        let call = call.policy_name(name).policy_document(policy.to_string());
        call.send().await.called("PutRolePolicy").map(drop)
    }

    /// The policy of this very name in a role, if both are there.
    ///
    /// # Errors
    ///
    /// When IAM refuses, answers with what is no policy, or cannot be asked.
    pub async fn role_policy(&self, role: &str, name: &str) -> Result<Option<Value>, CallError> {
        let call = self.clients.patient.get_role_policy().role_name(role);
        let answer = if_there(call.policy_name(name).send().await.called(GET))?;
        answer
            .map(|answer| decoded(GET, &answer.policy_document))
            .transpose()
    }

    /// The names of the policies in a role; none where it is gone.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn role_policies(&self, role: &str) -> Result<Vec<String>, CallError> {
        let found = every_page(LIST, |from| async move {
            let call = self.clients.patient.list_role_policies().role_name(role);
            let answer = call.set_marker(from).send().await.called(LIST)?;
            Ok((answer.policy_names, next(answer.marker)))
        });
        Ok(if_there(found.await)?.unwrap_or_default())
    }

    /// Deletes a policy in a role.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it or the role is gone.
    pub async fn delete_role_policy(&self, role: &str, name: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_role_policy().role_name(role);
        deleted(call.policy_name(name).send().await.called("DeleteRolePolicy"))
    }

    /// Attaches a managed policy to a role; one that is attached stays so.
    ///
    /// # Errors
    ///
    /// When one of them is not there, when it is refused or cannot be asked for.
    pub async fn attach_policy(&self, role: &str, policy_arn: &str) -> Result<(), CallError> {
        let call = self.clients.patient.attach_role_policy().role_name(role);
        let answer = call.policy_arn(policy_arn).send().await;
        answer.called("AttachRolePolicy").map(drop)
    }

    /// Takes a managed policy from a role.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it is not attached, or the role is gone.
    pub async fn detach_policy(&self, role: &str, policy_arn: &str) -> Result<(), CallError> {
        let call = self.clients.patient.detach_role_policy().role_name(role);
        deleted(
            call.policy_arn(policy_arn)
                .send()
                .await
                .called("DetachRolePolicy"),
        )
    }

    /// The ARNs of the managed policies that are attached to a role; none where it is gone.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn attached_policies(&self, role: &str) -> Result<Vec<String>, CallError> {
        let found = every_page(LIST_ATTACHED, |from| async move {
            let call = self.clients.patient.list_attached_role_policies();
            let call = call.role_name(role).set_marker(from);
            let answer = call.send().await.called(LIST_ATTACHED)?;
            Ok((answer.attached_policies.unwrap_or_default(), next(answer.marker)))
        });
        let found = if_there(found.await)?.unwrap_or_default();
        Ok(found.into_iter().filter_map(|policy| policy.policy_arn).collect())
    }
}
