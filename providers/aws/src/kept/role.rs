//! What machines may do in the account: roles of IAM, and the instance profiles that give them to instances.
//!
//! Role and profile have one name ([`role_name`](super::role_name)) and the cluster's path. IAM refuses a name that is taken, so
//! nothing is made twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::iam::{Iam, NewInstanceProfile, NewRole, path_of};
use keelson_aws_calls::mark::{self, Tags};
use keelson_provider_api::kinds::Role;
use keelson_provider_api::{ClusterUid, Health, Outcome, ResourceKey};
use serde_json::Value;

use super::holder;
use super::role_name::own;
use super::role_parts::{MACHINES, POLICY, Parts, machines_text, policy, trust};
use crate::marked::{Seen, key_of};
use crate::step::{Step, missing, never, refused};

/// What was changed shows everywhere after a while, mostly in seconds
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>).
const SHOWN_LIMIT: Duration = Duration::from_secs(30);
/// What IAM says of what does not show yet, and of what is being changed.
const NOT_YET: &[&str] = &["NoSuchEntity", "ConcurrentModification"];
/// What IAM says of a role that has policies, or a profile that has a role, as far as it knows.
const NOT_FREE: &[&str] = &["DeleteConflict", "ConcurrentModification"];

/// The roles of clusters whose machines are in one region.
pub(super) struct Roles<'a> {
    pub(super) iam: &'a Iam,
    pub(super) region: &'a str,
}

impl Roles<'_> {
    /// The roles of the cluster's life `uid`. One without an instance profile, or a profile without a role, was begun and not
    /// ended.
    pub(super) async fn seen(&self, uid: &ClusterUid) -> Result<Vec<Seen>, CallError> {
        let path = path_of(uid.as_str());
        let mut all = Vec::new();
        for name in self.listed(&path).await? {
            let parts = Box::pin(Parts::of(self.iam, &name)).await?;
            let parts = parts.that_are(|found, _| found == path);
            let Some(tags) = parts.tags() else { continue };
            let resource = parts.resource(&trust(self.region));
            let unfinished = resource.as_ref().ok().and_then(|role| role.statements.as_str());
            all.push(Seen {
                id: name,
                tags: tags.clone(),
                health: unfinished.map_or(Health::Healthy, |why| Health::Unhealthy(why.to_owned())),
                resource: resource.map(Into::into),
                created_at: None,
                facts: BTreeMap::new(),
            });
        }
        Ok(all)
    }

    /// The names of all roles and instance profiles with this very path.
    async fn listed(&self, path: &str) -> Result<BTreeSet<String>, CallError> {
        let mut all = self.iam.roles(path).await?;
        all.extend(self.iam.instance_profiles(path).await?);
        let of_path = all.into_iter().filter(|listed| listed.path == path);
        Ok(of_path.map(|listed| listed.name).collect())
    }

    async fn parts(&self, name: &str) -> Result<Parts, Outcome> {
        let parts = Box::pin(Parts::of(self.iam, name)).await;
        parts.map_err(|error| refused(error, "look for the role and its instance profile"))
    }

    pub(super) async fn bring(
        &self,
        step: &Step<'_>,
        key: &ResourceKey,
        wanted: &Role,
    ) -> Result<(), Outcome> {
        let name = own(&step.context.cluster, key.name());
        let found = self.parts(&name).await?;
        check_ours(step, key, &found)?;
        let tags = tags(step, key, wanted, &found);
        self.bring_role(step, key, wanted, &found, &tags).await?;
        self.bring_policy(step, wanted, &found).await?;
        self.bring_policies_of_others(step, wanted, &found).await?;
        self.bring_profile(step, key, &found, tags).await
    }

    async fn bring_role(
        &self,
        step: &Step<'_>,
        key: &ResourceKey,
        wanted: &Role,
        found: &Parts,
        tags: &Tags,
    ) -> Result<(), Outcome> {
        let (name, trust) = (&found.name, trust(self.region));
        let Some(role) = &found.role else {
            let new = NewRole {
                name: name.clone(),
                path: path(step),
                trust,
                permissions_boundary: wanted.boundary.clone(),
                tags: tags.clone(),
            };
            let made = self.iam.create_role(&new).await;
            return made
                .map(drop)
                .map_err(|error| not_made(error, key, "make the role"));
        };
        // It never has more than it is to have, not for a moment.
        if role.permissions_boundary != wanted.boundary {
            let bound = self.iam.set_boundary(name, wanted.boundary.as_deref()).await;
            bound.map_err(|error| refused(error, "bound the role"))?;
        }
        if role.trust != trust {
            let set = self.iam.set_trust(name, &trust).await;
            set.map_err(|error| refused(error, "have machines take the role on"))?;
        }
        Ok(())
    }

    /// The policy in the role, and no other one.
    async fn bring_policy(&self, step: &Step<'_>, wanted: &Role, found: &Parts) -> Result<(), Outcome> {
        let name = &found.name;
        let may_something = wanted.statements.as_array().is_none_or(|all| !all.is_empty());
        let written = policy(&wanted.statements);
        for (other, _) in &found.policies {
            if other != POLICY || !may_something {
                let gone = self.iam.delete_role_policy(name, other).await;
                gone.map_err(|error| refused(error, "take a policy out of the role"))?;
            }
        }
        let is_there = |(found, document): &(String, Value)| found == POLICY && *document == written;
        if may_something && !found.policies.iter().any(is_there) {
            let put = || self.iam.put_role_policy(name, POLICY, &written);
            let put = step.again_while(NOT_YET, SHOWN_LIMIT, put).await;
            put.map_err(|error| refused(error, "put its policy into the role"))?;
        }
        Ok(())
    }

    /// The policies that are somebody else's, and that it is given.
    async fn bring_policies_of_others(
        &self,
        step: &Step<'_>,
        wanted: &Role,
        found: &Parts,
    ) -> Result<(), Outcome> {
        let name = &found.name;
        for arn in found.attached.iter().filter(|arn| !wanted.policies.contains(arn)) {
            let gone = self.iam.detach_policy(name, arn).await;
            gone.map_err(|error| refused(error, &format!("take the policy {arn} from the role")))?;
        }
        for arn in wanted.policies.iter().filter(|arn| !found.attached.contains(arn)) {
            let attach = || self.iam.attach_policy(name, arn);
            let given = step.again_while(NOT_YET, SHOWN_LIMIT, attach).await;
            given.map_err(|error| refused(error, &format!("give the policy {arn} to the role")))?;
        }
        Ok(())
    }

    async fn bring_profile(
        &self,
        step: &Step<'_>,
        key: &ResourceKey,
        found: &Parts,
        tags: Tags,
    ) -> Result<(), Outcome> {
        let name = &found.name;
        let roles = if let Some(profile) = &found.profile {
            profile.roles.as_slice()
        } else {
            let new = NewInstanceProfile {
                name: name.clone(),
                path: path(step),
                tags,
            };
            let made = self.iam.create_instance_profile(&new).await;
            made.map_err(|error| not_made(error, key, "make the instance profile"))?;
            &[]
        };
        for other in roles.iter().filter(|role| *role != name) {
            let gone = self.iam.remove_role(name, other).await;
            gone.map_err(|error| {
                refused(
                    error,
                    &format!("take the role {other} out of the instance profile"),
                )
            })?;
        }
        if !roles.contains(name) {
            let add = || self.iam.add_role(name, name);
            let added = step.again_while(NOT_YET, SHOWN_LIMIT, add).await;
            added.map_err(|error| refused(error, "put the role into its instance profile"))?;
        }
        Ok(())
    }

    /// Takes what has the mark of `key`, whatever it is called.
    pub(super) async fn delete(&self, step: &Step<'_>, key: &ResourceKey) -> Result<(), Outcome> {
        let listed = self.listed(&path(step)).await;
        let mut names = listed.map_err(|error| refused(error, "look for the role"))?;
        // What was just made is not in lists yet.
        names.insert(own(&step.context.cluster, key.name()));
        for name in names {
            let parts = self.parts(&name).await?;
            let parts = parts.that_are(|path, tags| is_ours(step, key, path, tags));
            self.delete_parts(step, &parts).await?;
        }
        Ok(())
    }

    async fn delete_parts(&self, step: &Step<'_>, parts: &Parts) -> Result<(), Outcome> {
        let name = &parts.name;
        if let Some(profile) = &parts.profile {
            for role in &profile.roles {
                let gone = self.iam.remove_role(name, role).await;
                gone.map_err(|error| refused(error, "take the role out of its instance profile"))?;
            }
            let delete = || self.iam.delete_instance_profile(name);
            let gone = step.again_while(NOT_FREE, SHOWN_LIMIT, delete).await;
            gone.map_err(|error| refused(error, "delete the instance profile"))?;
        }
        if parts.role.is_none() {
            return Ok(());
        }
        for (policy, _) in &parts.policies {
            let gone = self.iam.delete_role_policy(name, policy).await;
            gone.map_err(|error| refused(error, "take a policy out of the role"))?;
        }
        for arn in &parts.attached {
            let gone = self.iam.detach_policy(name, arn).await;
            gone.map_err(|error| refused(error, "take a policy from the role"))?;
        }
        let delete = || self.iam.delete_role(name);
        let gone = step.again_while(NOT_FREE, SHOWN_LIMIT, delete).await;
        gone.map_err(|error| refused(error, "delete the role"))
    }
}

fn path(step: &Step<'_>) -> String {
    let uid = step.context.cluster.uid.as_ref();
    path_of(uid.map_or("", ClusterUid::as_str))
}

fn is_ours(step: &Step<'_>, key: &ResourceKey, found: &str, tags: &Tags) -> bool {
    let is_marked = key_of(&step.context.cluster, tags).is_some_and(|(found, _)| found == *key);
    found == path(step) && is_marked
}

/// Says no where the name is somebody else's.
fn check_ours(step: &Step<'_>, key: &ResourceKey, found: &Parts) -> Result<(), Outcome> {
    let role = found.role.as_ref().map(|role| ("role", &role.path, &role.tags));
    let profile = found.profile.as_ref();
    let profile = profile.map(|profile| ("instance profile", &profile.path, &profile.tags));
    let mut others = [role, profile].into_iter().flatten();
    let other = others.find(|(_, path, tags)| !is_ours(step, key, path, tags));
    let Some((what, path, tags)) = other else {
        return Ok(());
    };
    let name = &found.name;
    let whose = holder::owner(tags);
    let problem =
        format!("{key} is to be the {what} {name}, which exists already, below the path {path}: {whose}");
    let help = format!(
        "see who needs the {what} {name}, and delete it if nobody does; keelson changes only what bears its mark"
    );
    Err(never(problem, help))
}

/// A create that had no success. A name that is taken, and was not a moment ago, is that of an earlier one of ours, which shows
/// only now.
fn not_made(error: CallError, key: &ResourceKey, what: &str) -> Outcome {
    if error.is(&["EntityAlreadyExists"]) {
        return missing(key);
    }
    refused(error, what)
}

/// The tags of role and profile. The second of the two is of the same generation as the first, whoever makes it.
fn tags(step: &Step<'_>, key: &ResourceKey, wanted: &Role, found: &Parts) -> Tags {
    let mut tags = step.mark(key);
    let there = found.tags().and_then(|tags| tags.get(mark::GENERATION));
    if let Some(generation) = there {
        tags.insert(mark::GENERATION.to_owned(), generation.clone());
    }
    tags.insert(MACHINES.to_owned(), machines_text(wanted.machines));
    tags
}
