//! Roles.

use aws_sdk_iam::types;
use serde_json::Value;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, next, promised};

use super::document::decoded;
use super::{Iam, Listed, check_path, read, written};

const CREATE: &str = "CreateRole";
const GET: &str = "GetRole";
const LIST: &str = "ListRoles";

/// A role to create.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// Its name, one in the account whatever its path, at most 64 characters.
    pub name: String,
    /// Its path: [`super::path_of`] the cluster.
    pub path: String,
    /// Who may take it on.
    pub trust: Value,
    /// The ARN of the policy that bounds what it may at most.
    pub permissions_boundary: Option<String>,
    /// Its mark.
    pub tags: Tags,
}

/// A role that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// What tells it from another one that has had its name.
    pub id: String,
    /// Who may take it on.
    pub trust: Value,
    /// The ARN of the policy that bounds what it may at most.
    pub permissions_boundary: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Iam {
    /// Creates a role. The call is sent once: IAM has no client token for it, and refuses a name that is taken.
    ///
    /// # Errors
    ///
    /// When the name is taken (`EntityAlreadyExists`), when it is refused, and when the answer is lost.
    pub async fn create_role(&self, new: &NewRole) -> Result<Role, CallError> {
        check_path(CREATE, &new.path)?;
        let answer = self
            .clients
            .once
            .create_role()
            .role_name(&new.name)
            .path(&new.path)
            .assume_role_policy_document(new.trust.to_string())
            .set_permissions_boundary(new.permissions_boundary.clone())
            .set_tags(written(CREATE, &new.tags)?)
            .send()
            .await
            .called(CREATE)?;
        let made = promised(CREATE, "role", answer.role)?;
        Ok(Role {
            name: made.role_name,
            path: made.path,
            arn: made.arn,
            id: made.role_id,
            trust: new.trust.clone(),
            permissions_boundary: new.permissions_boundary.clone(),
            tags: new.tags.clone(),
        })
    }

    /// The role of this very name, if there is one.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, CallError> {
        let answer = self.clients.patient.get_role().role_name(name).send().await;
        let Some(answer) = if_there(answer.called(GET))? else {
            return Ok(None);
        };
        role(promised(GET, "role", answer.role)?).map(Some)
    }

    /// The roles whose path is `path` or below it.
    ///
    /// # Errors
    ///
    /// When it is no whole path, when IAM refuses or cannot be asked.
    pub async fn roles(&self, path: &str) -> Result<Vec<Listed>, CallError> {
        check_path(LIST, path)?;
        let found = every_page(LIST, |from| async move {
            let call = self.clients.patient.list_roles().path_prefix(path);
            let answer = call.set_marker(from).send().await.called(LIST)?;
            Ok((answer.roles, next(answer.marker)))
        });
        let listed = |role: types::Role| Listed {
            name: role.role_name,
            path: role.path,
            arn: role.arn,
        };
        // What is found so is deleted one day: the server is not relied on alone.
        let found = found.await?.into_iter().map(listed);
        Ok(found.filter(|found| found.path.starts_with(path)).collect())
    }

    /// Says who may take a role on, instead of who may now.
    ///
    /// # Errors
    ///
    /// When it is not there, is refused or cannot be asked for.
    pub async fn set_trust(&self, role: &str, trust: &Value) -> Result<(), CallError> {
        let call = self.clients.patient.update_assume_role_policy();
        let call = call.role_name(role).policy_document(trust.to_string());
        call.send().await.called("UpdateAssumeRolePolicy").map(drop)
    }

    /// Bounds what a role may at most by the managed policy of this ARN, or by none.
    ///
    /// # Errors
    ///
    /// When the role is not there, when it is refused or cannot be asked for.
    pub async fn set_boundary(&self, role: &str, policy_arn: Option<&str>) -> Result<(), CallError> {
        let clients = &self.clients;
        let Some(arn) = policy_arn else {
            let call = clients.patient.delete_role_permissions_boundary();
            let answer = call.role_name(role).send().await;
            return answer.called("DeleteRolePermissionsBoundary").map(drop);
        };
        let call = clients.patient.put_role_permissions_boundary();
        let answer = call.role_name(role).permissions_boundary(arn).send().await;
        answer.called("PutRolePermissionsBoundary").map(drop)
    }

    /// Deletes a role that has no policies and is in no instance profile.
    ///
    /// # Errors
    ///
    /// When it has or is (`DeleteConflict`), when it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_role(&self, name: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_role().role_name(name);
        deleted(call.send().await.called("DeleteRole"))
    }
}

fn role(found: types::Role) -> Result<Role, CallError> {
    let trust = promised(GET, "trust policy", found.assume_role_policy_document)?;
    let boundary = found.permissions_boundary;
    Ok(Role {
        name: found.role_name,
        path: found.path,
        arn: found.arn,
        id: found.role_id,
        trust: decoded(GET, &trust)?,
        permissions_boundary: boundary.and_then(|boundary| boundary.permissions_boundary_arn),
        tags: read(found.tags),
    })
}
