//! Takes away what a controller made, when nobody has it any more. Before that it is looked at once more: it may have been given
//! to somebody else since the plan was made.

use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Filters, IngressSource, SecurityGroup, Volume};
use keelson_aws_calls::elb::Elb;
use keelson_provider_api::kinds::LeftoverSort;
use keelson_provider_api::{Outcome, ResourceKey};

use super::whose::Writing;
use crate::in_the_way;
use crate::kept::holder;
use crate::step::{Step, never, refused};

/// Listeners of a load balancer that was deleted let go of a target group at once.
const GROUP_LIMIT: Duration = Duration::from_secs(60);
/// Interfaces of a load balancer that is gone keep a security group for minutes.
const FREE_LIMIT: Duration = Duration::from_secs(300);
/// Whoever has a volume lets go of it when it is shut down, and that can take minutes.
const VOLUME_LIMIT: Duration = Duration::from_secs(600);

/// One thing that is being taken away.
pub(super) struct Removal<'a> {
    step: Step<'a>,
    elb: &'a Elb,
    key: &'a ResourceKey,
    /// What calls name it by.
    id: &'a str,
    writing: Writing,
}

impl<'a> Removal<'a> {
    pub(super) fn of(step: Step<'a>, elb: &'a Elb, key: &'a ResourceKey, id: &'a str) -> Self {
        Self {
            writing: Writing::of(&step.context.cluster),
            step,
            elb,
            key,
            id,
        }
    }

    pub(super) async fn carry_out(&self, sort: LeftoverSort) -> Result<(), Outcome> {
        match sort {
            LeftoverSort::LoadBalancer => self.load_balancer().await,
            LeftoverSort::TargetGroup => self.target_group().await,
            LeftoverSort::SecurityGroup => self.security_group().await,
            LeftoverSort::Volume => self.volume().await,
            LeftoverSort::Snapshot => self.snapshot().await,
        }
    }

    fn refused(&self, error: CallError) -> Outcome {
        refused(error, &format!("delete {}", self.key))
    }

    /// Says no where the tags are no longer what made it the cluster's.
    fn check(&self, is_ours: bool) -> Result<(), Outcome> {
        if is_ours {
            return Ok(());
        }
        let problem = format!("{} no longer bears the tags of this cluster", self.key);
        Err(never(problem, "run the command again: it is left alone then"))
    }

    async fn load_balancer(&self) -> Result<(), Outcome> {
        let named = [self.id.to_owned()];
        let found = self.elb.load_balancers(&named).await;
        for balancer in found.map_err(|error| self.refused(error))? {
            self.check(self.writing.is_on_balancing(&balancer.tags))?;
            match self.elb.delete_load_balancer(&balancer.arn).await {
                // (https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html)
                Err(error) if error.is(&["OperationNotPermitted"]) => {
                    let problem = format!("{} is protected from being deleted: {error}", self.key);
                    let help = "somebody has turned deletion protection on for it; turn it off, where it is to go, and do \
                                the same again";
                    return Err(never(problem, help));
                }
                ended => ended.map_err(|error| self.refused(error))?,
            }
        }
        Ok(())
    }

    async fn target_group(&self) -> Result<(), Outcome> {
        // The name of one that is gone may be another one's by now.
        let name = self.id.rsplit('/').nth(1).unwrap_or_default();
        let found = self.elb.target_group(name).await;
        let found = found.map_err(|error| self.refused(error))?;
        let Some(group) = found.filter(|group| group.arn == self.id) else {
            return Ok(());
        };
        self.check(self.writing.is_on_balancing(&group.tags))?;
        let delete = || self.elb.delete_target_group(self.id);
        let ended = self.step.deleted_when_free(GROUP_LIMIT, delete).await;
        ended.map_err(|error| self.refused(error))
    }

    /// Groups that name each other need each other: what names this one is taken out of the cluster's other groups before.
    async fn security_group(&self) -> Result<(), Outcome> {
        let itself = Filters::default().with("group-id", [self.id]);
        let Some(group) = self.groups(&itself).await?.pop() else {
            return Ok(());
        };
        self.check(self.writing.is_on_balancing(&group.tags))?;
        for other in self.groups(&Filters::in_vpc(&group.vpc)).await? {
            let is_this = other.id == group.id;
            if !is_this && !self.writing.is_group_of_ours(&other.tags) {
                continue;
            }
            let mut rules = other.ingress;
            rules.retain(|rule, _| is_this || rule.source == IngressSource::Group(group.id.clone()));
            let closed = self.step.ec2.revoke_ingress(&other.id, &rules).await;
            closed.map_err(|error| self.refused(error))?;
        }
        let delete = || self.step.ec2.delete_security_group(self.id);
        match self.step.deleted_when_free(FREE_LIMIT, delete).await {
            Err(error) => {
                let filters = Filters::default().with("group-id", [self.id]);
                Err(in_the_way::told(&self.step, error, self.key, &filters).await)
            }
            Ok(()) => Ok(()),
        }
    }

    async fn groups(&self, filters: &Filters) -> Result<Vec<SecurityGroup>, Outcome> {
        let groups = self.step.ec2.list_security_groups(filters).await;
        groups.map_err(|error| self.refused(error))
    }

    async fn volume(&self) -> Result<(), Outcome> {
        let nobody_s = || async {
            let volume = self.found_volume().await?;
            Ok(volume
                .is_none_or(|volume| volume.attachment.is_none())
                .then_some(()))
        };
        if self.step.until_found(VOLUME_LIMIT, nobody_s).await?.is_none() {
            let attachment = self.found_volume().await?.and_then(|volume| volume.attachment);
            let holders: Vec<String> = attachment.into_iter().map(|one| one.instance).collect();
            return Err(holder::keeps(&holders, self.key));
        }
        let Some(volume) = self.found_volume().await? else {
            return Ok(());
        };
        self.check(self.writing.is_on_data(&volume.tags))?;
        let delete = || self.step.ec2.delete_volume(self.id);
        let ended = self.step.again_while(&["VolumeInUse"], FREE_LIMIT, delete).await;
        ended.map_err(|error| self.refused(error))
    }

    async fn found_volume(&self) -> Result<Option<Volume>, Outcome> {
        let itself = Filters::default().with("volume-id", [self.id]);
        let volumes = self.step.ec2.list_volumes(&itself).await;
        let mut volumes = volumes.map_err(|error| self.refused(error))?;
        volumes.retain(Volume::is_there);
        Ok(volumes.pop())
    }

    async fn snapshot(&self) -> Result<(), Outcome> {
        let itself = Filters::default().with("snapshot-id", [self.id]);
        let found = self.step.ec2.list_snapshots(&itself).await;
        for snapshot in found.map_err(|error| self.refused(error))? {
            self.check(self.writing.is_on_data(&snapshot.tags))?;
            match self.step.ec2.delete_snapshot(&snapshot.id).await {
                Err(error) if error.is(&["InvalidSnapshot.InUse"]) => {
                    let problem = format!("{} cannot be deleted: {error}", self.key);
                    let help = "somebody has made an image of it: deregister that, or take the cluster's tag off the \
                                snapshot, and do the same again";
                    return Err(never(problem, help));
                }
                ended => ended.map_err(|error| self.refused(error))?,
            }
        }
        Ok(())
    }
}
