//! The launch template of a group, and its versions.

use std::time::Duration;

use keelson_aws_calls::ec2::{Filters, Launch, LaunchInterface, LaunchTemplateVersion, RootVolume};
use keelson_aws_calls::mark::Tags;
use keelson_aws_calls::scaling::Mix;
use keelson_provider_api::kinds::NodeGroup;
use keelson_provider_api::values::Digest;
use keelson_provider_api::{NewGroup, Outcome, ResourceKey};

use super::{Groups, tags};
use crate::kept::owner;
use crate::machine::parts;
use crate::marked::key_of;
use crate::step::{MOST_TOKENS, late, made, never, refused};

/// What was just made shows in less.
const SHOWN_LIMIT: Duration = Duration::from_secs(15);
/// What EC2 says of a name that another template has
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
const TAKEN: &str = "InvalidLaunchTemplateName.AlreadyExistsException";

/// The types that a group may take, the first choice first.
pub(super) fn types(group: &NodeGroup) -> Vec<&str> {
    let mut types: Vec<&str> = Vec::new();
    for name in group.machine_type.iter().chain(&group.types) {
        if !types.contains(&&**name) {
            types.push(name);
        }
    }
    types
}

/// Which types and how much spare capacity a group mixes; nothing where all its machines are alike.
pub(super) fn mix(group: &NodeGroup) -> Option<Mix> {
    let is_mixed = !group.types.is_empty() || group.spot_share.is_some();
    is_mixed.then(|| Mix {
        types: types(group).into_iter().map(str::to_owned).collect(),
        on_demand_base: 0,
        spot_percent: u32::from(group.spot_share.unwrap_or_default()),
    })
}

impl Groups<'_> {
    /// What machines of `group` are started with, and marked with `marks`.
    pub(super) async fn launch(
        &self,
        key: &ResourceKey,
        group: &NodeGroup,
        mut marks: Tags,
    ) -> Result<Launch, Outcome> {
        let step = &self.step;
        let machine_type = parts::machine_type(key, types(group).first().copied())?;
        let image = parts::image(step, key, machine_type, group.image.as_deref()).await?;
        let instance_profile = parts::profile(step, &self.calls.iam, group.role.as_deref()).await?;
        let interface = LaunchInterface::New {
            subnet: None,
            private_address: None,
            groups: vec![step.firewall_id(&group.firewall).await?],
            public_address: self.is_public(group).await?,
        };
        marks.extend([tags::of_machine(&group.template())]);
        Ok(Launch {
            image: image.id,
            instance_type: machine_type.to_owned(),
            interface,
            root: RootVolume {
                device: image.root_device,
                size_gibibytes: parts::gibibytes(key, group.root_volume.unwrap_or(parts::ROOT))?,
                encryption_key: group.kms_key.clone(),
            },
            // Last, since something is kept for it.
            user_data: self.user_data(key, group).await?,
            instance_profile,
            key_pair: None,
            // The group says which are.
            spot: false,
            protected: false,
            tags: marks,
        })
    }

    /// One template is for all subnets: what is in a public one has no way out without a public address, and elsewhere such an
    /// address leads nowhere.
    async fn is_public(&self, group: &NodeGroup) -> Result<bool, Outcome> {
        let mut is_public = false;
        for name in &group.subnets {
            let id = self.step.subnet_id(name).await?;
            is_public |= parts::is_public(&self.step, name, &id).await?;
        }
        Ok(is_public)
    }

    async fn user_data(&self, key: &ResourceKey, group: &NodeGroup) -> Result<Vec<u8>, Outcome> {
        let cluster = &self.step.context.cluster;
        let new = NewGroup {
            name: key.name(),
            group,
        };
        let user_data = self.first_boot.user_data_of_group(cluster, &new).await;
        parts::that_fits(key, user_data.map_err(Outcome::Rejected)?)
    }

    /// The id of the launch template `name` of the group `key`, which is made where there is none. A version of it starts machines
    /// with `launch`: the number of that one.
    pub(super) async fn template(
        &self,
        key: &ResourceKey,
        name: &str,
        marks: &Tags,
        launch: &Launch,
    ) -> Result<(String, i64), Outcome> {
        if let Some(found) = self.templates(key).await?.into_iter().next() {
            let number = self.version(key, &found.id, launch).await?;
            return Ok((found.id, number));
        }
        self.step
            .context
            .progress
            .tell(&format!("make the launch template {name}"));
        for round in 0..MOST_TOKENS {
            let token = self
                .step
                .token(key, &format!("template {round} {}", digest(launch)));
            let answer = self
                .step
                .ec2
                .create_launch_template(name, launch, marks, &token)
                .await;
            if answer.as_ref().is_err_and(|error| error.is(&[TAKEN])) {
                return Err(self.whose_template(key, name).await?);
            }
            let Some(id) = made(answer, "make the launch template")? else {
                continue;
            };
            // The template of a token that was used before may be gone.
            if let Some(versions) = self.versions_shown(&id).await? {
                let is_meant = |version: &&LaunchTemplateVersion| version.launch.as_ref() == Some(launch);
                let number = versions.iter().find(is_meant).map_or(1, |version| version.number);
                return Ok((id, number));
            }
        }
        Err(late(format!("the launch template {name} of {key} does not show")))
    }

    /// The versions of a launch template, as soon as they show; nothing where they do not.
    async fn versions_shown(&self, id: &str) -> Result<Option<Vec<LaunchTemplateVersion>>, Outcome> {
        let look = || async {
            match self.step.ec2.launch_template_versions(id).await {
                Ok(versions) => Ok(Some(versions)),
                Err(error) if error.is_absent() => Ok(None),
                Err(error) => Err(refused(error, "look at the launch template")),
            }
        };
        self.step.until_found(SHOWN_LIMIT, look).await
    }

    /// A template that has the name which another one is to have, and whose it is.
    async fn whose_template(&self, key: &ResourceKey, name: &str) -> Result<Outcome, Outcome> {
        let named = Filters::default().with("launch-template-name", [name]);
        let found = self.step.ec2.list_launch_templates(&named).await;
        let found = found.map_err(|error| refused(error, "look whose the launch template is"))?;
        let other = found.into_iter().next();
        let tags = other.map(|template| template.tags);
        Ok(taken(self, key, "launch template", name, tags.as_ref()))
    }

    /// The number of a version that starts machines with `launch`: the latest one, or else one that is made.
    async fn version(&self, key: &ResourceKey, id: &str, launch: &Launch) -> Result<i64, Outcome> {
        let versions = self.step.ec2.launch_template_versions(id).await;
        let versions = versions.map_err(|error| refused(error, "look at the launch template"))?;
        let latest = versions.last();
        if let Some(latest) = latest.filter(|version| version.launch.as_ref() == Some(launch)) {
            return Ok(latest.number);
        }
        let after = latest.map_or(0, |version| version.number);
        self.step
            .context
            .progress
            .tell(&format!("make a version of the launch template {id}"));
        for round in 0..MOST_TOKENS {
            let salt = format!("{id} {after} {round} {}", digest(launch));
            let token = self.step.token(key, &salt);
            let answer = self
                .step
                .ec2
                .create_launch_template_version(id, launch, &token)
                .await;
            if let Some(number) = made(answer, "make a version of the launch template")? {
                return Ok(number);
            }
        }
        Err(late(format!("{key} gets no version of its launch template {id}")))
    }

    /// Only the version `number`, which the group names, stays.
    pub(super) async fn tidy(&self, id: &str, number: i64) -> Result<(), Outcome> {
        let ec2 = self.step.ec2;
        let versions = ec2.launch_template_versions(id).await;
        let versions = versions.map_err(|error| refused(error, "look at the launch template"))?;
        let is_kept = |version: &LaunchTemplateVersion| version.number == number && version.is_default;
        if versions.iter().all(is_kept) && number == 1 {
            return Ok(());
        }
        if !versions.iter().any(is_kept) {
            let set = ec2.set_default_launch_template_version(id, number).await;
            set.map_err(|error| refused(error, "set the version of the launch template"))?;
        }
        let kept = ec2.keep_launch_template_version(id, number).await;
        kept.map_err(|error| refused(error, "delete old versions of the launch template"))
    }
}

/// A digest of what machines are started with: a token is for one thing.
fn digest(launch: &Launch) -> String {
    Digest::of_bytes(format!("{launch:?}").as_bytes()).short(32)
}

/// A name that is taken. What bears the mark of `key` is of a call whose answer was lost, and shows only now.
pub(super) fn taken(
    groups: &Groups<'_>,
    key: &ResourceKey,
    what: &str,
    name: &str,
    tags: Option<&Tags>,
) -> Outcome {
    let cluster = &groups.step.context.cluster;
    let other = tags.filter(|tags| key_of(cluster, tags).is_none_or(|(found, _)| found != *key));
    let Some(tags) = other else {
        return late(format!("the {what} {name} of {key} shows only now"));
    };
    let problem = format!(
        "{key} is to be the {what} {name}, which exists already: {}",
        owner(tags)
    );
    let help = format!(
        "see who needs the {what} {name}, and delete it if nobody does; keelson changes only what bears its mark"
    );
    never(problem, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_mix_types_and_spare_capacity_where_they_are_asked_to() {
        let cases = [
            (Some("a"), vec![], None, ""),
            (Some("a"), vec!["b", "a"], None, "a b 0"),
            (None, vec!["b"], None, "b 0"),
            (Some("a"), vec![], Some(70), "a 70"),
            (Some("a"), vec![], Some(0), "a 0"),
        ];
        for (machine_type, types, spot_share, expected) in cases {
            let group = NodeGroup {
                machine_type: machine_type.map(str::to_owned),
                types: types.into_iter().map(str::to_owned).collect(),
                spot_share,
                ..tags::nothing()
            };
            let mixed = mix(&group).map(|mix| format!("{} {}", mix.types.join(" "), mix.spot_percent));
            assert_eq!(mixed.unwrap_or_default(), expected);
        }
    }
}
