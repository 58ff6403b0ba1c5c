//! Instance profiles: what an instance is started with, and gets its role by.

use aws_sdk_iam::types;

use crate::failure::{CallError, Called as _};
use crate::mark::Tags;
use crate::whole::{deleted, every_page, if_there, next, promised};

use super::{Iam, Listed, check_path, read, written};

const CREATE: &str = "CreateInstanceProfile";
const GET: &str = "GetInstanceProfile";
const LIST: &str = "ListInstanceProfiles";
const ADD: &str = "AddRoleToInstanceProfile";

/// An instance profile to create.
#[derive(Debug, Clone)]
pub struct NewInstanceProfile {
    /// Its name, one in the account whatever its path.
    pub name: String,
    /// Its path: [`super::path_of`] the cluster.
    pub path: String,
    /// Its mark.
    pub tags: Tags,
}

/// An instance profile that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// What tells it from another one that has had its name.
    pub id: String,
    /// The names of its roles: one at the most.
    pub roles: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Iam {
    /// Creates an instance profile without a role. The call is sent once: IAM has no client token for it, and refuses a name that
    /// is taken.
    ///
    /// # Errors
    ///
    /// When the name is taken (`EntityAlreadyExists`), when it is refused, and when the answer is lost.
    pub async fn create_instance_profile(
        &self,
        new: &NewInstanceProfile,
    ) -> Result<InstanceProfile, CallError> {
        check_path(CREATE, &new.path)?;
        let call = self.clients.once.create_instance_profile();
        let call = call.instance_profile_name(&new.name).path(&new.path);
        let answer = call.set_tags(written(CREATE, &new.tags)?).send().await;
        let made = promised(
            CREATE,
            "instance profile",
            answer.called(CREATE)?.instance_profile,
        )?;
        let mut made = profile(made);
        made.tags.clone_from(&new.tags);
        Ok(made)
    }

    /// The instance profile of this very name, if there is one.
    ///
    /// # Errors
    ///
    /// When IAM refuses or cannot be asked.
    pub async fn instance_profile(&self, name: &str) -> Result<Option<InstanceProfile>, CallError> {
        let call = self.clients.patient.get_instance_profile();
        let answer = call.instance_profile_name(name).send().await;
        let Some(answer) = if_there(answer.called(GET))? else {
            return Ok(None);
        };
        let found = promised(GET, "instance profile", answer.instance_profile)?;
        Ok(Some(profile(found)))
    }

    /// The instance profiles whose path is `path` or below it.
    ///
    /// # Errors
    ///
    /// When it is no whole path, when IAM refuses or cannot be asked.
    pub async fn instance_profiles(&self, path: &str) -> Result<Vec<Listed>, CallError> {
        check_path(LIST, path)?;
        let found = every_page(LIST, |from| async move {
            let call = self.clients.patient.list_instance_profiles();
            let call = call.path_prefix(path).set_marker(from);
            let answer = call.send().await.called(LIST)?;
            Ok((answer.instance_profiles, next(answer.marker)))
        });
        let listed = |profile: types::InstanceProfile| Listed {
            name: profile.instance_profile_name,
            path: profile.path,
            arn: profile.arn,
        };
        // What is found so is deleted one day: the server is not relied on alone.
        let found = found.await?.into_iter().map(listed);
        Ok(found.filter(|found| found.path.starts_with(path)).collect())
    }

    /// Puts a role into an instance profile; one that is in it stays there.
    ///
    /// # Errors
    ///
    /// When another role is in it (`LimitExceeded`), when one of them is not there, when it is refused or cannot be asked for.
    pub async fn add_role(&self, profile: &str, role: &str) -> Result<(), CallError> {
        let call = self.clients.patient.add_role_to_instance_profile();
        let answer = call.instance_profile_name(profile).role_name(role).send().await;
        match answer.called(ADD) {
            // IAM counts the role before it looks whether it is the same.
            Err(error) if error.is(&["LimitExceeded", "EntityAlreadyExists"]) => {
                let found = self.instance_profile(profile).await?;
                let is_in = found.is_some_and(|found| found.roles.iter().any(|one| one == role));
                if is_in { Ok(()) } else { Err(error) }
            }
            answer => answer.map(drop),
        }
    }

    /// Takes a role out of an instance profile.
    ///
    /// # Errors
    ///
    /// When it is refused or cannot be asked for; not when it is not in it, or one of them is gone.
    pub async fn remove_role(&self, profile: &str, role: &str) -> Result<(), CallError> {
        let call = self.clients.patient.remove_role_from_instance_profile();
        let answer = call.instance_profile_name(profile).role_name(role).send().await;
        deleted(answer.called("RemoveRoleFromInstanceProfile"))
    }

    /// Deletes an instance profile that has no role.
    ///
    /// # Errors
    ///
    /// When it has one (`DeleteConflict`), when it is refused or cannot be asked for; not when it is gone.
    pub async fn delete_instance_profile(&self, name: &str) -> Result<(), CallError> {
        let call = self.clients.patient.delete_instance_profile();
        let answer = call.instance_profile_name(name).send().await;
        deleted(answer.called("DeleteInstanceProfile"))
    }
}

fn profile(found: types::InstanceProfile) -> InstanceProfile {
    InstanceProfile {
        name: found.instance_profile_name,
        path: found.path,
        arn: found.arn,
        id: found.instance_profile_id,
        roles: found.roles.into_iter().map(|role| role.role_name).collect(),
        tags: read(found.tags),
    }
}
