//! The end of a group, with the machines that are still its own.

use keelson_aws_calls::ec2::InstanceState;
use keelson_provider_api::{Outcome, ResourceKey};

use super::Groups;
use super::bring::GONE_LIMIT;
use crate::step::{late, refused};

/// What Auto Scaling says of a group that does something else just now
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html>).
const BUSY: &[&str] = &["ResourceContention", "ScalingActivityInProgress"];
/// As many ids are looked for at once, at the most (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
const AT_ONCE: usize = 200;

impl Groups<'_> {
    /// The group `key` is gone, with its machines, its launch template, and what is kept for first boots. Machines that it has let
    /// go end by themselves.
    pub(super) async fn end(&self, key: &ResourceKey) -> Result<(), Outcome> {
        let mut machines = Vec::new();
        if let Some(group) = self.group(key).await? {
            self.step
                .context
                .progress
                .tell(&format!("end the group {}", group.name));
            let delete = || self.calls.scaling.delete_group(&group.name, true);
            let deleted = self.step.again_while(BUSY, GONE_LIMIT, delete).await;
            deleted.map_err(|error| refused(error, &format!("delete {key}")))?;
            machines.extend(group.members.into_iter().map(|member| member.id));
        }
        let gone = || async { Ok(self.group(key).await?.is_none().then_some(())) };
        if self.step.until_found(GONE_LIMIT, gone).await?.is_none() {
            return Err(late(format!("{key} does not go")));
        }
        // Also those that an earlier run has seen, or nobody.
        let instances = self.instances(key).await?.into_iter();
        let ending = instances.filter(|instance| instance.state == InstanceState::ShuttingDown);
        machines.extend(ending.map(|instance| instance.id));
        for machines in machines.chunks(AT_ONCE) {
            self.until_ended(machines).await?;
        }
        for template in self.templates(key).await? {
            let deleted = self.step.ec2.delete_launch_template(&template.id).await;
            deleted.map_err(|error| refused(error, "delete the launch template"))?;
        }
        let cluster = &self.step.context.cluster;
        let over = self.first_boot.group_starts_from(cluster, key.name(), None);
        over.await.map_err(Outcome::Rejected)
    }
}
