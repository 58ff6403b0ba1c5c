//! Machines of a group that it lets go, and that end.

use std::time::Duration;

use keelson_aws_calls::CallError;
use keelson_aws_calls::ec2::{Filters, InstanceState};
use keelson_aws_calls::scaling::Group;
use keelson_provider_api::kinds::GroupMachine;
use keelson_provider_api::{Kind, Outcome, ResourceKey};

use super::{Groups, full, tags};
use crate::machine::{not_ended, terminate};
use crate::step::{late, refused};

/// An instance of some types takes minutes to end
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html>).
pub(super) const END_LIMIT: Duration = Duration::from_secs(900);
/// A group that does something else just now, and an instance that is not in service yet, are ready in less.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// What Auto Scaling says of a group that does something else just now
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_TerminateInstanceInAutoScalingGroup.html>).
const BUSY: &[&str] = &["ResourceContention", "ScalingActivityInProgress"];
/// What it says of an instance that is none of a group's, or is not in service
/// (<https://docs.aws.amazon.com/autoscaling/ec2/APIReference/CommonErrors.html>).
const NO_MEMBER: &str = "ValidationError";

/// Where an instance stands with its group.
#[derive(PartialEq, Eq)]
enum Standing {
    /// It is one of the group's.
    In,
    /// It is about to end, by the group's doing.
    Ending,
    /// It is none of the group's, or is about to be none.
    Out,
}

fn standing(group: Option<&Group>, instance: &str) -> Standing {
    let mut members = group.into_iter().flat_map(|group| &group.members);
    match members.find(|member| member.id == instance) {
        Some(member) if full::is_let_go(member) => Standing::Out,
        Some(member) if is_ending(&member.lifecycle) => Standing::Ending,
        Some(_) => Standing::In,
        None => Standing::Out,
    }
}

/// The states of an end, with their hooks
/// (<https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>).
fn is_ending(lifecycle: &str) -> bool {
    [
        "Terminating",
        "Terminating:Wait",
        "Terminating:Proceed",
        "Terminated",
    ]
    .contains(&lifecycle)
}

fn of_group(machine: &GroupMachine) -> ResourceKey {
    ResourceKey::new(Kind::NodeGroup, &*machine.group)
}

impl Groups<'_> {
    /// The machine `key` is none of its group's any more, which has started another.
    pub(super) async fn let_go(&self, key: &ResourceKey, machine: &GroupMachine) -> Result<(), Outcome> {
        let (id, of_group) = (key.name(), of_group(machine));
        let free = || async {
            let Some(group) = self.group(&of_group).await? else {
                return Ok(Some(()));
            };
            // One that ends is not let go: another comes in its place anyway.
            if standing(Some(&group), id) != Standing::In {
                return Ok(Some(()));
            }
            let detach = self
                .calls
                .scaling
                .detach(&group.name, &[id.to_owned()], false)
                .await;
            match detach {
                Ok(()) => Ok(Some(())),
                Err(error) if error.is(BUSY) || error.is(&[NO_MEMBER]) => Ok(None),
                Err(error) => Err(refused(error, &format!("let {key} go"))),
            }
        };
        self.step.context.progress.tell(&format!("let {id} go"));
        if self.step.until_found(READY_LIMIT, free).await?.is_none() {
            return Err(late(format!("{of_group} does not let {id} go")));
        }
        self.until_full_without(&of_group, id).await
    }

    /// The machine `key` has ended, and its group has another, if it is to.
    pub(super) async fn end_machine(&self, key: &ResourceKey, machine: &GroupMachine) -> Result<(), Outcome> {
        let (id, of_group) = (key.name(), of_group(machine));
        self.step.context.progress.tell(&format!("end {id}"));
        let begun = || async { Ok(self.begin_end(&of_group, id).await?.then_some(())) };
        if self.step.until_found(READY_LIMIT, begun).await?.is_none() {
            return Err(late(format!("{of_group} does not end {id}")));
        }
        self.until_ended(&[id.to_owned()]).await?;
        self.until_full_without(&of_group, id).await?;
        let group = self.group(&of_group).await?.filter(|group| !group.is_going);
        match group.and_then(|group| tags::asked(&group.tags)) {
            Some(asked) => self.starts_from(&of_group, &asked.template()).await,
            None => Ok(()),
        }
    }

    /// Begins to end an instance, by its group where it is one of it; false where that is to be tried again.
    async fn begin_end(&self, of_group: &ResourceKey, id: &str) -> Result<bool, Outcome> {
        let group = self.group(of_group).await?;
        let ended = match standing(group.as_ref(), id) {
            Standing::Ending => Ok(()),
            Standing::Out => terminate(self.step.ec2, &[id.to_owned()]).await,
            // Somebody may have lowered the group's number by then: so much the better.
            Standing::In => self.calls.scaling.terminate(id, false).await,
        };
        let is_again = |error: &CallError| error.is(BUSY) || error.is(&[NO_MEMBER]);
        match ended {
            Ok(()) => Ok(true),
            Err(error) if is_again(&error) => Ok(false),
            Err(error) => Err(not_ended(error, &ResourceKey::new(Kind::GroupMachine, id))),
        }
    }

    /// Waits until instances have ended.
    pub(super) async fn until_ended(&self, ids: &[String]) -> Result<(), Outcome> {
        let themselves = &Filters::default().with("instance-id", ids);
        let ended = || async {
            let found = self.step.ec2.list_instances(themselves).await;
            let found = found.map_err(|error| refused(error, "look whether the instances have ended"))?;
            let mut states = found.iter().map(|instance| instance.state);
            Ok(states
                .all(|state| state == InstanceState::Terminated)
                .then_some(()))
        };
        match self.step.until_found(END_LIMIT, ended).await? {
            Some(()) => Ok(()),
            None => Err(late(format!("{} do not end", ids.join(", ")))),
        }
    }
}
